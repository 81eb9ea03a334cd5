"""Which results stay valid, and which are announced with their reason and computed again."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace as with_values
from pathlib import Path

import pytest
from typer.testing import CliRunner

from support.played_programs import play_programs
from support.scaffolding import replace
from support.tiny_model import build_tiny_model, write_tiny_experiment
from tunebook import api
from tunebook.cli.main import app
from tunebook.core.jobs import JobState
from tunebook.core.paths import PLAN_FILE
from tunebook.errors import ConflictError, ExitCode

TRAININGS = ["rank16/finetune", "rank4/finetune"]
TRAINED = ["rank16/eval/capitalization_epoch0", "rank4/eval/capitalization_epoch0"]
BASE = "SmolLM2-135M_base/eval/capitalization_base"
LOCAL = api.RunOptions(executor="local", slots=2, poll_s=0.05)


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment whose jobs have all run; its data and its task are in its directory."""
    root = tmp_path_factory.mktemp("first")
    build_tiny_model(root / "tiny")
    here = root / "sweep"
    inside = [(f"{here}/words.json", "words.json"), (f"{here}/cap_task.py", "cap_task.py")]
    write_tiny_experiment(here, root / "tiny", *inside)
    (here / "claude.local.md").write_text(f"# Site\n- **Virtual environment:** `{play_programs(root / 'venv')}`\n")
    assert api.scaffold(here).exit_code is ExitCode.DONE
    assert api.run(here, LOCAL).exit_code is ExitCode.DONE
    return here


@pytest.fixture
def experiment(completed: Path, tmp_path: Path) -> Path:
    """A copy in another place, with a model of its own, scaffolded there: nothing is to run."""
    here = tmp_path / "copy"
    subprocess.run(["/bin/cp", "-a", completed, here], check=True)
    shutil.copytree(completed.parent / "tiny", tmp_path / "tiny")
    replace(here / PLAN_FILE, f"{completed.parent}/tiny", f"{tmp_path}/tiny")
    assert api.scaffold(here).exit_code is ExitCode.DONE
    assert to_run(here) == {}
    return here


def to_run(experiment: Path, options: api.RunOptions = LOCAL) -> dict[str, str]:
    return {one.job.name: one.reason for one in api.preview(experiment, options).to_run}


def details(experiment: Path) -> dict[str, str]:
    return {one.job.name: one.details for one in api.preview(experiment, LOCAL).to_run if one.details}


def reasons(experiment: Path) -> dict[str, str]:
    return {job.job.name: job.reason for job in api.status(experiment).jobs if job.state is not JobState.COMPLETED}


def test_results_of_an_experiment_that_was_copied_and_scaffolded_again_stay_valid(experiment: Path) -> None:
    assert reasons(experiment) == {}
    report = api.run(experiment, LOCAL)
    assert (report.exit_code, report.submitted) == (ExitCode.DONE, ())


def test_results_stay_valid_before_a_moved_experiment_is_scaffolded_again(experiment: Path, tmp_path: Path) -> None:
    here = experiment.rename(tmp_path / "moved")
    report = api.status(here)
    assert {job.state for job in report.jobs} == {JobState.COMPLETED}
    assert "`tunebook scaffold`" in " ".join(report.warnings)


def test_results_stay_valid_when_memory_time_account_and_partition_change(experiment: Path) -> None:
    lines = ["- **Default memory:** 20G", "- **Account:** lab", "- **Partition:** gpu", "- **QOS:** long"]
    with (experiment / "claude.local.md").open("a") as stream:
        stream.write("\n".join([*lines, ""]))
    assert api.scaffold(experiment).exit_code is ExitCode.DONE
    script = (experiment / "rank4" / "finetune.slurm").read_text()
    assert "--mem=20G" in script
    assert "--partition=gpu" in script
    assert to_run(experiment) == {}


def test_changed_data_are_named_and_everything_that_read_them_runs_again(experiment: Path) -> None:
    replace(experiment / "words.json", "house", "horse")
    assert api.scaffold(experiment).exit_code is ExitCode.DONE
    expected = dict.fromkeys([*TRAININGS, *TRAINED, BASE], "words.json changed since it ran")
    assert to_run(experiment) == expected
    assert reasons(experiment) == expected


def test_a_changed_model_is_named_with_its_file(experiment: Path, tmp_path: Path) -> None:
    replace(tmp_path / "tiny" / "generation_config.json", "{", '{"repetition_penalty": 1.3,')
    assert api.scaffold(experiment).exit_code is ExitCode.DONE
    everything = [*TRAININGS, *TRAINED, BASE]
    assert to_run(experiment) == dict.fromkeys(everything, "tiny changed since it ran")
    where = "it was in another place, generation_config.json"  # the jobs ran with the model that was copied here
    assert details(experiment) == dict.fromkeys(everything, where)


