"""Jobs as a table: live on a terminal, one line per change elsewhere, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tunebook import api
from tunebook.cli.output import console
from tunebook.core.jobs import Job, JobState, count_states
from tunebook.core.units import spoken_duration

__all__ = ["jobs_data", "jobs_table", "watching"]

_COLOURS = {
    JobState.RUNNING: "cyan",
    JobState.FAILED: "red",
    JobState.UNKNOWN: "yellow",
    JobState.PENDING: "dim",
    JobState.COMPLETED: "green",
}
_ORDER = tuple(_COLOURS)  # of a table that is too short for all jobs
_FEWEST_ROWS = 5
_OTHER_LINES = 4


def jobs_table(jobs: Sequence[api.JobReport], note: str = "", *, height: int | None = None) -> Table:
    """One row per job.

    If ``height`` lines are too few, running and failed jobs come first, and a note has the counts.
    """
    rows = len(jobs) if height is None else max(_FEWEST_ROWS, height - _OTHER_LINES)
    if rows < len(jobs):
        counts = count_states((job.state for job in jobs), _ORDER)
        note = ", ".join(filter(None, (counts, note)))
        jobs = sorted(jobs, key=lambda job: _ORDER.index(job.state))[:rows]
    names = list(_CELLS)
    if not any(job.node for job in jobs):
        names.remove("Node")
    table = Table(*names, box=None, pad_edge=False, caption=escape(note) or None)
    for column in table.columns:
        column.overflow = "fold"
    for job in jobs:
        table.add_row(*[_CELLS[name](job) for name in names])
    return table


def _bar(job: api.JobReport) -> str:
    """Ten cells for the steps of a running training."""
    if job.state is not JobState.RUNNING or job.progress is None or not job.progress.total_steps:
        return ""
    full = min(10, 10 * job.progress.step // job.progress.total_steps)
    return "█" * full + "░" * (10 - full) + " "


def _title(job: Job) -> str:
    if job.task is None:
        return "training"
    return job.task if job.epoch is None else f"{job.task}, epoch {job.epoch}"


def _progress(job: api.JobReport) -> str:
    parts = {"loss": job.loss, "score": job.score}
    texts = []
    left = None
    if job.progress is not None and job.state is JobState.RUNNING:
        total = job.progress.total_steps
        texts.append(f"step {job.progress.step}" + (f"/{total}" if total else ""))
        parts = {"loss": job.progress.loss}
        left = job.progress.seconds_left
    texts += [f"{name} {value:.3f}" for name, value in parts.items() if value is not None]
    if left:
        texts.append(f"{spoken_duration(left)} left")
    return ", ".join(texts)


_CELLS: dict[str, Callable[[api.JobReport], str | Text]] = {
    "Run": lambda job: escape(job.job.run),
    "Job": lambda job: escape(_title(job.job)),
    "State": lambda job: f"[{_COLOURS[job.state]}]{job.state.value}[/]",
    "Node": lambda job: escape(job.node),
    "Progress": lambda job: Text.assemble((_bar(job), "cyan"), _progress(job)),
    "Notes": lambda job: escape(job.notes),
}


@contextmanager
def watching(*, quiet: bool) -> Iterator[Callable[[api.Snapshot], None]]:
    """A function that shows snapshots: a live table on a terminal, lines elsewhere, nothing if quiet."""
    out = console()
    if quiet:
        yield lambda _: None
    elif out.is_terminal:
        live = Live(console=out, refresh_per_second=4, transient=True)

        def show(snapshot: api.Snapshot) -> None:
            live.start()  # not before: until then a person may be asked something
            live.update(jobs_table(snapshot.selected, snapshot.note, height=out.size.height))

        try:
            yield show
        finally:
            live.stop()
    else:
        yield _Lines(out.print).show


class _Lines:
    """Prints a line when a job's state changes, and at every fifth of a training."""

    def __init__(self, write: Callable[..., None]) -> None:
        self._write = write
        self._shown: dict[str, tuple[JobState, int]] = {}

    def show(self, snapshot: api.Snapshot) -> None:
        for job in snapshot.selected:
            before = self._shown.get(job.job.name)
            now = (job.state, _fifths(job))
            self._shown[job.job.name] = now
            is_first_pending = before is None and job.state is JobState.PENDING
            if before != now and not is_first_pending:
                details = ", ".join(part for part in (_progress(job), job.reason) if part)
                line = f"[{snapshot.time:%H:%M:%S}] {job.job.name}: {job.state.value}"
                self._write(f"{line} ({details})" if details else line, markup=False)


def _fifths(job: api.JobReport) -> int:
    """How many fifths of its steps a running training has done."""
    if job.state is not JobState.RUNNING or job.progress is None or not job.progress.total_steps:
        return 0
    return 5 * job.progress.step // job.progress.total_steps


def jobs_data(jobs: Sequence[api.JobReport]) -> list[dict[str, Any]]:
    """The jobs for ``--json``; times are ISO 8601 with the time zone."""
    return [_job_data(job) for job in jobs]


def _job_data(job: api.JobReport) -> dict[str, Any]:
    step = total_steps = None
    if job.progress is not None:
        step, total_steps = job.progress.step, job.progress.total_steps
    optional = ("started", "ended", "output", "kind", "advice", "deviation", "node")  # empty if unknown
    return {
        "name": job.job.name,
        "run": job.job.run,
        "stage": job.job.stage.value,
        "task": job.job.task,
        "epoch": job.job.epoch,
        "state": job.state.value,
        "reason": job.reason,
        "job_id": job.job_id,
        "loss": job.loss,
        "score": job.score,
        "tail": list(job.tail),
        "step": step,
        "total_steps": total_steps,
        **{name: getattr(job, name) or None for name in optional},
    }
