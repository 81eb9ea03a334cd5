"""Condenses the jobs of a sweep to a screenful: counts by stage and state, and the jobs that need a person's attention.

Failed, unknown, running and blocked jobs need attention. Where they are too many as well, jobs of one stage and state
with the same reason become one line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tunebook.core.jobs import JobState, Stage, count_states
from tunebook.core.shortened import counted, named
from tunebook.run.report import JobReport

__all__ = [
    "COUNTED",
    "Condensed",
    "JobGroup",
    "condense",
    "group_jobs",
    "needs_attention",
    "stage_counts",
    "state_counts",
]

_ORDER = (JobState.FAILED, JobState.UNKNOWN, JobState.RUNNING, JobState.PENDING, JobState.COMPLETED)
"""The order in which a person should see jobs."""
COUNTED = (JobState.COMPLETED, JobState.FAILED, JobState.UNKNOWN, JobState.RUNNING, JobState.PENDING)
"""The order of counts."""


@dataclass(frozen=True)
class JobGroup:
    """Jobs of one stage in one state, for the same reason but for their own names in it."""

    jobs: tuple[JobReport, ...]

    @property
    def state(self) -> JobState:
        """The state of all of them."""
        return self.jobs[0].state

    def __str__(self) -> str:
        first = self.jobs[0]
        line = f"{counted(len(self.jobs), first.job.stage.noun)} {self.state.value}"
        if first.notes:
            line += f": {first.notes}"
        if len({job.notes for job in self.jobs}) > 1:
            line += ", and alike"
        return f"{line} ({named([job.job.name for job in self.jobs])})"


@dataclass(frozen=True)
class Condensed:
    """A sweep's jobs on a screenful.

    Attributes:
        counts: one line per stage.
        rows: the jobs that are shown one by one, in the order in which a person should see them.
        groups: the jobs that are shown together.
        hidden: how many jobs that need attention are in neither, by state.
    """

    counts: tuple[str, ...]
    rows: tuple[JobReport, ...] = ()
    groups: tuple[JobGroup, ...] = ()
    hidden: str = ""


def state_counts(jobs: Iterable[JobReport]) -> dict[Stage, Counter[JobState]]:
    """How many jobs of each stage are in each state; stages without a job are left out."""
    counts: dict[Stage, Counter[JobState]] = {}
    for job in jobs:
        counts.setdefault(job.job.stage, Counter())[job.state] += 1
    return {stage: counts[stage] for stage in Stage if stage in counts}


def stage_counts(jobs: Iterable[JobReport]) -> Iterator[str]:
    """Yields ``1,000 trainings: 950 completed, 3 failed, 47 pending`` for each stage."""
    for stage, counts in state_counts(jobs).items():
        yield f"{counted(counts.total(), stage.noun)}: {count_states(counts.elements(), COUNTED)}"


def needs_attention(job: JobReport) -> bool:
    """Whether it failed, runs or is blocked, or its end is unknown; a job that waits in a queue needs none."""
    if job.state is JobState.PENDING:
        return bool(job.reason) and not job.in_flight
    return job.state is not JobState.COMPLETED


def condense(jobs: Sequence[JobReport], space: int) -> Condensed:
    """Condenses jobs to about ``space`` lines below the counts."""
    counts = tuple(stage_counts(jobs))
    urgent = sorted(filter(needs_attention, jobs), key=lambda job: (_ORDER.index(job.state), job.pace is None))
    if len(urgent) <= space:
        return Condensed(counts, tuple(urgent))
    running = [job for job in urgent if job.state is JobState.RUNNING]
    groups = group_jobs(job for job in urgent if job.state is not JobState.RUNNING)
    places = space - 1  # one line counts what is hidden
    shown = groups[: max(1, places - min(len(running), space // 2))]
    rows = running[: max(0, places - len(shown))]
    hidden = Counter(job.state for job in urgent)
    hidden.subtract(job.state for job in rows)
    hidden.subtract(job.state for group in shown for job in group.jobs)
    return Condensed(counts, tuple(rows), tuple(shown), count_states(hidden.elements(), COUNTED))


def group_jobs(jobs: Iterable[JobReport]) -> list[JobGroup]:
    """Groups jobs by stage, state and reason; those that a person should see first come first, then the largest."""
    groups: dict[tuple[Stage, JobState, str], list[JobReport]] = {}
    for job in jobs:
        groups.setdefault((job.job.stage, job.state, _kind(job)), []).append(job)
    found = [JobGroup(tuple(members)) for members in groups.values()]
    return sorted(found, key=lambda group: (_ORDER.index(group.state), -len(group.jobs)))


def _kind(report: JobReport) -> str:
    """The reason without the names of this job and its run, so that jobs with the same cause are equal."""
    job, text = report.job, report.notes
    for name in (job.name, *job.needs, *job.checkpoints, job.directory, job.run):
        if name:
            text = text.replace(name, "…")
    return text
