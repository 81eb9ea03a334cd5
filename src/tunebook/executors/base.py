"""What an executor promises: to start jobs, to tell what became of them, to end them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tunebook.core.job import Job, JobState

__all__ = ["Executor", "JobStatus", "Submission"]


@dataclass(frozen=True)
class Submission:
    """One job on its way to an executor.

    Attributes:
        tag: unique; written to the ledger before the executor hears of it, so that a monitor that dies in between
            finds out what was submitted by asking for the tag.
        experiment: absolute path of the experiment's directory.
        after: the executor's ids of the jobs that must have completed before; only executors that hold dependencies
            themselves are given any.
    """

    job: Job
    tag: str
    experiment: Path
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobStatus:
    """What an executor knows of a job.

    Attributes:
        reason: why it waits or failed, in the page's words: ``TIMEOUT``, ``CANCELLED``,
            ``exit code 1``.
        started: ISO 8601 with the time zone, or empty; so is ``ended``.
    """

    state: JobState
    reason: str = ""
    node: str = ""
    started: str = ""
    ended: str = ""


class Executor(Protocol):
    """Runs jobs somewhere. Found through the entry point group ``tunebook.executors``.

    "The executor could not be asked" is an :class:`~tunebook.errors.ExecutorError`, and never a state of a job.
    """

    name: str
    holds_dependencies: bool
    """Whether dependent jobs can be submitted at once (``Submission.after``); else only ready jobs are submitted."""
    survives_monitor: bool
    """Whether jobs go on after the monitor has ended."""

    def free_slots(self) -> int:
        """How many more jobs it takes now."""
        ...

    def submit(self, submission: Submission) -> str:
        """Starts or queues one job and returns its id there.

        Raises:
            ExecutorError: it was refused, in the executor's own words.
        """
        ...

    def find(self, tags: Sequence[str]) -> Mapping[str, str]:
        """Tag to id for those of the tags that it knows of; tells a resumed monitor what was submitted."""
        ...

    def poll(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
        """The status of each job, with one query for all. An id it knows nothing of is ``UNKNOWN``."""
        ...

    def cancel(self, ids: Sequence[str]) -> None:
        """Ends the jobs; those that have ended already are left alone."""
        ...
