"""Reports an experiment's jobs while no run, or another one, watches them; and cancels them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tunebook.core.jobs import NEVER_RAN, NOT_REACHED, Job, JobState, JobStatus
from tunebook.disk.ledger import EventKind
from tunebook.errors import ExecutorError
from tunebook.executors.base import Executor
from tunebook.run.gather import input_warnings, survey
from tunebook.run.job_set import JobSet
from tunebook.run.job_state import JobInRun
from tunebook.run.preview import Preview, preview_of
from tunebook.run.recorder import Recorder
from tunebook.run.report import JobReport
from tunebook.run.select import LoopOptions, select
from tunebook.run.status import StatusTables
from tunebook.run.verdict import CANCELLED, Verdict

__all__ = ["cancel_jobs", "job_reports", "preview_run"]

_LOOKS = 8
_LOOK_S = 0.5


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
        if _is_cancelled(one):
            status = replace(status, reason="cancelled, and has not ended yet")
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
    jobs: Sequence[Job],
    executor: Executor,
    *,
    experiment: Path,
    names: Collection[str] | None = None,
) -> tuple[str, ...]:
    """Cancels the named jobs, or all, that are queued or running, and returns the names of those that were cancelled.

    The logs and the plan's status tables record it; a run that watches the jobs notices.

    Raises:
        ExecutorError: some of them were submitted to another executor or on another host; nothing was cancelled.
    """
    experiment = experiment.resolve()
    surveyed = survey(jobs, experiment)
    job_set = JobSet(surveyed, experiment, frozenset(job.name for job in jobs), retry_failed=False)
    chosen: list[JobInRun] = []
    for one in job_set.by_name.values():
        entry = one.evidence.entry
        is_chosen = names is None or one.job.name in names
        if entry is None or not is_chosen or not one.verdict.ask:
            continue
        if not entry.is_of(executor.name, executor.host):
            raise ExecutorError(f"{one.job.name} was submitted to {entry.place}")
        chosen.append(one)
    if not chosen:
        return ()
    recorder = Recorder(experiment, executor.name, executor.host, _local_time)
    cancelled = _cancel(job_set, chosen, executor, recorder)
    reports = job_reports(jobs, experiment=experiment, executors=[executor])
    tables = StatusTables(experiment, _local_time, lambda message: recorder.log("WARNING", message))
    tables.show(reports, now=True)
    return cancelled


def _local_time() -> datetime:
    return datetime.now().astimezone()


def _cancel(job_set: JobSet, chosen: Sequence[JobInRun], executor: Executor, recorder: Recorder) -> tuple[str, ...]:
    found = executor.find([job_set.submission(one) for one in chosen])
    statuses = executor.poll([one.job_id for one in found.values()])
    going: list[JobInRun] = []
    for one in chosen:
        if one.tag in found:
            one.locate(found[one.tag])
            if statuses[one.job_id].state.is_going:
                going.append(one)
    if going:  # the intention is recorded first: a job that survives is found again
        recorder.record(going, EventKind.CANCELLED)
        for one in going:
            recorder.log_tool(one.job.tool, "CANCEL_JOB", one.job.name, details=f"job {one.job_id}")
    executor.cancel(list(statuses))
    names = tuple(one.job.name for one in going)
    if going:
        recorder.log("CANCELLED", f"{len(names)} jobs were cancelled", details=", ".join(names))
        _await_end(executor, [one.job_id for one in going])
    return names


def _await_end(executor: Executor, ids: Sequence[str]) -> None:
    """Gives jobs a few seconds to end: the tables are then written once, with their last states."""
    with suppress(ExecutorError):
        for _ in range(_LOOKS):
            if not any(status.state.is_going for status in executor.poll(ids).values()):
                return
            time.sleep(_LOOK_S)
