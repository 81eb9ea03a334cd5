"""What an executor promises: to start jobs, to tell what became of them, to end them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tunebook.core.job import Job, JobState

__all__ = ["Executor", "ExecutorFactory", "ExecutorOptions", "JobStatus", "Submission", "Submitted"]


@dataclass(frozen=True)
class ExecutorOptions:
    """What a person asks of an executor.

    Attributes:
        slots: how many jobs may run or wait at a time; ``None`` leaves it to the executor.
    """

    slots: int | None = None


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
class Submitted:
    """A job that an executor has taken.

    Attributes:
        job_id: the executor's id.
        output: absolute path of the file that the job's output goes to; empty if that is not known.
    """

    job_id: str
    output: str = ""


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

    "The executor could not be asked" is an :class:`~tunebook.errors.ExecutorError`, and never a state of a job. What a
    job's own outcome file says comes before what its executor says: executors need not read it.
    """

    name: str
    host: str
    """The host that alone can see and end the jobs; empty if they can be asked for from anywhere."""
    poll_s: float
    """Seconds between two polls, unless a person asks for something else."""
    holds_dependencies: bool
    """Whether dependent jobs can be submitted at once (``Submission.after``); else only ready jobs are submitted."""
    survives_monitor: bool
    """Whether jobs are meant to go on once a person has left the monitor (Ctrl-C); if not, they are cancelled then.

    Jobs whose monitor was killed go on in either case, and the next one takes them up.
    """

    def has_room(self, job: Job) -> bool:
        """Whether it takes this job now; if not, it is asked again once another job has ended.

        Raises:
            ExecutorError: it can never take it, and why.
        """
        ...

    def submit(self, submission: Submission) -> Submitted:
        """Starts or queues one job.

        Raises:
            ExecutorError: it was refused, in the executor's own words.
        """
        ...

    def find(self, tags: Sequence[str]) -> Mapping[str, Submitted]:
        """Those of the tags that it knows of as queued or running: tells a resumed monitor what was submitted.

        It is called before anything else is asked about jobs of an earlier monitor.
        """
        ...

    def poll(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
        """The status of each job, with one query for all. An id it knows nothing of is ``UNKNOWN``."""
        ...

    def cancel(self, ids: Sequence[str]) -> None:
        """Ends the jobs, and whatever processes are left of those that have ended already; returns once that is done.

        Ids that it knows nothing of are left alone.
        """
        ...


class ExecutorFactory(Protocol):
    """What an entry point of the group ``tunebook.executors`` names."""

    def __call__(self, options: ExecutorOptions) -> Executor:
        """Makes the executor.

        Raises:
            ExecutorError: it does not work here, and why.
        """
        ...
