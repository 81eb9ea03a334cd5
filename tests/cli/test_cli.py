"""The command line as a program sees it: exit codes, JSON and messages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.scaffolding import replace

TUNEBOOK = Path(sys.executable).with_name("tunebook")
PLAN = "experiment_summary.md"
WRONG = [
    ("misspelt column", "| Learning Rate | Batch", "| Learning Rat | Batch", 30, "did you mean `Learning Rate`?"),
    ("unknown tool", "Model Preparation:** torchtune", "Model Preparation:** axolotl", 13, "supported: torchtune"),
    ("duplicate run", "_rank8_lr5e-5 | Llama", "_rank8_lr1e-5 | Llama", 33, "rename one of them"),
    ("missing input", '"{input}"', '"word"', 86, "`{input}`"),
    ("wrong type", "| 8 | 1e-5 | 4 |", "| eight | 1e-5 | 4 |", 32, ""),
]


def tunebook(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TUNEBOOK), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"COLUMNS": "200"},
    )


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    assert set(found) == {"schema", "command", "ok", "exit_code", "data", "warnings", "errors"}
    assert (found["schema"], found["exit_code"]) == (1, done.returncode)
    return found


@pytest.mark.parametrize(("old", "new", "line", "hint"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_check_reports_line_and_suggestion_with_exit_code_3(
    experiment: Path, old: str, new: str, line: int, hint: str
) -> None:
    replace(experiment / PLAN, old, new)
    done = tunebook("check", experiment)
    assert done.returncode == 3
    assert f"{PLAN}:{line}: error:" in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    found = document(tunebook("check", experiment, "--json"))
    assert any(error["line"] == line and error["file"] == PLAN for error in found["errors"])
    told = {line.partition("error: ")[2] for line in done.stderr.splitlines() if "error: " in line}
    assert told == {error["message"] for error in found["errors"]}


def test_check_of_a_correct_plan_lists_what_could_not_be_verified(experiment: Path) -> None:
    done = tunebook("check", experiment)
    assert done.returncode == 0
    assert "model /scratch/gpfs/LAB/pretrained-llms/Llama-3.2-1B-Instruct was not found" in done.stderr
    assert len(document(tunebook("check", experiment, "--json"))["warnings"]) == 3
    assert sorted(path.name for path in experiment.iterdir()) == ["claude.local.md", PLAN]


def test_scaffold_from_inside_the_directory_and_as_json(experiment: Path) -> None:
    done = tunebook("scaffold", cwd=experiment)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "## Scaffold Experiment Complete")
    found = document(tunebook("scaffold", "--json", cwd=experiment))
    assert {file["action"] for file in found["data"]["files"]} == {"unchanged"}
    assert [len(part["scripts"]) for part in found["data"]["parts"]] == [8, 9]


def test_conflicts_are_exit_code_4(experiment: Path) -> None:
    tunebook("scaffold", experiment)
    replace(experiment / "rank8_lr1e-5" / "finetune.slurm", "--ntasks=1", "--ntasks=2")
    done = tunebook("scaffold", experiment)
    assert done.returncode == 4
    assert "- rank8_lr1e-5/finetune.slurm" in done.stdout


def test_one_stage_by_itself(experiment: Path) -> None:
    assert tunebook("scaffold-inspect", experiment).returncode == 0
    assert not (experiment / "rank8_lr1e-5" / "finetune.yaml").exists()
    assert (experiment / "rank8_lr1e-5" / "eval" / "capitalization_epoch0.slurm").exists()
    assert tunebook("scaffold-torchtune", experiment, "--run", "rank8*").returncode == 0
    assert (experiment / "rank8_lr1e-5" / "finetune.yaml").exists()
    assert not (experiment / "rank16_lr1e-5" / "finetune.yaml").exists()


def test_setup_finetune_derives_one_run_again(experiment: Path) -> None:
    tunebook("scaffold", experiment)
    done = tunebook(
        "setup-finetune", experiment / "rank8_lr1e-5", "--set", "learning_rate=2e-5", "--set", "prompt=a, b: {input}"
    )
    assert done.returncode == 0
    text = (experiment / "rank8_lr1e-5" / "finetune.yaml").read_text()
    assert "lr: 2.0e-05" in text
    assert "prompt: 'a, b: {input}'" in text
    assert "# Training" in (experiment / "rank8_lr1e-5" / "setup_finetune.yaml").read_text()


@pytest.mark.parametrize(
    ("assignment", "code", "message"),
    [
        ("lrr=1", 2, "did you mean `lr`?"),
        ("lr", 2, "write key=value"),
        ("lr=fast", 3, "Learning Rate is `fast`"),
        ("prompt=no placeholder", 3, "{input}"),
        ("gpus=2", 3, ""),
    ],
)
def test_a_wrong_setting_changes_nothing(experiment: Path, assignment: str, code: int, message: str) -> None:
    tunebook("scaffold", experiment)
    before = (experiment / "rank8_lr1e-5" / "setup_finetune.yaml").read_text()
    done = tunebook("setup-finetune", experiment / "rank8_lr1e-5", "--set", assignment)
    if assignment == "gpus=2":
        assert done.returncode == 0
        assert "recipe=lora_finetune_distributed" in (experiment / "rank8_lr1e-5" / "finetune.slurm").read_text()
        return
    assert done.returncode == code
    assert message in done.stderr
    assert (experiment / "rank8_lr1e-5" / "setup_finetune.yaml").read_text() == before


def test_a_directory_of_no_run_is_refused(experiment: Path) -> None:
    done = tunebook("setup-finetune", experiment / "Llama-3.2-1B_base")
    assert done.returncode == 2
    assert "is not the directory of a fine-tuned run" in done.stderr


def test_a_missing_plan_is_a_usage_error_in_words_and_in_json(tmp_path: Path) -> None:
    done = tunebook("scaffold", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no experiment_summary.md" in done.stderr
    assert document(tunebook("scaffold", tmp_path, "--json"))["command"] == "scaffold"


def test_run_and_status_before_scaffolding_say_what_to_do(experiment: Path) -> None:
    for verb, code in (("run", 4), ("status", 3)):
        done = tunebook(verb, experiment)
        assert done.returncode == code
        assert "tunebook scaffold" in done.stderr


def test_tools_are_listed_with_their_versions() -> None:
    found = document(tunebook("tools", "--json"))
    assert {tool["name"]: tool["version"] for tool in found["data"]["tools"]}["torchtune"] == "0.6.1"


def test_a_directory_that_cannot_be_written_is_one_line(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del monkeypatch
    (experiment / "rank8_lr1e-5").write_text("a file where a directory should be")
    done = tunebook("scaffold", experiment)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "rank8_lr1e-5" in done.stderr


def test_a_plan_that_is_not_text_is_reported_without_a_traceback(experiment: Path) -> None:
    (experiment / PLAN).write_bytes(b"\xff\xfe\x00# x\n")
    done = tunebook("check", experiment)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
