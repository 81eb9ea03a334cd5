"""What an executor promises: to start jobs, to tell what became of them, to end them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from tunebook.core.jobs import Job, JobState

__all__ = [
    "NEVER_RAN",
    "Batch",
    "Executor",
    "ExecutorFactory",
    "ExecutorOptions",
    "Intake",
    "JobStatus",
    "Submission",
    "Submitted",
]

NEVER_RAN = "DependencyNeverSatisfied"
"""The reason of a job that was ended because one that it waited for had failed."""


@dataclass(frozen=True)
class ExecutorOptions:
    """What a person asks of an executor.

    Attributes:
        slots: how many jobs may run at a time; ``None`` leaves it to the executor.
        array: whether like jobs are submitted as one array; ``None`` leaves it to the executor.
    """

    slots: int | None = None
    array: bool | None = None


@dataclass(frozen=True)
class Submission:
    """One job on its way to an executor.

    Attributes:
        experiment: absolute path of the experiment's directory.
        tag: unique; written to the ledger before the executor hears of it, so that a monitor that dies in between
            finds out what was submitted by asking for the tag. Empty while it is only planned.
        after: the executor's ids of the jobs that must have completed before; only executors that hold dependencies
            themselves are given any.
        resume: whether an earlier submission was interrupted: the job may go on from what that one left.
    """

    job: Job
    experiment: Path
    tag: str = ""
    after: tuple[str, ...] = ()
    resume: bool = False


@dataclass(frozen=True)
class Batch:
    """Jobs that are handed over with one call.

    Attributes:
        indices: a number for each member, unique in the batch; none for a single job.
    """

    members: tuple[Submission, ...]
    indices: tuple[int, ...] = ()

    def tagged(self, tag: str) -> Batch:
        """The batch with a tag for each member: ``tag`` itself for a single job, else with the member's number."""
        tags = [f"{tag}.{index}" for index in self.indices] or [tag]
        members = (replace(member, tag=one) for member, one in zip(self.members, tags, strict=True))
        return Batch(tuple(members), self.indices)


@dataclass(frozen=True)
class Intake:
    """What an executor takes now.

    Attributes:
        batches: what to submit, in this order.
        refused: job name to why the executor can never take it.
    """

    batches: tuple[Batch, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


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
    patience: int
    """How many times in a row it must know nothing of a job, or know that it ended without a trace, to be believed."""
    holds_dependencies: bool
    """Whether dependent jobs can be submitted at once (``Submission.after``); else only ready jobs are submitted."""
    survives_monitor: bool
    """Whether jobs are meant to go on once a person has left the monitor (Ctrl-C); if not, they are cancelled then.

    Jobs whose monitor was killed go on in either case, and the next one takes them up.
    """

    def plan(self, waiting: Sequence[Submission]) -> Intake:
        """Which of the jobs that could be submitted it takes now; asked again until it takes none."""
        ...

    def submit(self, batch: Batch) -> Sequence[Submitted]:
        """Starts or queues the members of one batch, and answers in their order.

        Raises:
            QueueFullError: not now; nothing was submitted.
            UnclearError: nobody knows whether they were submitted; :meth:`find` will tell.
            ExecutorError: they were refused, in the executor's own words.
        """
        ...

    def find(self, submissions: Sequence[Submission]) -> Mapping[str, Submitted]:
        """Those that it knows of, by their tags: tells a resumed monitor what was submitted.

        It is called before anything else is asked about jobs of an earlier monitor.

        Raises:
            UnclearError: one of them may still be on its way; ask again.
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
