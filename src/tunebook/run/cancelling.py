"""Cancels jobs while no run, or another one, watches them; the logs and the plan's tables record it."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from tunebook.core.jobs import Job
from tunebook.disk.ledger import EventKind
from tunebook.errors import ExecutorError
from tunebook.executors.base import Executor
from tunebook.run.gather import survey
from tunebook.run.job_set import JobSet
from tunebook.run.job_state import JobInRun
from tunebook.run.overview import job_reports
from tunebook.run.recorder import Recorder
from tunebook.run.status import StatusTables

__all__ = ["cancel_jobs"]

_LOOKS = 8
_LOOK_S = 0.5


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
