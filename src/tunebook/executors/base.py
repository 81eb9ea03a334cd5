"""The contract of executors: they start jobs, report their states and end them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from tunebook.core.jobs import Job, JobStatus, Resources

__all__ = [
    "AsksScheduler",
    "Batch",
    "Executor",
    "ExecutorFactory",
    "ExecutorOptions",
    "Intake",
    "Need",
    "Submission",
    "Submitted",
]


@dataclass(frozen=True, kw_only=True)
class ExecutorOptions:
    """The options of executors.

    Attributes:
        slots: how many jobs may run at a time; ``None`` leaves the number to the executor.
        array: whether like jobs are submitted as one array; ``None`` leaves the choice to the executor.
    """

    slots: int | None = None
    array: bool | None = None


@dataclass(frozen=True)
class Need:
    """A job in flight that another job waits for: its submission's tag, and the absolute path of its outcome file."""

    outcome: str
    tag: str


@dataclass(frozen=True)
class Submission:
    """One job on its way to an executor.

    Attributes:
        experiment: absolute path of the experiment's directory.
        tag: unique; recorded in the ledger before the executor gets the job, so that after a monitor died in between
            the next one asks for the tag. Empty while the submission is only planned.
        after: the executor's ids of the jobs that must have completed before; only given to executors that hold
            dependencies themselves.
        needs: the same jobs, in the same order, by what their scripts leave at their end.
        resume: whether an earlier submission was interrupted: the job may continue from what that one left.
        job_id: the executor's id, as an earlier monitor recorded it; empty if none did.
    """

    job: Job
    experiment: Path
    tag: str = ""
    after: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    resume: bool = False
    job_id: str = ""


@dataclass(frozen=True)
class Batch:
    """Jobs that are submitted with one call.

    Attributes:
        indices: a number for each member, unique in the batch; empty for a single job.
        is_pack: whether the members share one allocation; otherwise each has its own.
    """

    members: tuple[Submission, ...]
    indices: tuple[int, ...] = ()
    is_pack: bool = False

    def tagged(self, tag: str) -> Batch:
        """Returns the batch with a tag for each member: ``tag`` for a single job, else ``tag`` and its number."""
        tags = [f"{tag}.{index}" for index in self.indices] or [tag]
        members = (replace(member, tag=one) for member, one in zip(self.members, tags, strict=True))
        return replace(self, members=tuple(members))


@dataclass(frozen=True)
class Intake:
    """The jobs that an executor takes now.

    Attributes:
        batches: what to submit, in this order.
        refused: job name to the reason why the executor can never take the job.
    """

    batches: tuple[Batch, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Submitted:
    """A job that an executor has taken.

    Attributes:
        job_id: the executor's id.
        output: absolute path of the file with the job's output; empty if it is not known.
    """

    job_id: str
    output: str = ""


class Executor(Protocol):
    """Runs jobs somewhere. Found through the entry point group ``tunebook.executors``.

    An executor that could not be asked raises :class:`~tunebook.errors.ExecutorError`; that is never a state of a job.
    Executors need not read a job's outcome file, which overrides what they report.
    """

    name: str
    host: str
    """The host that alone can see and end the jobs; empty if any host can."""
    poll_s: float
    """Seconds between two polls, unless a person asks for another number."""
    patience: int
    """How many times in a row it must report that a job is unknown, or ended without a trace, to be believed."""
    holds_dependencies: bool
    """Whether dependent jobs can be submitted at once (``Submission.after``); if not, only ready jobs are submitted."""
    survives_monitor: bool
    """Whether jobs continue after a person has left the monitor (Ctrl-C); if not, they are cancelled then.

    Jobs whose monitor was killed continue in either case, and the next monitor watches them.
    """

    def plan(self, waiting: Sequence[Submission]) -> Intake:
        """Chooses which of the waiting jobs it takes now; called again until it takes none."""
        ...

    def submit(self, batch: Batch) -> Sequence[Submitted]:
        """Starts or queues the members of one batch, and answers in their order.

        Raises:
            QueueFullError: not now; nothing was submitted.
            UnclearError: they may have been submitted or not; :meth:`find` will tell.
            ExecutorError: they were refused, in the executor's own words.
        """
        ...

    def find(self, submissions: Sequence[Submission]) -> Mapping[str, Submitted]:
        """Returns those that it knows, by their tags: so a resumed monitor learns what was submitted.

        It is called before anything else about the jobs of an earlier monitor.

        Raises:
            UnclearError: one of them may still be on its way; ask again.
        """
        ...

    def poll(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
        """Returns the status of each job, with one query for all; ``UNKNOWN`` for an id that it does not know."""
        ...

    def cancel(self, ids: Sequence[str], *, at_once: bool = False) -> None:
        """Ends the jobs and the remaining processes of those that have ended; returns once that is done.

        Jobs that share an allocation with others end within seconds after that, where only their allocation's own
        script can reach them. It may be interrupted and called again with ``at_once``: no job is then waited for.

        Ids that it does not know are left alone.
        """
        ...


@runtime_checkable
class AsksScheduler(Protocol):
    """An executor that can ask its scheduler about a job without submitting it."""

    scheduler: str
    """The scheduler's name for people."""

    def refusal(self, resources: Resources) -> str:
        """Returns the scheduler's words on why it would refuse such a job; empty if it would take it.

        Raises:
            ExecutorError: it does not answer.
        """
        ...


class ExecutorFactory(Protocol):
    """The callable that an entry point of the group ``tunebook.executors`` names."""

    def __call__(self, options: ExecutorOptions) -> Executor:
        """Makes the executor.

        Raises:
            ExecutorError: it does not work here, and why.
        """
        ...
