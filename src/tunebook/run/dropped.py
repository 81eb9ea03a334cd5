"""Jobs whose executor let them wait for others: whether they were dropped with those, or wait for their own verdict."""

from __future__ import annotations

from collections.abc import Callable

from tunebook.core.jobs import NEVER_RAN, JobState, JobStatus
from tunebook.disk.ledger import LedgerEntry
from tunebook.run.job_set import JobSet
from tunebook.run.job_state import JobInRun
from tunebook.run.recorder import Recorder

__all__ = ["awaits_verdict", "was_dropped"]

_EntryOf = Callable[[JobInRun], LedgerEntry | None]


def awaits_verdict(one: JobInRun, jobs: JobSet, recorder: Recorder) -> bool:
    """Whether a job that it needs, and that was submitted before it, is still in flight."""
    own = recorder.entry(one)
    for name in one.job.needs:
        need = jobs.by_name[name]
        entry = recorder.entry(need)
        if need.in_flight and (own is None or entry is None or entry.number < own.number):
            return True
    return False


def was_dropped(one: JobInRun, status: JobStatus, jobs: JobSet, entry_of: _EntryOf) -> bool:
    """Whether the executor dropped it before it started, because a job that it waited for had failed.

    Args:
        entry_of: gives the ledger's entry of a job.
    """
    entry = entry_of(one)
    if not one.job.needs or (entry is not None and entry.cancelled):
        return False
    if status.reason == NEVER_RAN:
        return True
    if one.started or not (jobs.has_failed_need(one) or _has_newer_need(one, entry, jobs, entry_of)):
        return False
    if status.state is JobState.UNKNOWN:  # it was dropped, and forgotten before anybody looked
        return True
    # SLURM reports a start even of a task of an array that was dropped.
    return not status.started or status.reason.startswith("CANCELLED")


def _has_newer_need(one: JobInRun, own: LedgerEntry | None, jobs: JobSet, entry_of: _EntryOf) -> bool:
    """Whether a job that it needs was submitted again after it: the submission that it waited for has failed."""
    if own is None:
        return False
    needs = [entry_of(jobs.by_name[name]) for name in one.job.needs]
    return any(need is not None and need.number > own.number for need in needs)
