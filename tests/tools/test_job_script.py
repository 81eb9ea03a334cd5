"""The public builder of job scripts keeps its written contract."""

from __future__ import annotations

import json
import os
import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from support.patience import unique_tag
from tunebook.artifacts.outcome import read_outcome
from tunebook.core.jobs import Job, Resources, Stage
from tunebook.core.site import Environment
from tunebook.tools.job_script import job_variables, script_text

TAG = unique_tag()
CONTRACT = Path(__file__).parents[2] / "docs" / "reference" / "job-scripts.md"
TEMPLATES = [
    *(path for path in (files("tunebook.tools") / "templates").iterdir() if path.name.endswith(".sh")),
    files("tunebook.slurm") / "array.sh",
    files("tunebook.executors") / "pack.sh",
]
# Of bash itself and of a loop in a body.
NOT_OF_THE_CONTRACT = {"BASH_REMATCH", "INSPECT_EVAL_", "LC_ALL", "PPID", "SECONDS"}
JOB = Job(
    name="a/finetune",
    run="a",
    stage=Stage.PREPARATION,
    tool="toy",
    directory="a",
    script="a/finetune.slurm",
    outcome="a/finetune.outcome.json",
    texts=("a/config.txt",),
    resources=Resources(time="00:10:00", memory="1G", cpus=2),
)


def assigned_in(text: str) -> set[str]:
    """Names that a template assigns to itself: they need no description."""
    names = set(re.findall(r"^\s*(?:local\s+)?([a-z_]+)\+?=", text, re.MULTILINE))
    names |= set(re.findall(r"\bfor ([a-z_]+) in\b", text)) | set(re.findall(r"\blocal ([a-z_]+)$", text, re.MULTILINE))
    return names | set(re.findall(r"mapfile -t ([a-z_]+)", text))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_variable_that_a_template_uses_is_in_the_written_contract(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    exported = set(re.findall(r"\b([A-Z][A-Z_]+)=", text))
    used = set(re.findall(r"\$\{?[!#]?([A-Za-z_][A-Za-z0-9_]*)", text)) - assigned_in(text)
    described = set(re.findall(r"`([A-Za-z_]+)[^`]*`", CONTRACT.read_text()))
    if template.name == "array.sh":  # the array's script assigns these for each task
        described |= {"tag", "resume", "script"}
    if template.name.startswith("answers"):  # a spot check assigns it
        described |= {"answers"}
    if template.name == "pack.sh":  # executors/packs.py assigns these for each pack
        described |= {"numbers", "tags", "directories", "scripts", "resumes", "need_members", "need_outcomes"}
        described |= {"need_tags", "pack_tag", "folder", "at_once", "mps", "service"}
    assert (used | exported) - described - NOT_OF_THE_CONTRACT == set()


def build(experiment: Path, body: str, **changes: object) -> Path:
    (experiment / "a").mkdir(parents=True)
    (experiment / "a" / "config.txt").write_text("seed: 1\n")
    text = script_text(
        JOB,
        job_name="toy.a",
        modules=(),
        environment=Environment(),
        variables={**job_variables(JOB, experiment), "greeting": 'it\'s "$HOME"', **changes},  # type: ignore[dict-item]
        body=body,
    )
    script = experiment / JOB.script
    script.write_text(text)
    return script


def test_a_script_of_another_tool_keeps_the_contract(tmp_path: Path) -> None:
    script = build(tmp_path / "it's here", 'run printf "%s|%s" "$greeting" "$PWD"\nexit 5\n')
    env = {**os.environ, "TUNEBOOK_TAG": TAG}
    done = subprocess.run(["bash", str(script)], env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == (f"it's \"$HOME\"|{tmp_path}/it's here/a", 5)
    outcome = read_outcome(script.parent / "finetune.outcome.json")
    assert outcome is not None
    assert (outcome.exit_code, outcome.tag, len(outcome.inputs.contents)) == (5, TAG, 1)
    assert "#SBATCH --time=00:10:00\n#SBATCH --requeue\n" in script.read_text()


def test_a_second_signal_does_not_cut_the_outcome_short(tmp_path: Path) -> None:
    script = build(tmp_path / "twice", "run bash -c 'echo ready; exec sleep 600'\n")
    with subprocess.Popen(["bash", str(script)], stdout=subprocess.PIPE, start_new_session=True) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == b"ready\n"
        while job.poll() is None:
            job.terminate()
    outcome = read_outcome(script.parent / "finetune.outcome.json")
    assert outcome is not None
    assert outcome.exit_code == 143


def test_a_submission_that_was_given_up_touches_nothing(tmp_path: Path) -> None:
    script = build(tmp_path / "late", "run touch ran\n")
    marker = tmp_path / "late" / ".tunebook" / "given-up" / TAG
    marker.parent.mkdir(parents=True)
    marker.touch()
    (script.parent / "finetune.outcome.json").write_text(json.dumps({"exit_code": 0}))
    done = subprocess.run(["bash", str(script)], env={**os.environ, "TUNEBOOK_TAG": TAG}, check=False)
    assert done.returncode == 75
    assert not (script.parent / "ran").exists()
    assert json.loads((script.parent / "finetune.outcome.json").read_text()) == {"exit_code": 0}


def test_a_script_without_the_variables_of_the_contract_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the variables experiment, outcome, given_up, input_texts"):
        script_text(JOB, job_name="x", modules=(), environment=Environment(), variables={"directory": "/a"}, body="")