def test_a_changed_task_runs_its_evaluations_again(experiment: Path) -> None:
    with (experiment / "cap_task.py").open("a") as stream:
        stream.write("# another scorer\n")
    assert to_run(experiment) == dict.fromkeys([*TRAINED, BASE], "cap_task.py changed since it ran")


def test_a_changed_file_that_the_task_imports_is_noticed(experiment: Path) -> None:
    (experiment / "scoring.py").write_text("STRICT = True\n")
    replace(experiment / "cap_task.py", "from pathlib import Path\n", "from pathlib import Path\nimport scoring\n")
    assert api.scaffold(experiment).exit_code is ExitCode.DONE
    assert api.run(experiment, LOCAL).exit_code is ExitCode.DONE
    assert to_run(experiment) == {}
    (experiment / "scoring.py").write_text("STRICT = False\n")
    assert to_run(experiment) == dict.fromkeys([*TRAINED, BASE], "scoring.py changed since it ran")
    assert set(details(experiment).values()) == {"STRICT True → False"}


def test_status_says_that_the_plan_has_changed_since_it_was_scaffolded(experiment: Path) -> None:
    assert api.status(experiment).warnings == ()
    replace(experiment / PLAN_FILE, "| completed |", "| running |")  # its own tables do not count
    assert api.status(experiment).warnings == ()
    replace(experiment / PLAN_FILE, "1e-2", "2e-2")
    (warning,) = api.status(experiment).warnings
    assert warning.startswith("experiment_summary.md has changed since it was scaffolded")
    assert api.scaffold(experiment, api.ScaffoldOptions(runs=("rank4",))).exit_code is ExitCode.DONE
    assert api.status(experiment).warnings == (warning,)
    assert api.scaffold(experiment).exit_code is ExitCode.DONE
    assert api.status(experiment).warnings == ()


def test_a_changed_training_setting_is_named_with_both_values(experiment: Path) -> None:
    replace(experiment / PLAN_FILE, "1e-2", "2e-2")
    assert api.scaffold(experiment).exit_code is ExitCode.DONE
    assert to_run(experiment) == {
        **dict.fromkeys(TRAININGS, "finetune.yaml changed since it ran"),
        **dict.fromkeys(TRAINED, "a job that it needs is run again"),
    }
    assert details(experiment) == dict.fromkeys(TRAININGS, "optimizer.lr 0.01 → 0.02")


def test_a_changed_evaluation_setting_is_named(experiment: Path) -> None:
    replace(experiment / PLAN_FILE, "**Evaluation Max Tokens:** 12", "**Evaluation Max Tokens:** 13")
    assert api.scaffold(experiment).exit_code is ExitCode.DONE
    assert to_run(experiment) == {
        name: f"{name.rpartition('/')[2]}.slurm changed since it ran" for name in (*TRAINED, BASE)
    }
    assert set(details(experiment).values()) == {"max_tokens 12 → 13"}
    replace(experiment / PLAN_FILE, "- **Evaluation Max Tokens:** 13\n", "")
    assert api.scaffold(experiment).exit_code is ExitCode.DONE
    assert set(details(experiment).values()) == {"max_tokens 12 was removed"}


def test_a_script_that_was_edited_by_hand_runs_again(experiment: Path) -> None:
    with (experiment / "rank4" / "finetune.slurm").open("a") as stream:
        stream.write("true\n")
    assert to_run(experiment)["rank4/finetune"] == "finetune.slurm changed since it ran"


