"""Lists what a run will do, and why, before anything is submitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tunebook.core.jobs import Job, JobState, Stage
from tunebook.core.shortened import counted, named
from tunebook.core.times import local_text
from tunebook.run.job_set import JobSet
from tunebook.run.job_state import JobInRun

__all__ = ["Preview", "PreviewedJob", "preview_lines", "preview_of"]

_MOST_LINES = 20


@dataclass(frozen=True)
class PreviewedJob:
    """One selected job, and what the run does about it.

    Attributes:
        reason: why it is run, or why it is not.
        details: what changed since it ran, as far as it is known.
        repeats: whether it had ended well, so that completed work is repeated.
    """

    job: Job
    reason: str
    details: str = ""
    repeats: bool = False


@dataclass(frozen=True)
class Preview:
    """The preview of a run: the selected jobs by what happens to them.

    Attributes:
        to_run: jobs that are submitted, now or when those that they need are completed.
        watched: jobs of earlier runs that are queued or running, or whose end is not known yet.
        left: jobs that failed, or that wait for jobs that this run does not run.
        completed: how many jobs are completed and stay so.
    """

    to_run: tuple[PreviewedJob, ...] = ()
    watched: tuple[PreviewedJob, ...] = ()
    left: tuple[PreviewedJob, ...] = ()
    completed: int = 0

    @property
    def repeated(self) -> tuple[PreviewedJob, ...]:
        """The jobs whose completed work is repeated."""
        return tuple(one for one in self.to_run if one.repeats)


def preview_of(jobs: JobSet) -> Preview:
    """Returns what a run will do with these jobs, as they were recorded; the executor is not asked."""
    to_run: list[PreviewedJob] = []
    watched: list[PreviewedJob] = []
    left: list[PreviewedJob] = []
    completed = 0
    for one in jobs.by_name.values():
        entry = one.evidence.entry
        if not one.selected:
            continue
        if one.is_completed:
            completed += 1
        elif entry is not None and entry.is_open and one.verdict.ask:
            watched.append(PreviewedJob(one.job, f"submitted {local_text(entry.submitted)}"))
        elif not jobs.is_wanted(one):
            left.append(PreviewedJob(one.job, f"failed: {one.verdict.explanation}"))
        elif obstacle := jobs.lasting_obstacle(one):
            left.append(PreviewedJob(one.job, obstacle))
        else:
            to_run.append(_to_run(one))
    return Preview(tuple(to_run), tuple(watched), tuple(left), completed)


def _to_run(one: JobInRun) -> PreviewedJob:
    verdict, outcome, entry = one.verdict, one.evidence.own_outcome, one.evidence.entry
    if one.has_failed:
        word = "failed"
        if entry is not None and (entry.was_interrupted or entry.cancelled):
            word = "interrupted"
        return PreviewedJob(one.job, f"{word}: {verdict.reason}", verdict.details)
    has_run = outcome is not None or entry is not None
    is_repeated = outcome is not None and outcome.exit_code == 0 and verdict.state is JobState.PENDING
    reason = verdict.reason or ("it has to run again" if has_run else "never ran")
    return PreviewedJob(one.job, reason, verdict.details, is_repeated)


def preview_lines(preview: Preview) -> tuple[str, ...]:
    """The preview as lines for people: jobs with one reason are one line, however many they are."""
    lines = [f"{_count(preview.to_run)} to run" + (":" if preview.to_run else "")]
    lines += _grouped(preview.to_run)
    if preview.watched:
        lines += [f"{_count(preview.watched)} of an earlier run watched:", *_grouped(preview.watched)]
    if preview.left:
        lines += [f"{_count(preview.left)} left alone (`--retry-failed` runs failed jobs again):"]
        lines += _grouped(preview.left)
    if preview.completed:
        lines.append(f"{preview.completed:,} completed")
    if preview.repeated:
        lines.append(f"Completed work is repeated: {_count(preview.repeated)}.")
    return tuple(lines)


def _count(jobs: Sequence[PreviewedJob]) -> str:
    """``2 trainings and 1 evaluation``."""
    numbers = {stage: sum(one.job.stage is stage for one in jobs) for stage in Stage}
    parts = [counted(number, stage.noun) for stage, number in numbers.items() if number]
    return " and ".join(parts) or "no jobs"


def _grouped(jobs: Sequence[PreviewedJob]) -> Iterator[str]:
    groups: dict[tuple[Stage, str], list[PreviewedJob]] = {}
    for one in jobs:
        groups.setdefault((one.job.stage, one.reason), []).append(one)
    for number, ((_, reason), members) in enumerate(groups.items()):
        if number == _MOST_LINES:
            yield f"  and {len(groups) - number} more reasons: `--dry-run --json` lists all"
            return
        names = list(dict.fromkeys(one.job.name for one in members))
        yield f"  {_count(members)}: {reason}{_details(members)} ({named(names)})"


def _details(members: Sequence[PreviewedJob]) -> str:
    found = list(dict.fromkeys(one.details for one in members))
    if not found[0]:
        return ""
    if len(found) == 1:
        return f": {found[0]}"
    return f": {found[0]}, and others"
