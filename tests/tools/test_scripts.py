"""The generated scripts: clean shell, and arguments that arrive unchanged, whatever the plan contains."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from support.patience import HANG_S, unique_tag
from support.scaffolding import replace, scaffolded
from tunebook.artifacts.outcome import read_outcome
from tunebook.core.jobs import Job
from tunebook.core.quoting import sbatch_value, shell_word
from tunebook.disk.inputs import InputReader
from tunebook.disk.manifest import read_manifest
from tunebook.errors import PlanError
from tunebook.tools.runtime.installing import install_anywhere

TAG = unique_tag()
SHELLCHECK = Path(sys.executable).with_name("shellcheck")
PLAN = "experiment_summary.md"
OWNED = Path(tempfile.gettempdir()) / unique_tag()
HOSTILE = f'$(touch {OWNED}) `id` "quoted" it\'s ${{HOME}} {{braces}} a, b: c # d\nnew line \\n é'
RECORDER = """#!{python}
import json, sys
from pathlib import Path
record = {{"program": Path(sys.argv[0]).name, "arguments": sys.argv[1:]}}
is_tool = record["program"] != "python" or "tunebook.tools.runtime.inspect_evaluation" in sys.argv
if "--task-config" in sys.argv:
    record["--task-config"] = json.loads(Path(sys.argv[sys.argv.index("--task-config") + 1]).read_text())
with open({log!r}, "a") as file:
    file.write(json.dumps(record) + "\\n")
sys.exit({code} if is_tool else 0)
"""


def scripts_of(experiment: Path) -> list[Path]:
    return sorted(experiment.rglob("*.slurm"))


def recorders(folder: Path, *, code: int = 0) -> tuple[dict[str, str], Path]:
    """An environment in which ``tune`` and ``python`` record their arguments; ``code`` is that of the tools."""
    folder.mkdir()
    log = folder / "calls.jsonl"
    for name in ("tune", "python"):
        text = RECORDER.format(python=sys.executable, log=str(log), code=code)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "TUNEBOOK_TAG": TAG}, log


def local(experiment: Path) -> Path:
    """The experiment without the cluster's module and conda, which are not here."""
    (experiment / "claude.local.md").write_text("# Site\n- **Account:** `lab`\n")
    return experiment


def job_named(experiment: Path, name: str) -> Job:
    return next(job for job in read_manifest(experiment).jobs if job.name == name)


