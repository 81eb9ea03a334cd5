"""Reports an experiment's jobs while no run, or another one, watches them; and cancels them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path

from tunebook.core.jobs import NEVER_RAN, Job, JobState, JobStatus
from tunebook.disk.ledger import Event, EventKind, LedgerEntry, record
from tunebook.errors import ExecutorError
from tunebook.executors.base import Executor, Submission
from tunebook.run.gather import survey
from tunebook.run.job_set import JobSet
from tunebook.run.job_state import JobInRun
from tunebook.run.report import JobReport
from tunebook.run.select import LoopOptions, select
from tunebook.run.verdict import CANCELLED, Verdict

__all__ = ["cancel_jobs", "job_reports"]

_GOING = frozenset({JobState.RUNNING, JobState.PENDING})


def job_reports(
    jobs: Sequence[Job],
    *,
    experiment: Path,
    executors: Sequence[Executor] = (),
    warn: Callable[[str], None] = lambda _: None,
) -> tuple[JobReport, ...]:
    """Reports every job's present state; writes nothing.

    Each executor is asked for its jobs in one query. Jobs of other executors, and of one that does not answer, have the
    state that was recorded last.

    Args:
        jobs: all jobs of the experiment.
        experiment: the experiment's directory.
        executors: the executors that are asked.
        warn: gets a message about each executor that does not answer.

    Raises:
        PlanError: jobs need each other.
    """
    experiment = experiment.resolve()
    job_set = JobSet(survey(jobs, experiment), experiment, frozenset(job.name for job in jobs), retry_failed=False)
    for executor in executors:
        try:
            _ask(job_set, executor)
        except ExecutorError as error:
            warn(f"{executor.name} does not answer; its jobs are shown as they were last seen: {error}")
    return job_set.reports()


def _ask(job_set: JobSet, executor: Executor) -> None:
    asked = []
    for one in job_set.by_name.values():
        entry = one.evidence.entry
        if one.verdict.ask and entry is not None and _is_of(entry, executor):
            asked.append(one)
    if not asked:
        return
    found = executor.find([job_set.submission(one) for one in asked])
    for one in asked:
        if one.tag in found:
            one.job_id = found[one.tag].job_id
    statuses = executor.poll([one.job_id for one in asked if one.job_id])
    for one in asked:
        status = statuses.get(one.job_id, JobStatus(JobState.UNKNOWN))
        if status.state not in _GOING:  # its outcome may be newer than what was read
            job_id = one.job_id
            job_set.look_again(one, one.evidence.entry)
            one.job_id = one.job_id or job_id
        _take_status(one, status, is_blocked=job_set.has_failed_need(one) and not one.started)


def _take_status(one: JobInRun, status: JobStatus, *, is_blocked: bool) -> None:
    """Takes an executor's report of a job that has written no outcome."""
    entry = one.evidence.entry
    cancelled = entry is not None and entry.cancelled
    if status.state in _GOING:
        one.adopt(cancelled=cancelled)
        one.status, one.started = status, status.started or one.started
    elif one.evidence.own_outcome is not None:
        return  # it has ended since, and was not queued again
    elif cancelled:
        one.verdict = Verdict(JobState.FAILED, CANCELLED, rerun=True)
    elif status.reason == NEVER_RAN or (is_blocked and status.state is JobState.UNKNOWN):
        one.verdict = Verdict(JobState.PENDING, "a job that it needs has failed")
    elif status.state is JobState.FAILED and status.reason and one.job_id:
        one.verdict = Verdict(JobState.FAILED, status.reason)
    else:
        one.verdict = Verdict(JobState.UNKNOWN, "gone without an outcome; the next run decides")


def _is_of(entry: LedgerEntry, executor: Executor) -> bool:
    return (entry.last.executor, entry.last.host) == (executor.name, executor.host)


def cancel_jobs(
    jobs: Sequence[Job],
    executor: Executor,
    *,
    experiment: Path,
    options: LoopOptions | None = None,
    only: Collection[str] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now().astimezone(),
) -> tuple[str, ...]:
    """Cancels the selected jobs that are queued or running; a run that watches them notices.

    Args:
        jobs: all jobs of the experiment.
        executor: the executor that has the jobs.
        experiment: the experiment's directory.
        options: the selection.
        only: names of jobs to which the selection is limited; ``None`` for no limit.
        clock: the time that is recorded.

    Returns:
        The names of the jobs that were cancelled.

    Raises:
        ExecutorError: some of them were submitted to another executor or on another host; nothing was cancelled.
        UsageError: no job is selected.
    """
    experiment = experiment.resolve()
    selected = select(jobs, options or LoopOptions())
    if only is not None:
        selected &= frozenset(only)
    surveyed = survey(jobs, experiment)
    submissions: list[Submission] = []
    for job in jobs:
        entry = surveyed.ledger.entries.get(job.name)
        if entry is None or job.name not in selected or not surveyed.verdicts[job.name].ask:
            continue
        if not _is_of(entry, executor):
            where = f"{entry.last.executor} on {entry.last.host}" if entry.last.host else entry.last.executor
            raise ExecutorError(f"{job.name} was submitted to {where}")
        submissions.append(Submission(job, experiment, entry.last.tag))
    if not submissions:
        return ()
    found = executor.find(submissions)
    ids = [found[one.tag].job_id for one in submissions if one.tag in found]
    statuses = executor.poll(ids)
    cancelled = [one for one in submissions if one.tag in found and statuses[found[one.tag].job_id].state in _GOING]
    now = clock().astimezone().isoformat(timespec="seconds")
    if cancelled:  # the intention is recorded first: a job that survives is found again
        events = [Event(now, one.tag, one.job.name, EventKind.CANCELLED, found[one.tag].job_id) for one in cancelled]
        record(experiment, *events)
    executor.cancel(ids)
    return tuple(one.job.name for one in cancelled)
