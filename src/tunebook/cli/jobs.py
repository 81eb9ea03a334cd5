"""Jobs as a table, condensed above a screenful: live on a terminal, lines for changes elsewhere, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunebook import api
from tunebook.cli.output import console, screenful
from tunebook.cli.visible import visible_text
from tunebook.core.jobs import Job, JobState
from tunebook.core.shortened import first_lines
from tunebook.core.times import local_iso, time_text
from tunebook.core.units import spoken_duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["counts_data", "jobs_data", "jobs_shown", "watching"]

_COLOURS = {
    JobState.RUNNING: "cyan",
    JobState.FAILED: "red",
    JobState.UNKNOWN: "yellow",
    JobState.PENDING: "dim",
    JobState.COMPLETED: "green",
}
_OTHER_LINES = 6  # of a table that is condensed: counts of two stages, a title, what is hidden, a note, the prompt
_FEWEST_ROWS = 5
_MOST_CHANGES = 20  # lines for the changes of one poll


def jobs_shown(
    jobs: Sequence[api.JobReport], out: Console, *, note: str = "", every: bool = False, command: str = ""
) -> Text:
    """Returns one row per job, or above a screenful counts, and the jobs that need attention.

    Args:
        note: a line below.
        every: every job, however many there are.
        command: how to see every job.
    """
    from rich.text import Text

    space = max(_FEWEST_ROWS, screenful(out) - _OTHER_LINES)
    note_line = [_styled((note, "italic"))] if note else []
    if every or len(jobs) <= space:
        return Text("\n").join([*_table(jobs, out), Text(), *map(Text, api.stage_counts(jobs)), *note_line])
    condensed = _fitting(jobs, out, space)
    lines = [Text(line) for line in condensed.counts]
    if condensed.rows:
        lines += _table(condensed.rows, out)
    lines += [_styled((str(group), _COLOURS[group.state])) for group in condensed.groups]
    if condensed.hidden:
        lines.append(Text(f"… and {condensed.hidden} more"))
    if command:
        lines.append(Text(f"`{command}` shows every job", style="dim"))
    return Text("\n").join([*lines, *note_line])


def _fitting(jobs: Sequence[api.JobReport], out: Console, space: int) -> api.Condensed:
    """Condenses jobs so that they fit; on a narrow terminal a row takes several lines."""
    condensed = api.condense(jobs, space)
    if not condensed.rows or not out.is_terminal:
        return condensed
    lines = len(_table(condensed.rows, out)) + len(condensed.groups)
    if lines <= space + 1:
        return condensed
    return api.condense(jobs, max(_FEWEST_ROWS, space * (len(condensed.rows) + len(condensed.groups)) // lines))


def _table(jobs: Sequence[api.JobReport], out: Console) -> list[Text]:
    """One row per job."""
    from tunebook.cli.wrapped import in_columns

    rows = [[cell(job) for cell in _CELLS.values()] for job in jobs]
    return in_columns(rows, titles=list(_CELLS), width=out.width if out.is_terminal else None)


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


def _notes(job: api.JobReport) -> str:
    """The notes of the plan's tables, and the pace of a slow training, which changes with every step."""
    pace = "" if job.pace is None else job.pace.note
    return "; ".join(filter(None, (job.notes, pace)))


def _styled(*parts: tuple[str, str]) -> Text:
    """Texts, each with its style; a width that was measured is that of what is shown."""
    from rich.text import Text

    return Text.assemble(*[(visible_text(text), style) for text, style in parts])


_CELLS: dict[str, Callable[[api.JobReport], Text]] = {
    "Run": lambda job: _styled((job.job.run, "")),
    "Job": lambda job: _styled((_title(job.job), "")),
    "State": lambda job: _styled((job.state.value, _COLOURS[job.state])),
    "Node": lambda job: _styled((job.node, "")),
    "Progress": lambda job: _styled((_bar(job), "cyan"), (_progress(job), "")),
    "Notes": lambda job: _styled((_notes(job), "")),
}


@dataclass(frozen=True)
class Watch:
    """How the jobs of a run are shown.

    Attributes:
        show: shows a snapshot.
        leave: ends the showing, and what was shown last stays.
    """

    show: Callable[[api.Snapshot], None]
    leave: Callable[[], None] = lambda: None


