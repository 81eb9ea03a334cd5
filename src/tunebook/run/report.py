"""The results of a run and of its jobs: frozen values for tables and for JSON, and the exit code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tunebook.artifacts.progress import Progress
from tunebook.artifacts.times import elapsed_s
from tunebook.core.jobs import Job, JobState
from tunebook.core.units import spoken_duration
from tunebook.errors import ExitCode

__all__ = ["JobReport", "Pace", "RunReport", "Snapshot", "StatusReport"]


@dataclass(frozen=True)
class Pace:
    """The pace of a training that takes clearly longer than planned.

    Attributes:
        projected_s: of the whole training, at the pace of its latest steps.
        estimate_s: the plan's estimate; ``None`` if the training is not slower than that.
        limit_s: the time limit that will end it; ``None`` if it fits.
        cut_at: the step at which the time limit will end it.
    """

    seconds_per_step: float
    projected_s: float
    total_steps: int
    estimate_s: float | None = None
    limit_s: float | None = None
    cut_at: int | None = None

    @property
    def is_cut(self) -> bool:
        """Whether the time limit will end it."""
        return self.limit_s is not None

    @property
    def note(self) -> str:
        """The pace in few words, for a table."""
        parts = []
        if self.estimate_s is not None:
            parts.append(
                f"slow: {spoken_duration(self.projected_s)} in all, {spoken_duration(self.estimate_s)} estimated"
            )
        if self.cut_at is not None:
            parts.append(f"the time limit ends it near step {self.cut_at}")
        return "; ".join(parts)

    def __str__(self) -> str:
        text = f"{spoken_duration(self.projected_s)} in all at {self.seconds_per_step:.3g} s per step"
        if self.estimate_s is not None:
            text = f"slow: {text}, {spoken_duration(self.estimate_s)} estimated"
        if self.limit_s is not None:
            text += f"; the time limit of {spoken_duration(self.limit_s)} ends it near step {self.cut_at}"
            text += f" of {self.total_steps}"
        return text


@dataclass(frozen=True)
class JobReport:
    """One job in its present state.

    Attributes:
        selected: whether the person asked for it.
        reason: why it failed or waits; otherwise empty.
        job_id: the executor's id of the latest submission.
        started: ISO 8601 with the time zone, or empty; so is ``ended``.
        loss: the last training loss.
        score: the evaluation's first score.
        output: absolute path of the file with the job's output.
        tail: of a job that failed, the two lines of its output that show the failure best.
        progress: of a training that runs.
        node: where it runs.
        kind: the kind of a failure, in one word; empty for an unknown kind.
        advice: what to do about the failure.
        deviation: the plan's settings that it did not get, in words; empty if it got all.
        pace: of a running training that takes clearly longer than planned.
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
    pace: Pace | None = None

    @property
    def in_flight(self) -> bool:
        """Whether an executor has it."""
        return bool(self.job_id) and self.state.is_going

    @property
    def elapsed_s(self) -> float | None:
        """Wall seconds from start to end; ``None`` if they are not known."""
        return elapsed_s(self.started, self.ended)

    @property
    def notes(self) -> str:
        """The text for the column Notes of the status tables."""
        return ", ".join(part for part in (self.reason, self.deviation) if part)


@dataclass(frozen=True)
class _Jobs:
    """Every job of the experiment, selected or not."""

    jobs: tuple[JobReport, ...]

    @property
    def selected(self) -> tuple[JobReport, ...]:
        """The jobs that the person asked for."""
        return tuple(job for job in self.jobs if job.selected)

    @property
    def exit_code(self) -> ExitCode:
        """``DONE`` if all selected are completed, ``FAILED`` if one failed, otherwise (also without) ``UNFINISHED``."""
        states = {job.state for job in self.selected}
        if states == {JobState.COMPLETED}:
            return ExitCode.DONE
        if JobState.FAILED in states:
            return ExitCode.FAILED
        return ExitCode.UNFINISHED


@dataclass(frozen=True)
class Snapshot(_Jobs):
    """All jobs at one moment, for a live table.

    Attributes:
        note: what prevents progress: a scheduler that is silent, a queue that is full.
        warnings: all of the run so far.
    """

    time: datetime
    note: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class StatusReport(_Jobs):
    """Every job in its present state; ``warnings`` name the executors that could not be asked."""

    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunReport(StatusReport):
    """How a run ended; its warnings are problems that stopped no job.

    Attributes:
        submitted: names of the jobs that this run submitted.
        not_retried: names of the jobs that failed in an earlier run and were left alone.
    """

    submitted: tuple[str, ...] = ()
    not_retried: tuple[str, ...] = ()
