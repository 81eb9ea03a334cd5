"""Writes the closing summary of a run in Markdown: each job's end, why jobs failed, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from tunebook.core.jobs import JobState, Stage, count_states
from tunebook.core.markdown import escape_cell, table_row
from tunebook.core.paths import RUN_LOG, tool_log
from tunebook.core.shortened import counted, first_lines
from tunebook.core.units import spoken_duration
from tunebook.errors import ExitCode
from tunebook.run.condensed import COUNTED, group_jobs, needs_attention
from tunebook.run.failures import OUT_OF_GPU_MEMORY
from tunebook.run.report import JobReport, RunReport

__all__ = ["run_summary"]

_TITLES = {Stage.PREPARATION: "Fine-Tuning", Stage.EVALUATION: "Evaluations"}
_NOT_WELL = {JobState.FAILED, JobState.UNKNOWN}
_LINES_OF_A_FAILURE = 5
_FEWEST_FAILURES = 3


def run_summary(report: RunReport, experiment: Path, *, most_rows: int | None = None) -> str:
    """Returns the summary of the selected jobs, ending with a line break; its commands can be pasted as they are.

    Args:
        most_rows: a stage with more jobs shows counts and the jobs that need attention, and failures with one reason
            are shown together; ``None`` shows every job.
    """
    lines = [f"## {_title(report)}", "", f"`{experiment}/`", ""]
    for stage in Stage:
        lines += _stage(stage, [job for job in report.selected if job.job.stage is stage], most_rows)
    lines += _failures(report, most_rows)
    lines += _logs(report)
    lines += _next_steps(report, shlex.quote(str(experiment)))
    return "\n".join(lines).rstrip() + "\n"


def _title(report: RunReport) -> str:
    if report.exit_code is ExitCode.DONE:
        return "Run Experiment Complete"
    if report.exit_code is ExitCode.FAILED:
        return "Run Experiment Failed in Part"
    return "Run Experiment Unfinished"


def _stage(stage: Stage, jobs: Sequence[JobReport], most_rows: int | None) -> Iterator[str]:
    if not jobs:
        return
    yield f"### {_TITLES[stage]} (run-{jobs[0].job.tool})"
    yield ""
    if most_rows is None or len(jobs) <= most_rows:
        yield from (_completed(jobs, stage.noun), "", *_table(stage, jobs), "")
        return
    others = count_states((job.state for job in jobs if job.state is not JobState.COMPLETED), COUNTED)
    yield ", ".join(filter(None, (_completed(jobs, stage.noun), others)))
    yield ""
    urgent = [job for job in jobs if needs_attention(job)]
    if urgent and len(urgent) <= most_rows:
        yield from _table(stage, urgent)
    else:
        groups = [f"- {group}" for group in group_jobs(urgent)]
        yield from first_lines(groups, most_rows, more="reasons")
    yield from ("", "`tunebook status --all` shows every job", "")


def _completed(jobs: Sequence[JobReport], noun: str) -> str:
    done = [job for job in jobs if job.state is JobState.COMPLETED]
    mark = "…"
    if len(done) == len(jobs):
        mark = "✓"
    elif JobState.FAILED in {job.state for job in jobs}:
        mark = "✗"
    line = f"{mark} {len(done):,} of {counted(len(jobs), noun)} completed"
    seconds = sum(job.elapsed_s or 0.0 for job in done)
    if seconds:
        line += f", {spoken_duration(seconds)} in all"
    return line


def _table(stage: Stage, jobs: Sequence[JobReport]) -> Iterator[str]:
    if stage is Stage.PREPARATION:
        names, result = ["Run"], "Loss"
    else:
        names, result = ["Run", "Task", "Epoch"], "Score"
    rows = [[*names, "Status", "Job ID", "Duration", result, "Notes"]]
    for job in jobs:
        cells = [escape_cell(cell) or "-" for cell in _cells(stage, job)]
        rows.append(cells)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield table_row(cells)
        if number == 0:
            yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"


def _cells(stage: Stage, job: JobReport) -> Iterator[str]:
    yield job.job.run
    value = job.loss
    if stage is Stage.EVALUATION:
        value = job.score
        yield job.job.task or ""
        yield "" if job.job.epoch is None else str(job.job.epoch)
    yield job.state.value
    yield job.job_id
    yield "" if job.elapsed_s is None else spoken_duration(job.elapsed_s)
    yield "" if value is None else f"{value:.3f}"
    yield job.notes


def _failures(report: RunReport, most_rows: int | None) -> Iterator[str]:
    failed = [job for job in report.selected if job.state in _NOT_WELL]
    if not failed:
        return
    yield from ("### Failures", "")
    if most_rows is None or _LINES_OF_A_FAILURE * len(failed) <= most_rows:
        for job in failed:
            yield from (f"- {job.job.name}: {job.reason or job.kind or job.state.value}", *_details(job))
    else:
        yield from _grouped_failures(failed, max(_FEWEST_FAILURES, most_rows // _LINES_OF_A_FAILURE))
    yield ""


def _grouped_failures(failed: Sequence[JobReport], most: int) -> Iterator[str]:
    """Yields failures with the same reason together, with the details of the first of them."""
    groups = group_jobs(failed)
    for group in groups[:most]:
        yield f"- {group}"
        if len(group.jobs) > 1:
            yield f"  - for example {group.jobs[0].job.name}:"
        yield from _details(group.jobs[0])
    others = sum(len(group.jobs) for group in groups[most:])
    if others:
        yield f"- … and {others:,} more: `tunebook status --all`"


def _details(job: JobReport) -> Iterator[str]:
    for line in job.tail:
        yield f"      {line}"
    if job.output:
        yield f"  - output: {job.output}"
    if job.advice:
        yield f"  - what to do: {job.advice}"


def _logs(report: RunReport) -> Iterator[str]:
    yield from ("### Logs", "", f"- `{RUN_LOG}` - what this command did")
    for tool in dict.fromkeys(job.job.tool for job in report.selected):
        yield f"- `{tool_log('run', tool)}` - every submission and change of state"
    yield ""


def _next_steps(report: RunReport, where: str) -> Iterator[str]:
    steps = list(_steps(report, where))
    if not steps:
        return
    yield from ("### Next Steps", "", "```bash")
    width = max(len(command) for command, _ in steps)
    for command, text in steps:
        yield f"{command.ljust(width)}  # {text}"
    yield "```"


def _steps(report: RunReport, where: str) -> Iterator[tuple[str, str]]:
    """Yields commands, each with what it does."""
    run = f"tunebook run {where}"
    states = {job.state for job in report.selected}
    out = sum(job.in_flight for job in report.selected)
    if out:
        yield f"tunebook status {where}", f"shows the {counted(out, 'job')} still queued or running"
        yield run, "watches them again, and runs the rest"
        yield f"tunebook cancel {where}", "cancels them"
    if any(job.kind == OUT_OF_GPU_MEMORY and job.job.stage is Stage.PREPARATION for job in report.selected):
        yield f"{run} --retry-oom", "halves the batch of trainings that ran out of GPU memory"
    if states & _NOT_WELL:
        yield f"{run} --retry-failed", "runs failed jobs again, once the cause is removed"
    elif not out and report.exit_code is ExitCode.UNFINISHED:
        yield run, "runs the remaining jobs"
    if any(job.state is JobState.COMPLETED for job in report.jobs):
        yield f"tunebook analyze {where}", "compares the runs and writes the report"
