"""What is known of an experiment's jobs while nobody, or somebody else, runs them; and how they are cancelled."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path

from tunebook.core.jobs import NEVER_RAN, Job, JobState, JobStatus
from tunebook.disk.ledger import Event, EventKind, LedgerEntry, record
from tunebook.errors import ExecutorError
from tunebook.executors.base import Executor, Submission
from tunebook.run.board import Board
from tunebook.run.evidence import survey
from tunebook.run.report import JobReport
from tunebook.run.select import RunOptions, select
from tunebook.run.state import CANCELLED, Verdict
from tunebook.run.track import Track

__all__ = ["cancel_jobs", "job_reports"]

_GOING = frozenset({JobState.RUNNING, JobState.PENDING})


def job_reports(
    jobs: Sequence[Job],
    *,
    experiment: Path,
    executors: Sequence[Executor] = (),
    warn: Callable[[str], None] = lambda _: None,
) -> tuple[JobReport, ...]:
    """Every job as it stands; writes nothing.

    Each executor's jobs are asked for in one query. For jobs of others, and of an executor that does not answer, the
    state is what was written down last.

    Args:
        warn: is told of an executor that does not answer.

    Raises:
        PlanError: the jobs wait for each other.
    """
    surveyed = survey(jobs, experiment.resolve())
    board = Board(surveyed, experiment.resolve(), frozenset(job.name for job in jobs), retry_failed=False)
    for executor in executors:
        try:
            _ask(board, executor)
        except ExecutorError as error:
            warn(f"{executor.name} does not answer, and its jobs are shown as they were last seen: {error}")
    return board.reports()


def _ask(board: Board, executor: Executor) -> None:
    asked = [
        track
        for track in board.tracks.values()
        if track.verdict.ask and track.evidence.entry is not None and _is_of(track.evidence.entry, executor)
    ]
    if not asked:
        return
    found = executor.find([board.submission(track) for track in asked])
    for track in asked:
        track.job_id = found[track.tag].job_id if track.tag in found else track.job_id
    statuses = executor.poll([track.job_id for track in asked if track.job_id])
    for track in asked:
        status = statuses.get(track.job_id, JobStatus(JobState.UNKNOWN))
        if status.state not in _GOING:  # what it wrote may be newer than what was read
            job_id = track.job_id
            board.look_again(track, track.evidence.entry)
            track.job_id = track.job_id or job_id
        _learn(track, status, in_vain=board.has_failed_need(track) and not track.started)


def _learn(track: Track, status: JobStatus, *, in_vain: bool) -> None:
    """What an executor says of a job that has not said itself how it ended."""
    if status.state in _GOING:
        track.in_flight, track.running = True, status.state is JobState.RUNNING
        track.node, track.started = status.node, status.started or track.started
        track.note = status.reason
    elif track.evidence.own_outcome is not None:
        pass  # it says itself how it ended, and it was not queued again
    elif track.evidence.entry is not None and track.evidence.entry.cancelled:
        track.verdict = Verdict(JobState.FAILED, CANCELLED, rerun=True)
    elif status.reason == NEVER_RAN or (in_vain and status.state is JobState.UNKNOWN):
        track.verdict = Verdict(JobState.PENDING, "what it needs has failed")
    elif status.state is JobState.FAILED and status.reason and track.job_id:
        track.verdict = Verdict(JobState.FAILED, status.reason)
    else:
        track.verdict = Verdict(JobState.UNKNOWN, "gone without an outcome; the next run decides")


def _is_of(entry: LedgerEntry, executor: Executor) -> bool:
    return (entry.last.executor, entry.last.host) == (executor.name, executor.host)


def cancel_jobs(
    jobs: Sequence[Job],
    executor: Executor,
    *,
    experiment: Path,
    options: RunOptions | None = None,
    only: Collection[str] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now().astimezone(),
) -> tuple[str, ...]:
    """Ends what is queued or running of the jobs that are asked for; a run that watches them sees it.

    Args:
        only: the names of the jobs that it is about; ``None`` for all.

    Returns:
        The names of the jobs that were ended.

    Raises:
        ExecutorError: some of them were handed to another executor or on another host; nothing was ended.
        UsageError: nothing is asked for.
    """
    experiment = experiment.resolve()
    selected = select(jobs, options or RunOptions()) & frozenset(
        job.name for job in jobs if only is None or job.name in only
    )
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
    jobs_by_name = {job.name: job for job in jobs}
    asked = [Submission(jobs_by_name[entry.last.job], experiment, entry.last.tag) for entry in open_entries]
    found = executor.find(asked) if asked else {}
    ids = [found[entry.last.tag].job_id for entry in open_entries if entry.last.tag in found]
    statuses = executor.poll(ids) if ids else {}
    going = {job_id for job_id in ids if statuses[job_id].state in _GOING}
    ended = [entry.last for entry in open_entries if entry.last.tag in found and found[entry.last.tag].job_id in going]
    now = clock().astimezone().isoformat(timespec="seconds")
    events = [Event(now, last.tag, last.job, EventKind.CANCELLED, found[last.tag].job_id) for last in ended]
    if events:
        record(experiment, *events)
    executor.cancel(ids)
    return tuple(last.job for last in ended)