def run_script(path: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(path)], env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def test_every_script_is_clean_shell(experiment: Path) -> None:
    scaffolded(experiment)
    scripts = [str(path) for path in scripts_of(experiment)]
    assert len(scripts) == 17
    for script in scripts:
        subprocess.run(["bash", "-n", script], check=True)
    done = subprocess.run([str(SHELLCHECK), *scripts], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_training_gets_its_arguments_and_writes_its_outcome(experiment: Path, tmp_path: Path) -> None:
    scaffolded(local(experiment))
    environment, log = recorders(tmp_path / "bin")
    job = job_named(experiment, "rank8_lr1e-5/finetune")
    done = run_script(experiment / job.script, environment)
    assert done.returncode == 0, done.stderr
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    config = f"{experiment}/rank8_lr1e-5/finetune.yaml"
    tune = next(call for call in calls if call["program"] == "tune")
    assert tune["arguments"] == ["run", "tunebook/tools/runtime/torchtune_recipe.py", "--config", config]
    assert calls[-1]["arguments"][:3] == ["-m", "tunebook.tools.runtime.torchtune_job", "prove"]
    outcome = read_outcome(experiment / job.outcome)
    assert outcome is not None
    assert (outcome.exit_code, outcome.tag) == (0, TAG)
    assert outcome.inputs == InputReader(experiment).read(job).digests


def test_the_exit_code_is_the_tools_own(experiment: Path, tmp_path: Path) -> None:
    scaffolded(local(experiment))
    environment, _ = recorders(tmp_path / "bin", code=7)
    for name in ("rank8_lr1e-5/finetune", "rank8_lr1e-5/eval/capitalization_epoch0"):
        job = job_named(experiment, name)
        assert run_script(experiment / job.script, environment).returncode == 7
        outcome = read_outcome(experiment / job.outcome)
        assert outcome is not None
        assert outcome.exit_code == 7


def test_hostile_prompts_reach_the_evaluation_unchanged(experiment: Path, tmp_path: Path) -> None:
    """Prompts travel as JSON in a file: inspect parses -T as YAML, and would split a text at its commas."""
    written = json.dumps(HOSTILE, ensure_ascii=False).replace("|", "")
    replace(experiment / PLAN, '"Capitalize the given word"', written)
    scaffolded(local(experiment))
    environment, log = recorders(tmp_path / "bin")
    job = job_named(experiment, "Llama-3.2-1B_base/eval/capitalization_base")
    done = run_script(experiment / job.script, environment)
    assert done.returncode == 0, done.stderr
    call = next(json.loads(line) for line in log.read_text().splitlines() if '"--task-config": ' in line)
    assert call["--task-config"]["system_prompt"] == HOSTILE
    assert call["--task-config"]["dataset_path"] == "/scratch/gpfs/LAB/data/words_4L_80P_300.json"
    assert call["arguments"][2:5] == ["tunebook.tools.runtime.inspect_evaluation", "--model", "hf/Llama-3.2-1B_base"]
    assert not OWNED.exists()


def test_hostile_prompts_reach_training_unchanged(experiment: Path) -> None:
    import yaml
    from omegaconf import OmegaConf

    replace(experiment / PLAN, '"Capitalize the given word"', json.dumps(HOSTILE, ensure_ascii=False))
    scaffolded(experiment)
    config = OmegaConf.load(experiment / "rank8_lr1e-5" / "finetune.yaml")
    assert OmegaConf.select(config, "dataset.system_prompt") == HOSTILE
    setup = yaml.safe_load((experiment / "rank8_lr1e-5" / "setup_finetune.yaml").read_text())
    assert setup["system_prompt"] == HOSTILE


def test_a_signal_ends_the_child_and_is_recorded(experiment: Path, tmp_path: Path) -> None:
    scaffolded(local(experiment))
    environment, _ = recorders(tmp_path / "bin")
    (tmp_path / "bin" / "tune").write_text(f"#!/bin/bash\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    job = job_named(experiment, "rank8_lr1e-5/finetune")
    process = subprocess.Popen(["bash", str(experiment / job.script)], env=environment)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert process.poll() is None
    process.terminate()
    assert process.wait(timeout=HANG_S) == 143
    outcome = read_outcome(experiment / job.outcome)
    assert outcome is not None
    assert outcome.exit_code == 143
    child = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_missing_environment_is_reported_in_one_line(experiment: Path, tmp_path: Path) -> None:
    scaffolded(local(experiment))
    environment, _ = recorders(tmp_path / "bin")
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    done = run_script(experiment / "rank8_lr1e-5" / "finetune.slurm", environment)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line == f"tunebook: this environment lacks tunebook[torchtune]: {install_anywhere('tunebook[torchtune]')}"


def test_site_settings_reach_the_sbatch_lines(experiment: Path) -> None:
    site = experiment / "claude.local.md"
    site.write_text(
        "- **Account:** lab\n- **Partition:** gpu\n- **QOS:** short\n- **Default CPUs:** 6\n- **Default memory:** 40G\n"
        "- **Mail user:** a@b.c\n- **GPU request syntax:** `--gpus`\n"
    )
    scaffolded(experiment)
    lines = (experiment / "rank8_lr1e-5" / "finetune.slurm").read_text().splitlines()
    wanted = {
        "--account=lab",
        "--partition=gpu",
        "--qos=short",
        "--cpus-per-task=6",
        "--mem=40G",
        "--mail-user=a@b.c",
        "--mail-type=END,FAIL",
        "--gpus=1",
        "--time=00:16:00",
    }
    assert wanted <= {line.removeprefix("#SBATCH ") for line in lines}


def test_no_mail_is_sent_unless_it_is_set(experiment: Path) -> None:
    scaffolded(experiment)
    assert "--mail" not in (experiment / "rank8_lr1e-5" / "finetune.slurm").read_text()


def test_a_site_value_that_would_add_a_line_is_refused(experiment: Path) -> None:
    replace(experiment / "claude.local.md", "**Account**: `lab`", "**Account**: `lab --wrap=x`")
    with pytest.raises(PlanError, match="Account is `lab --wrap=x`; it must be one word"):
        scaffolded(experiment)


@pytest.mark.parametrize("value", ["a\n#SBATCH --x", "a b", "a'b", 'a"b', "", "$(x)", "a`b"])
def test_values_that_an_sbatch_line_cannot_hold_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="a value on an #SBATCH line may contain only"):
        sbatch_value("--account", value)


def test_a_nul_is_refused_in_a_shell_word() -> None:
    with pytest.raises(ValueError, match="NUL"):
        shell_word("a\0b")


def test_an_activation_that_leaves_another_python_in_charge_is_an_error(experiment: Path, tmp_path: Path) -> None:
    venv = tmp_path / "it's an environment"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    (venv / "bin" / "activate").write_text("export VIRTUAL_ENV=elsewhere\n")
    (experiment / "claude.local.md").write_text(f"# Site\n- **Virtual environment:** `{venv}`\n")
    scaffolded(experiment)
    environment, log = recorders(tmp_path / "bin")
    done = run_script(experiment / "rank8_lr1e-5" / "finetune.slurm", environment)
    assert done.returncode == 1
    assert f"activating {venv} leaves {tmp_path / 'bin' / 'python'} active" in done.stderr
    assert not log.exists()
