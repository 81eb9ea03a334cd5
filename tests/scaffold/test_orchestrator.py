"""The orchestrator, by the sentences of the document that describes it; each test's docstring is one of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.scaffolding import replace, scaffolded, tree
from support.terminal import Terminal
from tunebook.core.jobs import Stage
from tunebook.disk.manifest import read_manifest
from tunebook.errors import ExitCode, PlanError, UsageError
from tunebook.scaffold.report import PartReport, ScaffoldReport
from tunebook.scaffold.summary import scaffold_summary

PLAN = "experiment_summary.md"
FIRST = "rank8_lr1e-5"
SCRIPT = "/scratch/gpfs/LAB/tasks/cap_task.py"
TASK = """from inspect_ai import task
@task
def capitalization(config_dir: str | None = None, dataset_path: str | None = None): ...
"""
LOGS = ("scaffold-experiment.log", "scaffold-torchtune.log", "scaffold-inspect.log")


def journal(experiment: Path) -> str:
    return (experiment / "scaffold-experiment.log").read_text()


def entry(experiment: Path, action: str) -> str:
    """The last entry with an action in the orchestration log."""
    found = [text for text in journal(experiment).split("\n\n") if f"] {action}: " in text]
    return found[-1]


def actions(experiment: Path) -> list[str]:
    return re.findall(r"^\[[-0-9: ]+\] (\w+):", journal(experiment), re.MULTILINE)


def use_task(experiment: Path, source: str) -> None:
    """Lets the plan's task be a script in the experiment's directory."""
    (experiment / "cap_task.py").write_text(source)
    replace(experiment / PLAN, SCRIPT, "cap_task.py")


def break_preparation(experiment: Path) -> None:
    """The data of all trainings cannot be read."""
    (experiment / "words.json").write_text("{")
    replace(experiment / PLAN, "- **Path:** `/scratch/gpfs/LAB/data/words_4L_80P_300.json`", "- **Path:** `words.json`")


def next_steps(report: ScaffoldReport) -> str:
    return scaffold_summary(report).partition("### Next Steps")[2]


# Finding the experiment, and verification before starting


def test_a_missing_plan_is_reported_and_design_is_suggested(tmp_path: Path) -> None:
    """If experiment_summary.md is not found: report error, suggest running design first, do not proceed."""
    with pytest.raises(UsageError, match=r"no experiment_summary\.md") as caught:
        scaffolded(tmp_path)
    assert "tunebook design" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_person_without_a_plan_here_is_asked_for_the_directory(experiment: Path, tmp_path: Path) -> None:
    """Check if the current directory contains experiment_summary.md; if not, ask for the experiment's directory."""
    (tmp_path / "elsewhere").mkdir()
    terminal = Terminal([Path(sys.executable).with_name("tunebook"), "scaffold"], directory=tmp_path / "elsewhere")
    terminal.sees("Where is the experiment's directory?")
    terminal.enters(str(experiment))
    terminal.sees("Scaffold Experiment Complete")