def test_a_model_that_moved_is_the_same_science(experiment: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny").rename(tmp_path / "elsewhere")
    replace(experiment / PLAN_FILE, f"{tmp_path}/tiny", f"{tmp_path}/elsewhere")
    assert api.scaffold(experiment).exit_code is ExitCode.DONE
    assert to_run(experiment) == {}


def test_data_that_cannot_be_read_here_are_a_warning(experiment: Path) -> None:
    (experiment / "words.json").rename(experiment / "away.json")
    report = api.status(experiment)
    assert {job.state for job in report.jobs} == {JobState.COMPLETED}
    assert "words.json cannot be read here" in " ".join(report.warnings)


def test_a_dry_run_lists_reasons_and_changes_nothing(experiment: Path) -> None:
    replace(experiment / PLAN_FILE, "1e-2", "2e-2")
    api.scaffold(experiment)
    before = {path: path.stat().st_mtime_ns for path in experiment.rglob("*") if path.is_file()}
    done = CliRunner().invoke(app, ["run", str(experiment), "--dry-run"])
    assert done.exit_code == 0
    assert "2 trainings and 2 evaluations to run:" in done.output
    line = (
        "  2 trainings: finetune.yaml changed since it ran: optimizer.lr 0.01 → 0.02 (rank4/finetune, rank16/finetune)"
    )
    assert line in done.output
    assert "Completed work is repeated: 2 trainings and 2 evaluations." in done.output
    after = {path: path.stat().st_mtime_ns for path in experiment.rglob("*") if path.is_file()}
    changed = {path.name for path in after if after[path] != before.get(path)}
    assert changed <= {"digests.json"}  # a cache


def test_a_dry_run_is_one_document_with_json(experiment: Path) -> None:
    replace(experiment / "words.json", "house", "horse")
    api.scaffold(experiment)
    done = CliRunner().invoke(app, ["run", str(experiment), "--dry-run", "--json"])
    data = json.loads(done.stdout)["data"]
    assert data["dry_run"] is True
    assert {one["name"] for one in data["to_run"]} == {*TRAININGS, *TRAINED, BASE}
    assert data["to_run"][0]["reason"] == "words.json changed since it ran"
    assert all(one["repeats_completed"] for one in data["to_run"])
    assert data["completed"] == 0


def test_run_prints_the_reasons_before_it_submits(experiment: Path) -> None:
    replace(experiment / "cap_task.py", "from pathlib", "# a remark\nfrom pathlib")
    done = CliRunner().invoke(app, ["run", str(experiment), "--executor", "local", "--run", "rank4"])
    assert done.exit_code == 0, done.output
    reason = done.output.index("1 evaluation: cap_task.py changed since it ran")
    assert reason < done.output.index("Run Experiment Complete")


@pytest.mark.parametrize(("answer", "submitted"), [("n\n", False), ("y\n", True)])
def test_on_a_terminal_run_asks_before_it_repeats_completed_work(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, answer: str, *, submitted: bool
) -> None:
    monkeypatch.setattr("tunebook.cli.run.on_terminal", lambda: True)
    with (experiment / "cap_task.py").open("a") as stream:
        stream.write("# another scorer\n")
    arguments = ["run", str(experiment), "--executor", "local", "--run", "rank4"]
    done = CliRunner().invoke(app, arguments, input=answer)
    assert "Run these jobs again?" in done.output
    assert ("nothing was submitted" in done.output) is not submitted
    assert done.exit_code == (ExitCode.DONE if submitted else ExitCode.UNFINISHED)
    assert (TRAINED[1] in to_run(experiment)) is not submitted


def test_yes_answers_the_question(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunebook.cli.run.on_terminal", lambda: True)
    with (experiment / "cap_task.py").open("a") as stream:
        stream.write("# another scorer\n")
    done = CliRunner().invoke(app, ["run", str(experiment), "--executor", "local", "--yes", "--run", "rank4"])
    assert (done.exit_code, "Run these jobs again?" in done.output) == (0, False)


def test_with_json_completed_work_is_repeated_only_with_yes(experiment: Path) -> None:
    with (experiment / "cap_task.py").open("a") as stream:
        stream.write("# another scorer\n")
    arguments = ["run", str(experiment), "--executor", "local", "--run", "rank4", "--json"]
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, ConflictError)
    (problem,) = refused.exception.problems
    assert problem.message.startswith(f"completed work would be repeated: {TRAINED[1]}: cap_task.py changed")
    assert problem.hint.endswith("call again with `--yes`")
    assert TRAINED[1] in to_run(experiment)
    agreed = CliRunner().invoke(app, [*arguments, "--yes"])
    assert json.loads(agreed.stdout)["data"]["submitted"] == [TRAINED[1]]


def test_work_that_was_never_done_needs_no_question(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunebook.cli.run.on_terminal", lambda: True)
    shutil.rmtree(experiment / ".tunebook")
    for path in experiment.rglob("*.outcome.json"):
        path.unlink()
    api.scaffold(experiment)
    assert set(to_run(experiment).values()) == {"never ran"}
    done = CliRunner().invoke(app, ["run", str(experiment), "--executor", "local", "--run", "rank4"])
    assert (done.exit_code, "again?" in done.output) == (0, False)


def test_failed_jobs_are_left_alone_unless_they_are_retried(experiment: Path) -> None:
    outcome = experiment / "rank4" / "finetune.outcome.json"
    replace(outcome, '"exit_code": 0', '"exit_code": 3')
    preview = api.preview(experiment, LOCAL)
    assert [(one.job.name, one.reason) for one in preview.left] == [("rank4/finetune", "failed: exit code 3")]
    retried = to_run(experiment, with_values(LOCAL, retry_failed=True))
    assert retried["rank4/finetune"] == "failed: exit code 3"
