"""A sweep's jobs above a screenful: counts, the jobs that need attention, and one line for jobs with one cause."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tunebook.cli.jobs import _Lines, counts_data, jobs_shown
from tunebook.core.jobs import Job, JobState, Stage
from tunebook.run.condensed import condense, group_jobs, needs_attention, stage_counts
from tunebook.run.report import JobReport, RunReport, Snapshot
from tunebook.run.summary import run_summary

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def report(run: str, state: JobState, reason: str = "", *, task: str | None = None) -> JobReport:
    stage = Stage.PREPARATION if task is None else Stage.EVALUATION
    name = f"{run}/finetune" if task is None else f"{run}/eval/{task}"
    job = Job(name, run, stage, "torchtune", run, f"{name}.slurm", f"{name}.json", task=task)
    return JobReport(job, state, reason=reason)


def sweep(count: int, failed: int, running: int, reason: str = "TIMEOUT") -> list[JobReport]:
    """Trainings, of which the first have failed and the next run, and their evaluations, which are blocked or done."""
    jobs: list[JobReport] = []
    for number in range(count):
        run = f"run{number}"
        if number < failed:
            jobs.append(report(run, JobState.FAILED, reason.format(run=run)))
            jobs.append(report(run, JobState.PENDING, "training failed", task="quiz"))
        elif number < failed + running:
            jobs.append(report(run, JobState.RUNNING))
            jobs.append(report(run, JobState.PENDING, task="quiz"))
        else:
            jobs += [report(run, JobState.COMPLETED), report(run, JobState.COMPLETED, task="quiz")]
    return jobs


def test_counts_are_by_stage_and_state() -> None:
    jobs = sweep(1000, failed=3, running=5)
    assert list(stage_counts(jobs)) == [
        "1,000 trainings: 992 completed, 3 failed, 5 running",
        "1,000 evaluations: 992 completed, 8 pending",
    ]
    assert counts_data(jobs) == {
        "preparation": {"completed": 992, "failed": 3, "running": 5},
        "evaluation": {"completed": 992, "pending": 8},
    }


def test_few_jobs_that_need_attention_are_rows_with_the_failed_ones_first() -> None:
    shown = condense(sweep(1000, failed=3, running=5), 30)
    states = [job.state for job in shown.rows]
    assert states == [JobState.FAILED] * 3 + [JobState.RUNNING] * 5 + [JobState.PENDING] * 3
    assert (shown.groups, shown.hidden) == ((), "")


def test_jobs_that_wait_in_a_queue_or_are_done_need_no_attention() -> None:
    queued = replace(report("run", JobState.PENDING, "Priority"), job_id="4711")
    assert not needs_attention(queued)
    assert not needs_attention(report("run", JobState.PENDING))
    assert not needs_attention(report("run", JobState.COMPLETED))
    assert needs_attention(report("run", JobState.PENDING, "training failed"))
    assert needs_attention(report("run", JobState.UNKNOWN))


@pytest.mark.parametrize("reason", ["TIMEOUT", "its checkpoint /out/{run}/epoch_0 is missing"])
def test_a_thousand_jobs_with_one_cause_are_one_line(reason: str) -> None:
    shown = condense(sweep(1000, failed=1000, running=0, reason=reason), 20)
    failed, blocked = shown.groups
    first = reason.format(run="run0")
    assert str(failed).startswith(f"1,000 trainings failed: {first}")
    assert str(failed).endswith("(run0/finetune, run1/finetune and 998 more)")
    assert (", and alike" in str(failed)) is (reason != "TIMEOUT")
    assert str(blocked).startswith("1,000 evaluations pending: training failed (")
    assert (shown.rows, shown.hidden) == ((), "")


def test_above_a_screenful_of_causes_the_rest_is_counted() -> None:
    jobs = [report(f"run{number}", JobState.FAILED, f"exit code {number}") for number in range(50)]
    jobs += [report(f"busy{number}", JobState.RUNNING) for number in range(50)]
    shown = condense(jobs, 20)
    assert len(shown.groups) + len(shown.rows) == 19
    assert shown.rows
    assert shown.hidden == f"{50 - len(shown.groups)} failed, {50 - len(shown.rows)} running"


def test_groups_begin_with_failures_and_the_largest_of_them() -> None:
    jobs = [report("a", JobState.RUNNING), report("b", JobState.FAILED, "x")]
    jobs += [report(name, JobState.FAILED, "y") for name in "cd"]
    assert [(group.state, len(group.jobs)) for group in group_jobs(jobs)] == [
        (JobState.FAILED, 2),
        (JobState.FAILED, 1),
        (JobState.RUNNING, 1),
    ]


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("jobs", [sweep(40, 3, 3), sweep(1000, 11, 8), sweep(10_000, 900, 300)], ids=len)
def test_a_sweep_fits_on_the_screen(jobs: list[JobReport], width: int) -> None:
    screen = Console(file=StringIO(), force_terminal=True, width=width, height=30)
    shown = jobs_shown(jobs, screen, command="tunebook status --all")
    text = "\n".join("".join(segment.text for segment in line) for line in screen.render_lines(shown))
    assert text.count("\n") < 30
    assert f"{len(jobs) // 2:,} trainings: " in text
    assert "failed" in text.partition("Notes")[2] or "trainings failed: TIMEOUT" in text
    assert "`tunebook status --all` shows every job" in text


def test_all_shows_every_row_and_few_jobs_are_shown_anyway() -> None:
    screen = Console(file=StringIO(), force_terminal=True, width=200, height=30)
    for jobs, every in ((sweep(100, 3, 3), True), (sweep(8, 3, 3), False)):
        lines = screen.render_lines(jobs_shown(jobs, screen, every=every))
        assert len(lines) == 1 + len(jobs) + 3
    without_terminal = Console(file=StringIO(), width=160)
    assert len(without_terminal.render_lines(jobs_shown(sweep(17, 1, 1), without_terminal))) == 1 + 34 + 3


def lines_of(*polls: list[JobReport], every: bool = False) -> list[str]:
    """What a run without a terminal prints of these polls."""
    lines: list[str] = []
    shown = _Lines(lambda line, **_: lines.append(line), 40, every=every)
    for jobs in polls:
        shown.show(Snapshot(tuple(jobs), NOW))
    return lines


def test_without_a_terminal_a_large_run_prints_equal_changes_of_a_poll_as_one_line() -> None:
    pending = sweep(100, failed=0, running=0)
    pending = [replace(job, state=JobState.PENDING) for job in pending]
    assert lines_of(pending) == []
    assert lines_of(pending, sweep(100, failed=2, running=98)) == [
        "[12:00:00] 2 trainings failed: TIMEOUT (run0/finetune, run1/finetune)",
        "[12:00:00] 98 trainings running (run2/finetune, run3/finetune and 96 more)",
    ]


def test_with_all_each_change_is_a_line_and_so_it_is_for_few_jobs() -> None:
    assert len(lines_of(sweep(100, failed=0, running=0), every=True)) == 200
    assert lines_of(sweep(2, failed=1, running=1)) == [
        "[12:00:00] run0/finetune: failed (TIMEOUT)",
        "[12:00:00] run1/finetune: running",
    ]


def summary(jobs: list[JobReport], most_rows: int | None) -> str:
    return run_summary(RunReport(tuple(jobs)), Path("/sweep"), most_rows=most_rows)


def test_the_summary_of_a_large_run_counts_and_groups() -> None:
    text = summary(sweep(1000, failed=300, running=0), 40)
    assert "✗ 700 of 1,000 trainings completed, 300 failed" in text
    assert "- 300 trainings failed: TIMEOUT (run0/finetune, run1/finetune and 298 more)" in text
    assert "- 300 evaluations pending: training failed" in text
    assert "`tunebook status --all` shows every job" in text
    assert len(text.splitlines()) < 60


def test_the_whole_summary_has_every_job() -> None:
    text = summary(sweep(100, failed=100, running=0), None)
    assert text.count("\n- run") == 100
    assert "--all" not in text


def test_the_summary_of_a_small_run_has_every_job_and_every_failure() -> None:
    text = summary(sweep(10, failed=3, running=0), 40)
    assert text.count("TIMEOUT") == 6
    assert "more" not in text


def test_what_prevents_progress_is_a_line_when_it_changes() -> None:
    lines: list[str] = []
    shown = _Lines(lambda line, **_: lines.append(line), 40, every=False)
    for note in ("", "the queue takes no more", "the queue takes no more", ""):
        shown.show(Snapshot((), NOW, note))
    assert lines == ["[12:00:00] the queue takes no more"]


def test_the_summary_ends_with_the_analysis_where_something_is_completed() -> None:
    done = run_summary(
        RunReport((report("a", JobState.COMPLETED), report("a", JobState.COMPLETED, task="quiz"))), Path("/s")
    )
    assert done.endswith("```bash\ntunebook analyze /s  # compares the runs and writes the report\n```\n")
    partly = run_summary(RunReport((report("a", JobState.COMPLETED), report("b", JobState.FAILED))), Path("/s"))
    assert partly.splitlines()[-2].startswith("tunebook analyze /s ")
    assert "tunebook run /s --retry-failed" in partly
    assert "tunebook analyze" not in run_summary(RunReport((report("b", JobState.FAILED),)), Path("/s"))
