"""Reports an experiment's jobs while no run, or another one, watches them; and cancels them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path

from tunebook.core.jobs import NEVER_RAN, NOT_REACHED, Job, JobState, JobStatus
from tunebook.disk.ledger import Event, EventKind, record
from tunebook.errors import ExecutorError
from tunebook.executors.base import Executor, Submission
from tunebook.run.gather import input_warnings, survey
from tunebook.run.job_set import JobSet
from tunebook.run.job_state import JobInRun
from tunebook.run.preview import Preview, preview_of
from tunebook.run.report import JobReport
from tunebook.run.select import LoopOptions, select
from tunebook.run.verdict import CANCELLED, Verdict

__all__ = ["cancel_jobs", "job_reports", "preview_run"]


def job_reports(
    jobs: Sequence[Job],
    *,
    experiment: Path,
    executors: Sequence[Executor] = (),
    warn: Callable[[str], None] = lambda _: None,
) -> tuple[JobReport, ...]:
    """Reports every job's present state; writes nothing.

    Each executor is asked for its jobs in one query. Jobs of other executors, and of one that does not answer, have the
    state that was recorded last; ``warn`` gets a message about each executor that does not answer and about
    each input that cannot be compared.

    Raises:
        PlanError: jobs need each other.
    """
    experiment = experiment.resolve()
    surveyed = survey(jobs, experiment)
    job_set = JobSet(surveyed, experiment, frozenset(job.name for job in jobs), retry_failed=False)
    for message in input_warnings(surveyed):
        warn(message)
    for executor in executors:
        try:
            _ask(job_set, executor)
        except ExecutorError as error:
            warn(f"{executor.name} does not answer; its jobs are shown as they were last seen: {error}")
    return job_set.reports()


def preview_run(jobs: Sequence[Job], *, experiment: Path, options: LoopOptions) -> Preview:
    """Returns what a run with these options would do; asks no executor and writes nothing.

    Raises:
        UsageError: no job is selected.
        PlanError: jobs need each other.
    """
    experiment = experiment.resolve()
    selected = select(jobs, options)
    return preview_of(JobSet(survey(jobs, experiment), experiment, selected, retry_failed=options.retry_failed))


def _ask(job_set: JobSet, executor: Executor) -> None:
    asked = [one for one in job_set.by_name.values() if _is_with(one, executor)]
    if not asked:
        return
    found = executor.find([job_set.submission(one) for one in asked])
    for one in asked:
        if one.tag in found:
            one.job_id = found[one.tag].job_id
    statuses = executor.poll([one.job_id for one in asked if one.job_id])
    for one in asked:
        _take_status(job_set, one, statuses.get(one.job_id, JobStatus(JobState.UNKNOWN)))


def _is_with(one: JobInRun, executor: Executor) -> bool:
    entry = one.evidence.entry
    return one.verdict.ask and entry is not None and entry.is_of(executor.name, executor.host)


def _is_cancelled(one: JobInRun) -> bool:
    entry = one.evidence.entry
    return entry is not None and entry.cancelled


def _take_status(job_set: JobSet, one: JobInRun, status: JobStatus) -> None:
    if status.state.is_going:
        one.adopt(cancelled=_is_cancelled(one))
        one.status, one.started = status, status.started or one.started
        return
    job_id = one.job_id
    job_set.look_again(one, one.evidence.entry)  # its outcome may be newer than what was read
    one.job_id = one.job_id or job_id
    if one.evidence.own_outcome is None:  # otherwise it has ended since, and was not queued again
        one.verdict = _without_outcome(job_set, one, status)


def _without_outcome(job_set: JobSet, one: JobInRun, status: JobStatus) -> Verdict:
    is_dropped = status.reason == NEVER_RAN
    if status.state is JobState.UNKNOWN and not one.started:
        is_dropped = is_dropped or job_set.has_failed_need(one)
    if _is_cancelled(one):
        return Verdict(JobState.FAILED, CANCELLED, rerun=True)
    if status.reason == NOT_REACHED:
        return Verdict(JobState.PENDING, NOT_REACHED)
    if is_dropped:
        return Verdict(JobState.PENDING, "a job that it needs has failed")
    if status.state is JobState.FAILED and status.reason and one.job_id:
        return Verdict(JobState.FAILED, status.reason)
    return Verdict(JobState.UNKNOWN, "gone without an outcome; the next run decides")


def cancel_jobs(
    jobs: Sequence[Job], executor: Executor, *, experiment: Path, names: Collection[str] | None = None
) -> tuple[str, ...]:
    """Cancels the named jobs, or all, that are queued or running, and returns the names of those that were cancelled.

    A run that watches them notices.

    Raises:
        ExecutorError: some of them were submitted to another executor or on another host; nothing was cancelled.
    """
    experiment = experiment.resolve()
    surveyed = survey(jobs, experiment)
    submissions: list[Submission] = []
    for job in jobs:
        entry = surveyed.ledger.entries.get(job.name)
        is_chosen = names is None or job.name in names
        if entry is None or not is_chosen or not surveyed.verdicts[job.name].ask:
            continue
        if not entry.is_of(executor.name, executor.host):
            raise ExecutorError(f"{job.name} was submitted to {entry.place}")
        submissions.append(Submission(job, experiment, entry.last.tag, job_id=entry.last.job_id))
    if not submissions:
        return ()
    return _cancel(submissions, executor)


def _cancel(submissions: Sequence[Submission], executor: Executor) -> tuple[str, ...]:
    found = executor.find(submissions)
    statuses = executor.poll([one.job_id for one in found.values()])
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    events: list[Event] = []
    for one in submissions:
        job_id = found[one.tag].job_id if one.tag in found else ""
        if job_id and statuses[job_id].state.is_going:
            events += [Event(now, one.tag, one.job.name, EventKind.CANCELLED, job_id)]
    if events:  # the intention is recorded first: a job that survives is found again
        record(submissions[0].experiment, *events)
    executor.cancel(list(statuses))
    return tuple(event.job for event in events)