@contextmanager
def watching(*, quiet: bool, every: bool = False) -> Iterator[Watch]:
    """Shows snapshots: as a live table on a terminal, as lines elsewhere, not at all if quiet.

    The table goes when the block ends, since a summary follows; an interrupt leaves its last frame.

    Args:
        every: a line for each change of each job, however many jobs there are.
    """
    if quiet:
        yield Watch(lambda _: None)
        return
    out = console()
    if not out.is_terminal or out.is_dumb_terminal:
        yield Watch(_Lines(out.print, screenful(out), every=every).show)
        return
    table = _LiveTable(out)
    try:
        yield Watch(table.show, table.leave)
    except KeyboardInterrupt:
        table.leave()
        raise
    finally:
        table.stop()


class _LiveTable:
    """A table of the jobs that follows their states."""

    def __init__(self, out: Console) -> None:
        from rich.live import Live

        self._out = out
        self._live = Live(console=out, refresh_per_second=4, transient=True)
        self._is_over = False

    def show(self, snapshot: api.Snapshot) -> None:
        if self._is_over:
            return
        self._live.start()  # not before: until then a person may be asked something
        self._live.update(jobs_shown(snapshot.selected, self._out, note=snapshot.note))

    def leave(self) -> None:
        self._live.transient = False
        self.stop()

    def stop(self) -> None:
        self._is_over = True
        self._live.stop()


class _Lines:
    """Prints a line when a job's state changes, and at every fifth of a training.

    Above a screenful of jobs, equal changes that are seen at the same time are one line.
    """

    def __init__(self, write: Callable[..., None], most_jobs: int, *, every: bool) -> None:
        self._write = write
        self._most_jobs = most_jobs
        self._every = every
        self._shown: dict[str, tuple[JobState, int]] = {}
        self._note = ""

    def show(self, snapshot: api.Snapshot) -> None:
        is_single = self._every or len(snapshot.selected) <= self._most_jobs
        changed = [job for job in snapshot.selected if self._is_new(job, fifths=_fifths(job) if is_single else 0)]
        if is_single:
            lines = [_changed(job) for job in changed]
        else:
            groups = [str(group) for group in api.group_jobs(changed)]
            lines = first_lines(groups, _MOST_CHANGES, more="kinds of changes")
        if snapshot.note != self._note:
            self._note = snapshot.note
            lines = [*lines, *filter(None, [snapshot.note])]
        for line in lines:
            self._write(f"[{time_text(snapshot.time)}] {line}", markup=False)

    def _is_new(self, job: api.JobReport, *, fifths: int) -> bool:
        before = self._shown.get(job.job.name)
        now = self._shown[job.job.name] = (job.state, fifths)
        is_first_pending = before is None and job.state is JobState.PENDING
        return before != now and not is_first_pending


def _changed(job: api.JobReport) -> str:
    details = ", ".join(part for part in (_progress(job), job.reason) if part)
    line = f"{job.job.name}: {job.state.value}"
    return f"{line} ({details})" if details else line


def _fifths(job: api.JobReport) -> int:
    """How many fifths of its steps a running training has done."""
    if job.state is not JobState.RUNNING or job.progress is None or not job.progress.total_steps:
        return 0
    return 5 * job.progress.step // job.progress.total_steps


def counts_data(jobs: Sequence[api.JobReport]) -> dict[str, dict[str, int]]:
    """How many jobs of each stage are in each state, for ``--json``."""
    counts = api.state_counts(jobs)
    return {stage.value: {state.value: number for state, number in of.items()} for stage, of in counts.items()}


def jobs_data(jobs: Sequence[api.JobReport]) -> list[dict[str, Any]]:
    """The jobs for ``--json``; times are ISO 8601 with this machine's offset."""
    return [_job_data(job) for job in jobs]


def _job_data(job: api.JobReport) -> dict[str, Any]:
    step = total_steps = None
    if job.progress is not None:
        step, total_steps = job.progress.step, job.progress.total_steps
    optional = ("output", "kind", "advice", "deviation", "node")  # empty if unknown
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
        "started": local_iso(job.started) or None,
        "ended": local_iso(job.ended) or None,
        "step": step,
        "total_steps": total_steps,
        "pace": None if job.pace is None else vars(job.pace),
        **{name: getattr(job, name) or None for name in optional},
    }