def test_missing_site_settings_are_a_warning(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If claude.local.md is missing, warn that environment-specific settings may be missing."""
    (experiment / "claude.local.md").unlink()
    monkeypatch.chdir(experiment)
    monkeypatch.setenv("HOME", str(experiment))
    report = scaffolded(experiment)
    assert any("no site settings (claude.local.md) were found" in warning.message for warning in report.warnings)
    assert report.exit_code is ExitCode.DONE


def test_the_log_records_what_was_found(experiment: Path) -> None:
    """DISCOVER_EXPERIMENT: plan ready for scaffolding; VERIFY_PREREQUISITES: experiment_summary.md, claude.local.md."""
    scaffolded(experiment)
    assert "8 fine-tuned of 9 runs, 1 evaluation task(s)" in entry(experiment, "DISCOVER_EXPERIMENT")
    assert "experiment_summary.md exists, site settings from claude" in entry(experiment, "VERIFY_PREREQUISITES")


# Reading tool specifications


def test_the_tools_are_read_and_logged(experiment: Path) -> None:
    """READ_TOOL_SPECS … Result: Preparation tool = torchtune, Evaluation tool = inspect-ai."""
    scaffolded(experiment)
    read = entry(experiment, "READ_TOOL_SPECS")
    assert "Result: Preparation tool = torchtune, Evaluation tool = inspect-ai" in read


def test_a_missing_tools_section_means_torchtune_and_inspect(experiment: Path) -> None:
    """If the Tools section is missing: assume torchtune + inspect-ai (older plans)."""
    text = (experiment / PLAN).read_text()
    start, end = text.index("## Tools"), text.index("## Variables")
    (experiment / PLAN).write_text(text[:start] + text[end:])
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    assert "torchtune and inspect-ai were assumed" in entry(experiment, "READ_TOOL_SPECS")


def test_an_unknown_tool_is_an_error_that_lists_the_supported_ones(experiment: Path) -> None:
    """If a tool name is not recognized: report error and list supported tools."""
    replace(experiment / PLAN, "**Model Preparation:** torchtune", "**Model Preparation:** axolotl")
    with pytest.raises(PlanError, match="unknown preparation tool `axolotl`") as caught:
        scaffolded(experiment)
    assert "supported: torchtune" in str(caught.value)
    assert tree(experiment) == {}
    assert "axolotl" in entry(experiment, "VERIFY_PREREQUISITES")


# Orchestration steps, and the log


def test_preparation_comes_first_and_each_step_is_logged(experiment: Path) -> None:
    """Preparation first, evaluation second; invocations with time stamp and result; final status summary."""
    scaffolded(experiment)
    assert actions(experiment) == [
        "DISCOVER_EXPERIMENT",
        "VERIFY_PREREQUISITES",
        "READ_TOOL_SPECS",
        "INVOKE_SCAFFOLD_TORCHTUNE",
        "SCAFFOLD_TORCHTUNE_COMPLETE",
        "INVOKE_SCAFFOLD_INSPECT",
        "SCAFFOLD_INSPECT_COMPLETE",
        "VALIDATE",
        "COMPLETE",
    ]
    for tool in ("TORCHTUNE", "INSPECT"):
        assert "Result: Started at 2025-10-24 17:30:00" in entry(experiment, f"INVOKE_SCAFFOLD_{tool}")
        complete = entry(experiment, f"SCAFFOLD_{tool}_COMPLETE")
        assert f"See scaffold-{tool.lower()}.log" in complete
        assert "Duration: " in complete
        assert f"Outputs: {FIRST}/, " in complete
    assert "8 run(s), 8 script(s)" in (experiment / "scaffold-torchtune.log").read_text()
    assert "9 run(s), 9 script(s)" in (experiment / "scaffold-inspect.log").read_text()


def test_warnings_of_a_tool_are_in_the_log(experiment: Path) -> None:
    """What to log: any errors or warnings from sub-skills."""
    scaffolded(experiment)
    assert f"{SCRIPT} was not found" in entry(experiment, "VERIFY_PREREQUISITES")
    replace(experiment / FIRST / "setup_finetune.yaml", "lr: 1.0e-05", "lr: 3e-4")
    scaffolded(experiment)
    assert "lr is 0.0003 here and 1e-05 in the plan" in entry(experiment, "SCAFFOLD_TORCHTUNE_COMPLETE")


def test_pruning_is_in_the_log(experiment: Path) -> None:
    scaffolded(experiment)
    replace(experiment / PLAN, f"| Llama-3.2-1B-Instruct_{FIRST} | ✓ epoch 0", f"| Llama-3.2-1B-Instruct_{FIRST} | -")
    replace(experiment / PLAN, "**Total evaluations:** 9\n\n###", "**Total evaluations:** 8\n\n###")
    scaffolded(experiment, prune=True)
    pruned = entry(experiment, "PRUNE")
    assert f"Details: {FIRST}/eval/capitalization_epoch0.slurm" in pruned
    assert "2 file(s) removed, 0 kept" in pruned


# If preparation fails


def test_a_failed_preparation_is_logged_with_details_and_stops_the_rest(experiment: Path) -> None:
    """If scaffold-torchtune fails: log the failure with details; if no, stop and report failure."""
    break_preparation(experiment)
    report = scaffolded(experiment)
    assert report.exit_code is ExitCode.FAILED
    assert tree(experiment).keys() == {"words.json"}
    failed = entry(experiment, "SCAFFOLD_TORCHTUNE_FAILED")
    assert "words.json" in failed
    assert f"Missing: {FIRST}/, " in failed
    assert "skipped, because torchtune failed" in entry(experiment, "SCAFFOLD_INSPECT_SKIPPED")
    assert "words.json" in (experiment / "scaffold-torchtune.log").read_text()


def test_evaluation_continues_after_a_failed_preparation_if_a_person_wants_it(experiment: Path) -> None:
    """Ask user if they want to continue with evaluation scaffolding; if yes, proceed with scaffold-inspect."""
    break_preparation(experiment)
    asked: list[str] = []

    def continues(failed: PartReport) -> bool:
        asked.append(failed.tool.name)
        return True

    report = scaffolded(experiment, on_failure=continues)
    assert asked == ["torchtune"]
    assert len(report.parts[1].scripts) == 9
    assert report.exit_code is ExitCode.FAILED
    assert "tunebook run" not in next_steps(report)


def test_the_question_comes_after_the_reason(experiment: Path) -> None:
    """Ask user: "Fine-tuning scaffolding failed. Do you want to continue with evaluation scaffolding?"."""
    break_preparation(experiment)
    terminal = Terminal([Path(sys.executable).with_name("tunebook"), "scaffold"], directory=experiment)
    terminal.sees("Fine-tuning scaffolding failed. Do you want to continue with evaluation scaffolding?")
    assert "words.json" in terminal.before
    terminal.enters("y")
    terminal.sees("Scaffolded in part")


def test_a_run_that_fails_does_not_stop_the_others(experiment: Path) -> None:
    """Partial success is acceptable."""
    scaffolded(experiment)
    replace(experiment / FIRST / "setup_finetune.yaml", "lora_rank: 8", "lora_rank: x")
    report = scaffolded(experiment, on_failure=lambda _: True)
    assert len(report.parts[0].scripts) == 7
    assert len(report.parts[1].scripts) == 8
    assert report.parts[0].missing == (f"{FIRST}/",)
    assert report.exit_code is ExitCode.FAILED


# If evaluation fails


@pytest.mark.parametrize("source", ["def capitalization(", "def capitalization(): ..."])
def test_a_broken_task_script_fails_the_evaluation_only(experiment: Path, source: str) -> None:
    """If scaffold-inspect fails: fine-tuning can still proceed; partially successful; name the evaluations."""
    use_task(experiment, source)
    report = scaffolded(experiment)
    preparation, evaluation = report.parts
    assert preparation.ok
    assert len(preparation.scripts) == 8
    assert evaluation.scripts == ()
    assert f"{FIRST}/eval/capitalization_epoch0.slurm" in evaluation.missing
    assert len(evaluation.missing) == 9
    assert report.exit_code is ExitCode.FAILED
    text = scaffold_summary(report)
    assert "Scaffolded in part" in text
    assert f"- {FIRST}/eval/capitalization_epoch0.slurm\n" in text
    assert "tunebook run --stage preparation" in next_steps(report)
    assert "cap_task.py" in entry(experiment, "SCAFFOLD_INSPECT_FAILED")
    assert f"{FIRST}/eval/capitalization_epoch0.slurm" in entry(experiment, "SCAFFOLD_INSPECT_FAILED")
    assert actions(experiment)[-1] == "INCOMPLETE"


def test_a_broken_task_script_does_not_touch_the_preparation_stage(experiment: Path) -> None:
    """Sub-skills can be run independently if needed."""
    use_task(experiment, "def capitalization(")
    report = scaffolded(experiment, stages=frozenset({Stage.PREPARATION}))
    assert report.exit_code is ExitCode.DONE
    assert len(report.parts[0].scripts) == 8


def test_a_repaired_script_is_scaffolded_the_next_time(experiment: Path) -> None:
    """Error recovery: fix the issue, re-run; idempotent, will skip existing configs."""
    use_task(experiment, "def capitalization(")
    scaffolded(experiment)
    (experiment / "cap_task.py").write_text(TASK)
    report = scaffolded(experiment)
    assert report.exit_code is ExitCode.DONE
    assert not any(step.writes for step in report.parts[0].steps)
    assert len(report.parts[1].scripts) == 9


def test_a_directory_that_cannot_be_written_fails_its_part(experiment: Path) -> None:
    """A file has the name of a run's directory of evaluations."""
    use_task(experiment, TASK)
    scaffolded(experiment, stages=frozenset({Stage.PREPARATION}))
    (experiment / FIRST / "eval").write_text("in the way")
    report = scaffolded(experiment)
    assert report.parts[0].ok
    (problem,) = report.parts[1].problems
    assert f"{FIRST}/eval" in str(problem)
    assert "cannot be written" in problem.message
    (experiment / FIRST / "eval").unlink()
    again = scaffolded(experiment)
    assert again.exit_code is ExitCode.DONE, "what the failed part had written must not look like a person's"


def test_a_link_out_of_the_experiment_is_refused(experiment: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (experiment / FIRST).symlink_to(tmp_path / "elsewhere")
    report = scaffolded(experiment)
    assert "leads out of the experiment" in report.parts[0].problems[0].message
    assert list((tmp_path / "elsewhere").iterdir()) == []


# If both fail


def test_two_failures_are_a_complete_failure(experiment: Path) -> None:
    """If both fail: complete failure, direct to the individual logs, suggest checking experiment_summary.md."""
    break_preparation(experiment)
    use_task(experiment, "def capitalization(")
    report = scaffolded(experiment, on_failure=lambda _: True)
    assert report.exit_code is ExitCode.FAILED
    text = scaffold_summary(report)
    assert "## Scaffold Experiment Failed" in text
    assert "Complete failure" in text
    following = next_steps(report)
    for log in LOGS:
        assert log in following
    assert "Check that `experiment_summary.md` is complete" in following
    assert "tunebook run" not in text
    assert "sbatch" not in text
    assert "Complete failure" in entry(experiment, "FAILED")


# Summary and validation


def test_the_summary_lists_what_was_created_and_the_logs(experiment: Path) -> None:
    """Output summary: runs, evaluations, what each contains, logs created, next steps."""
    text = scaffold_summary(scaffolded(experiment))
    assert "## Scaffold Experiment Complete" in text
    assert "✓ 8 runs configured" in text
    assert "- rank64_lr5e-5/\n" in text
    assert "- setup_finetune.yaml (" in text
    assert "✓ 9 evaluation scripts configured" in text
    assert "- Llama-3.2-1B_base/eval/capitalization_base.slurm\n" in text
    for log in LOGS:
        assert f"- `{log}` - " in text


def test_the_next_steps_lead_from_review_to_analysis(experiment: Path) -> None:
    """Recommended workflow: 1. review the generated configurations, 2. run, 3. analyze; monitoring."""
    following = next_steps(scaffolded(experiment))
    steps = [
        "1. Review the generated configurations",
        "2. `tunebook run ",
        "3. `tunebook analyze ",
        "squeue -u",
        "tail -f",
    ]
    places = [following.index(step) for step in steps]
    assert places == sorted(places)


def test_the_manual_commands_run_unchanged(experiment: Path, tmp_path: Path) -> None:
    """Manual execution: with a recording sbatch, in a directory full of quotes."""
    text = scaffold_summary(scaffolded(experiment))
    commands = text.partition("**Manual execution (alternative):**\n```bash\n")[2].partition("```")[0]
    recorder = tmp_path / "bin"
    recorder.mkdir()
    (recorder / "sbatch").write_text(f'#!/bin/sh\necho "$PWD/$1" >> {tmp_path / "sent"}\ntest -f "$1"\n')
    (recorder / "sbatch").chmod(0o755)
    environment = os.environ | {"PATH": f"{recorder}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", commands], check=True, env=environment)
    sent = (tmp_path / "sent").read_text().splitlines()
    assert len(sent) == 17
    assert f"{experiment}/{FIRST}/finetune.slurm" in sent
    assert f"{experiment}/Llama-3.2-1B_base/eval/capitalization_base.slurm" in sent


def test_seven_points_are_validated_and_printed(experiment: Path) -> None:
    """Before reporting success, verify: plan read, both tools invoked, both structures, all logs."""
    report = scaffolded(experiment)
    assert len(report.validation) == 7
    assert all(point.holds for point in report.validation)
    text = scaffold_summary(report)
    for point in (
        "experiment_summary.md was found and read",
        "scaffold-torchtune was invoked",
        "scaffold-inspect was invoked",
        "Run directories exist with the expected structure",
        "Evaluation directories exist with the expected structure",
        "The orchestration log was created",
        "The tools' logs exist",
    ):
        assert f"- ✓ {point}" in text
    assert "7 of 7 points hold" in entry(experiment, "VALIDATE")


def test_a_point_that_does_not_hold_is_a_failure(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that scaffolding made is missing at the end."""
    monkeypatch.setattr("tunebook.scaffold.write._make_directories", lambda *_: None)
    report = scaffolded(experiment)
    assert [point.text for point in report.validation if not point.holds] == [
        "Evaluation directories exist with the expected structure"
    ]
    assert report.exit_code is ExitCode.FAILED
    assert "validation failed" in str(report.errors[0])


# The jobs of what failed


def test_the_jobs_of_what_failed_stay_known_while_their_scripts_exist(experiment: Path) -> None:
    scaffolded(experiment)
    before = read_manifest(experiment).jobs
    break_preparation(experiment)
    assert scaffolded(experiment).exit_code is ExitCode.FAILED
    assert read_manifest(experiment).jobs == before


def test_the_jobs_of_a_run_that_failed_stay_known(experiment: Path) -> None:
    scaffolded(experiment)
    before = read_manifest(experiment).jobs
    replace(experiment / FIRST / "setup_finetune.yaml", "lora_rank: 8", "lora_rank: x")
    scaffolded(experiment, on_failure=lambda _: True)
    assert sorted(job.name for job in read_manifest(experiment).jobs) == sorted(job.name for job in before)


def test_a_removed_script_of_a_part_that_failed_is_no_job(experiment: Path) -> None:
    scaffolded(experiment)
    removed, *others = read_manifest(experiment).jobs
    (experiment / removed.script).unlink()
    break_preparation(experiment)
    scaffolded(experiment)
    assert list(read_manifest(experiment).jobs) == others
