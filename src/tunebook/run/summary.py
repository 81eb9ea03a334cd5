"""Writes the closing summary of a run in Markdown: each job's end, why jobs failed, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from tunebook.artifacts.times import elapsed_s
from tunebook.core.jobs import JobState, Stage
from tunebook.core.markdown import escape_cell, table_row
from tunebook.core.paths import RUN_LOG, tool_log
from tunebook.core.units import spoken_duration
from tunebook.errors import ExitCode
from tunebook.run.failures import OUT_OF_GPU_MEMORY
from tunebook.run.report import JobReport, RunReport

__all__ = ["run_summary"]

_TITLES = {Stage.PREPARATION: "Fine-Tuning", Stage.EVALUATION: "Evaluations"}
_NOUNS = {Stage.PREPARATION: "training", Stage.EVALUATION: "evaluation"}
_MOST_ROWS = 60


def run_summary(report: RunReport, experiment: Path) -> str:
    """Returns the summary of the selected jobs, ending with a line break; its commands can be pasted as they are."""
    lines = [f"## {_title(report)}", "", f"`{experiment}/`", ""]
    for stage in Stage:
        lines += _stage(stage, [job for job in report.selected if job.job.stage is stage])
    lines += _failures(report)
    lines += _logs(report)
    lines += _next_steps(report, shlex.quote(str(experiment)))
    return "\n".join(lines).rstrip() + "\n"


def _title(report: RunReport) -> str:
    if report.exit_code is ExitCode.DONE:
        return "Run Experiment Complete"
    if report.exit_code is ExitCode.FAILED:
        return "Run Experiment Failed in Part"
    return "Run Experiment Unfinished"


def _stage(stage: Stage, jobs: Sequence[JobReport]) -> Iterator[str]:
    if not jobs:
        return
    done = [job for job in jobs if job.state is JobState.COMPLETED]
    yield f"### {_TITLES[stage]} (run-{jobs[0].job.tool})"
    yield ""
    times = sum(elapsed_s(job.started, job.ended) or 0.0 for job in done)
    took = f", {spoken_duration(times)} in all" if times else ""
    yield f"{_mark(jobs)} {len(done)} of {_counted(len(jobs), _NOUNS[stage])} completed{took}"
    yield ""
    shown = jobs
    if len(jobs) > _MOST_ROWS:
        shown = [job for job in jobs if job.state is not JobState.COMPLETED][:_MOST_ROWS]
    yield from _table(stage, shown)
    if len(shown) < len(jobs):
        yield f"{len(jobs) - len(shown)} more: `tunebook status` shows all of them"
    yield ""


def _mark(jobs: Sequence[JobReport]) -> str:
    states = {job.state for job in jobs}
    if states == {JobState.COMPLETED}:
        return "✓"
    return "✗" if JobState.FAILED in states else "…"


def _table(stage: Stage, jobs: Sequence[JobReport]) -> Iterator[str]:
    if not jobs:
        return
    what, result = (("Run",), "Loss") if stage is Stage.PREPARATION else (("Run", "Task", "Epoch"), "Score")
    header = [*what, "Status", "Job ID", "Duration", result, "Notes"]
    rows = [[escape_cell(cell) or "-" for cell in _cells(stage, job)] for job in jobs]
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    yield table_row([name.ljust(width) for name, width in zip(header, widths, strict=True)])
    yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    for row in rows:
        yield table_row([cell.ljust(width) for cell, width in zip(row, widths, strict=True)])


def _cells(stage: Stage, job: JobReport) -> Iterator[str]:
    yield job.job.run
    if stage is Stage.EVALUATION:
        yield job.job.task or ""
        yield "" if job.job.epoch is None else str(job.job.epoch)
    yield job.state.value
    yield job.job_id
    seconds = elapsed_s(job.started, job.ended)
    yield "" if seconds is None else spoken_duration(seconds)
    value = job.loss if stage is Stage.PREPARATION else job.score
    yield "" if value is None else f"{value:.3f}"
    yield job.notes


def _failures(report: RunReport) -> Iterator[str]:
    failed = [job for job in report.selected if job.state in {JobState.FAILED, JobState.UNKNOWN}]
    if not failed:
        return
    yield from ("### Failures", "")
    for job in failed[:_MOST_ROWS]:
        yield f"- {job.job.name}: {job.reason or job.kind or job.state.value}"
        yield from (f"      {line}" for line in job.tail)
        if job.output:
            yield f"  - output: {job.output}"
        if job.advice:
            yield f"  - what to do: {job.advice}"
    if len(failed) > _MOST_ROWS:
        yield f"- and {len(failed) - _MOST_ROWS} more"
    yield ""


def _logs(report: RunReport) -> Iterator[str]:
    yield from ("### Logs", "", f"- `{RUN_LOG}` - what this command did")
    for tool in dict.fromkeys(job.job.tool for job in report.selected):
        yield f"- `{tool_log('run', tool)}` - every submission and change of state"
    yield ""


def _next_steps(report: RunReport, where: str) -> Iterator[str]:
    states = [job.state for job in report.selected]
    out = sum(bool(job.job_id) and job.state in {JobState.PENDING, JobState.RUNNING} for job in report.selected)
    steps: list[tuple[str, str]] = []
    if out:
        steps += [(f"tunebook status {where}", f"shows the {_counted(out, 'job')} still queued or running")]
        steps += [(f"tunebook run {where}", "watches them again, and runs the rest")]
        steps += [(f"tunebook cancel {where}", "cancels them")]
    if any(job.kind == OUT_OF_GPU_MEMORY and job.job.stage is Stage.PREPARATION for job in report.selected):
        steps += [(f"tunebook run {where} --retry-oom", "halves the batch of trainings that ran out of GPU memory")]
    if JobState.FAILED in states or JobState.UNKNOWN in states:
        steps += [(f"tunebook run {where} --retry-failed", "runs failed jobs again, once the cause is removed")]
    elif not out and report.exit_code is ExitCode.UNFINISHED:
        steps += [(f"tunebook run {where}", "runs the remaining jobs")]
    if not steps:
        return
    yield from ("### Next Steps", "", "```bash")
    width = max(len(command) for command, _ in steps)
    yield from (f"{command.ljust(width)}  # {text}" for command, text in steps)
    yield "```"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
