"""Jobs as a table: live on a terminal, one line per change elsewhere, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tunebook import api
from tunebook.cli.output import console
from tunebook.core.jobs import Job, JobState
from tunebook.core.units import spoken_duration

__all__ = ["jobs_data", "jobs_table", "watching"]

_COLOURS = {
    JobState.PENDING: "dim",
    JobState.RUNNING: "cyan",
    JobState.COMPLETED: "green",
    JobState.FAILED: "red",
    JobState.UNKNOWN: "yellow",
}


_FIRST = (
    JobState.RUNNING,
    JobState.FAILED,
    JobState.UNKNOWN,
    JobState.PENDING,
    JobState.COMPLETED,
)
_FEWEST_ROWS = 5
_OTHER_LINES = 4


def jobs_table(jobs: Sequence[api.JobReport], note: str = "", *, height: int | None = None) -> Table:
    """One row per job; if ``height`` lines are too few, running and failed jobs come first, and all are counted."""
    if height is not None and len(jobs) > max(_FEWEST_ROWS, height - _OTHER_LINES):
        counts = Counter(job.state for job in jobs)
        parts = [f"{counts[state]} {state.value}" for state in _FIRST if counts[state]]
        if note:
            parts.append(note)
        note = ", ".join(parts)
        jobs = sorted(jobs, key=lambda job: _FIRST.index(job.state))[: max(_FEWEST_ROWS, height - _OTHER_LINES)]
    table = Table(box=None, pad_edge=False, caption=escape(note) or None)
    has_nodes = any(job.node for job in jobs)
    for name in ("Run", "Job", "State", "Node", "Progress", "Notes"):
        if name != "Node" or has_nodes:
            table.add_column(name, overflow="fold")
    for job in jobs:
        row: list[str | Text] = [escape(job.job.run), escape(_what(job.job))]
        row.append(f"[{_COLOURS[job.state]}]{job.state.value}[/]")
        if has_nodes:
            row.append(escape(job.node))
        progress = Text.assemble((_bar(job), "cyan"), _progress(job))
        table.add_row(*row, progress, escape(job.notes))
    return table


def _bar(job: api.JobReport) -> str:
    """Ten cells of a running training's steps."""
    if job.state is not JobState.RUNNING or job.progress is None or not job.progress.total_steps:
        return ""
    full = min(10, 10 * job.progress.step // job.progress.total_steps)
    return "█" * full + "░" * (10 - full) + " "


def _what(job: Job) -> str:
    if job.task is None:
        return "training"
    return job.task if job.epoch is None else f"{job.task}, epoch {job.epoch}"


def _progress(job: api.JobReport) -> str:
    if job.progress is not None and job.state is JobState.RUNNING:
        total = job.progress.total_steps
        parts = [f"step {job.progress.step}" + (f"/{total}" if total else "")]
        parts += [f"loss {job.progress.loss:.3f}"] if job.progress.loss is not None else []
        parts += [f"{spoken_duration(job.progress.seconds_left)} left"] if job.progress.seconds_left else []
        return ", ".join(parts)
    parts = [f"loss {job.loss:.3f}"] if job.loss is not None else []
    parts += [f"score {job.score:.3f}"] if job.score is not None else []
    return ", ".join(parts)


@contextmanager
def watching(*, quiet: bool) -> Iterator[Callable[[api.Snapshot], None]]:
    """Yields a function that shows a snapshot: a live table on a terminal, plain lines elsewhere, nothing if quiet."""
    out = console()
    if quiet:
        yield lambda _: None
    elif out.is_terminal:
        with Live(console=out, refresh_per_second=4, transient=True) as live:
            yield lambda snapshot: live.update(jobs_table(snapshot.selected, snapshot.note, height=out.size.height))
    else:
        yield _Lines(out.print).show


class _Lines:
    """Prints a line when a job's state changes, and at every fifth of a training."""

    def __init__(self, write: Callable[..., None]) -> None:
        self._write = write
        self._seen: dict[str, object] = {}

    def show(self, snapshot: api.Snapshot) -> None:
        for job in snapshot.selected:
            now = (job.state, _fifth(job))
            before = self._seen.get(job.job.name)
            self._seen[job.job.name] = now
            if now == before or (before is None and job.state is JobState.PENDING):
                continue
            line = f"[{snapshot.time:%H:%M:%S}] {job.job.name}: {job.state.value}"
            details = ", ".join(part for part in (_progress(job), job.reason) if part)
            if details:
                line += f" ({details})"
            self._write(line, markup=False)


def _fifth(job: api.JobReport) -> int:
    if job.state is not JobState.RUNNING or job.progress is None or not job.progress.total_steps:
        return 0
    return 5 * job.progress.step // job.progress.total_steps


def jobs_data(jobs: Sequence[api.JobReport]) -> list[dict[str, Any]]:
    """The jobs for ``--json``; times are ISO 8601 with the time zone."""
    return [
        {
            "name": job.job.name,
            "run": job.job.run,
            "stage": job.job.stage.value,
            "task": job.job.task,
            "epoch": job.job.epoch,
            "state": job.state.value,
            "reason": job.reason,
            "job_id": job.job_id,
            "started": job.started or None,
            "ended": job.ended or None,
            "loss": job.loss,
            "score": job.score,
            "output": job.output or None,
            "tail": list(job.tail),
            "kind": job.kind or None,
            "advice": job.advice or None,
            "deviation": job.deviation or None,
            "node": job.node or None,
            "step": job.progress.step if job.progress else None,
            "total_steps": job.progress.total_steps if job.progress else None,
        }
        for job in jobs
    ]
