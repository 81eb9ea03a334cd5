"""What is known of an experiment's jobs while nobody, or somebody else, runs them; and how they are cancelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from tunebook.core.job import Job, JobState
from tunebook.disk.ledger import Event, EventKind, LedgerEntry, record
from tunebook.errors import ExecutorError
from tunebook.executors.base import Executor
from tunebook.run.board import Board
from tunebook.run.evidence import survey
from tunebook.run.report import JobReport
from tunebook.run.select import RunOptions, select
from tunebook.run.state import Verdict

__all__ = ["cancel_jobs", "job_reports"]


def job_reports(jobs: Sequence[Job], *, experiment: Path, executor: Executor | None = None) -> tuple[JobReport, ...]:
    """Every job as it stands; writes nothing.

    With an executor, its jobs are asked for in one query. Without one, or for jobs of another executor, the state is
    what was written down last.

    Raises:
        PlanError: the jobs wait for each other.
        ExecutorError: the executor could not be asked.
    """
    surveyed = survey(jobs, experiment.resolve())
    board = Board(surveyed, experiment.resolve(), frozenset(job.name for job in jobs), retry_failed=False)
    if executor is not None:
        _ask(board, executor)
    return board.reports()


def _ask(board: Board, executor: Executor) -> None:
    asked = [
        track
        for track in board.tracks.values()
        if track.verdict.ask and track.evidence.entry is not None and _is_of(track.evidence.entry, executor)
    ]
    if not asked:
        return
    found = executor.find([track.tag for track in asked])
    statuses = executor.poll([submitted.job_id for submitted in found.values()])
    for track in asked:
        submitted = found.get(track.tag)
        status = statuses.get(submitted.job_id) if submitted else None
        if submitted is None or status is None or status.state not in {JobState.RUNNING, JobState.PENDING}:
            track.verdict = Verdict(JobState.UNKNOWN, "gone without an outcome; the next run decides")
            continue
        track.job_id, track.in_flight, track.running = submitted.job_id, True, status.state is JobState.RUNNING


def _is_of(entry: LedgerEntry, executor: Executor) -> bool:
    return (entry.last.executor, entry.last.host) == (executor.name, executor.host)


def cancel_jobs(
    jobs: Sequence[Job],
    executor: Executor,
    *,
    experiment: Path,
    options: RunOptions | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now().astimezone(),
) -> tuple[str, ...]:
    """Ends what is queued or running of the jobs that are asked for; a run that watches them sees it.

    Returns:
        The names of the jobs that were ended.

    Raises:
        ExecutorError: some of them were handed to another executor or on another host; nothing was ended.
        UsageError: nothing is asked for.
    """
    experiment = experiment.resolve()
    selected = select(jobs, options or RunOptions())
    surveyed = survey(jobs, experiment)
    open_entries = [
        entry for name, entry in surveyed.ledger.entries.items() if name in selected and surveyed.verdicts[name].ask
    ]
    elsewhere = [entry.last for entry in open_entries if not _is_of(entry, executor)]
    if elsewhere:
        last = elsewhere[0]
        raise ExecutorError(
            f"{last.job} was handed to {last.executor} {f'on {last.host}' if last.host else ''}".strip()
        )
    found = executor.find([entry.last.tag for entry in open_entries]) if open_entries else {}
    ended = [entry.last for entry in open_entries if entry.last.tag in found]
    now = clock().astimezone().isoformat(timespec="seconds")
    for last in ended:
        record(experiment, Event(now, last.tag, last.job, EventKind.CANCELLED, found[last.tag].job_id))
    executor.cancel([found[last.tag].job_id for last in ended])
    return tuple(last.job for last in ended)
