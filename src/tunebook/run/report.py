"""What a run tells: frozen values for tables and for JSON, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tunebook.artifacts.progress import Progress
from tunebook.core.jobs import Job, JobState
from tunebook.errors import ExitCode

__all__ = ["JobReport", "RunReport", "Snapshot", "StatusReport"]


@dataclass(frozen=True)
class JobReport:
    """One job, as it stands.

    Attributes:
        selected: whether it belongs to what was asked for.
        reason: why it failed or waits; empty if there is nothing to say.
        job_id: the executor's id of the latest submission.
        started: ISO 8601 with the time zone, or empty; so is ``ended``.
        loss: the last training loss.
        score: the evaluation's first score.
        output: absolute path of the file with the job's output.
        tail: for a job that failed, the two lines of its output that show it best.
        progress: of a training that runs.
        node: where it runs.
        kind: of a failure, in one word; empty if it is none that is known.
        advice: what to do about it.
        deviation: which of the page's settings it did not get, in words; empty if it got all.
    """

    job: Job
    state: JobState
    selected: bool = True
    reason: str = ""
    job_id: str = ""
    started: str = ""
    ended: str = ""
    loss: float | None = None
    score: float | None = None
    output: str = ""
    tail: tuple[str, ...] = ()
    progress: Progress | None = None
    node: str = ""
    kind: str = ""
    advice: str = ""
    deviation: str = ""


@dataclass(frozen=True)
class Snapshot:
    """All jobs at one moment, for a live table; ``note`` says what is amiss: a scheduler that does not answer."""

    time: datetime
    jobs: tuple[JobReport, ...]
    note: str = ""


@dataclass(frozen=True)
class RunReport:
    """How a run ended.

    Attributes:
        jobs: every job of the experiment, those that were not selected too.
        submitted: names of the jobs that were started by this run.
        not_retried: names of the jobs that failed in an earlier run, and were left alone.
        warnings: what went wrong besides.
    """

    jobs: tuple[JobReport, ...]
    submitted: tuple[str, ...] = ()
    not_retried: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def selected(self) -> tuple[JobReport, ...]:
        """The jobs that were asked for."""
        return tuple(job for job in self.jobs if job.selected)

    @property
    def exit_code(self) -> ExitCode:
        """``DONE`` only if everything that was asked for is completed."""
        return _exit_code_of(self.selected)


@dataclass(frozen=True)
class StatusReport:
    """Every job as it stands; ``warnings`` say which executor could not be asked."""

    jobs: tuple[JobReport, ...]
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """``DONE`` only if everything is completed."""
        return _exit_code_of(self.jobs)


def _exit_code_of(jobs: Sequence[JobReport]) -> ExitCode:
    """``DONE`` if all are completed, ``FAILED`` if one failed, else ``UNFINISHED``; so is nothing at all."""
    states = {job.state for job in jobs}
    if states == {JobState.COMPLETED}:
        return ExitCode.DONE
    return ExitCode.FAILED if JobState.FAILED in states else ExitCode.UNFINISHED
