"""Reports an experiment's jobs while no run, or another one, watches them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from tunebook.artifacts.output import last_lines
from tunebook.core.jobs import NOT_REACHED, Job, JobState, JobStatus
from tunebook.disk.ledger import Ledger, LedgerEntry
from tunebook.errors import ExecutorError
from tunebook.executors.base import Executor
from tunebook.run.dropped import was_dropped
from tunebook.run.failures import word_of_end
from tunebook.run.gather import input_warnings, survey
from tunebook.run.job_set import JobSet
from tunebook.run.job_state import JobInRun
from tunebook.run.pace import with_pace
from tunebook.run.preview import Preview, preview_of
from tunebook.run.report import JobReport
from tunebook.run.select import LoopOptions, select
from tunebook.run.verdict import CANCELLED, Verdict

__all__ = ["job_reports", "preview_run"]


def job_reports(
    jobs: Sequence[Job],
    *,
    experiment: Path,
    executors: Sequence[Executor] = (),
    warn: Callable[[str], None] = lambda _: None,
    ledger: Ledger | None = None,
) -> tuple[JobReport, ...]:
    """Reports every job's present state; writes nothing.

    Each executor is asked for its jobs in one query. Jobs of other executors, and of one that does not answer, have the
    state that was recorded last; ``warn`` gets a message about each executor that does not answer and about
    each input that cannot be compared.

    Args:
        ledger: the ledger, if it was read just before.

    Raises:
        PlanError: jobs need each other.
    """
    experiment = experiment.resolve()
    surveyed = survey(jobs, experiment, ledger)
    job_set = JobSet(surveyed, experiment, frozenset(job.name for job in jobs), retry_failed=False)
    for message in input_warnings(surveyed):
        warn(message)
    for executor in executors:
        try:
            _ask(job_set, executor)
        except ExecutorError as error:
            warn(f"{executor.name} does not answer; its jobs are shown as they were last seen: {error}")
    schedulers = {executor.name for executor in executors if executor.survives_monitor}
    return tuple(with_pace(report, has_limit=_is_of(job_set, report, schedulers)) for report in job_set.reports())


def _is_of(job_set: JobSet, report: JobReport, schedulers: Collection[str]) -> bool:
    """Whether a scheduler has the job, which ends it at its time limit; a job of this machine runs to its end."""
    entry = job_set.by_name[report.job.name].evidence.entry
    return entry is not None and entry.last.executor in schedulers


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


def _entry(one: JobInRun) -> LedgerEntry | None:
    return one.evidence.entry


def _is_cancelled(one: JobInRun) -> bool:
    entry = _entry(one)
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
    outcome = one.evidence.own_outcome
    if outcome is None:  # otherwise it has ended since, and was not queued again
        one.learn_end(_without_outcome(job_set, one, status))
    elif one.verdict.ask and not _is_cancelled(one):
        word = word_of_end(outcome.exit_code, status.reason, last_lines(one.output))
        one.learn_end(replace(one.verdict, reason=word or one.verdict.reason))


def _without_outcome(job_set: JobSet, one: JobInRun, status: JobStatus) -> Verdict:
    if _is_cancelled(one):
        return Verdict(JobState.FAILED, CANCELLED, rerun=True)
    if status.reason == NOT_REACHED:
        return Verdict(JobState.PENDING, NOT_REACHED)
    if was_dropped(one, status, job_set, _entry):
        return Verdict(JobState.PENDING, "a job that it needs has failed", rerun=True)
    if status.state is JobState.FAILED and status.reason and one.job_id:
        return Verdict(JobState.FAILED, status.reason)
    return Verdict(JobState.UNKNOWN, "gone without an outcome; the next run decides")
