"""Finds trainings that run clearly slower than the plan estimates, and those that their time limit will end.

A training is slow if, at the pace of its latest steps, it takes more than one and a half times its estimate, and at
least two minutes more. Nothing is judged before five percent of the steps, and ten steps of this submission, are done.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tunebook.artifacts.progress import Progress
from tunebook.core.jobs import Job, JobState
from tunebook.core.shortened import counted, named
from tunebook.run.report import JobReport, Pace

__all__ = ["SlowTrainings", "pace_of", "with_pace"]

_CLEARLY = 1.5
_LEAST_EXCESS_S = 120.0
_LEAST_STEPS = 10
_LEAST_SHARE = 0.05
_FEW = 3  # warnings at one time, one by one


def pace_of(progress: Progress, *, estimate_min: float | None, limit_min: float | None) -> Pace | None:
    """The pace of a training that is slow or will be cut short; ``None`` for any other, and as long as it is unclear.

    Args:
        estimate_min: the plan's, of the whole training.
        limit_min: the time limit of the submission; ``None`` if nothing ends it.
    """
    total, left_s, step_s = progress.total_steps, progress.seconds_left, progress.seconds_per_step
    elapsed_s = progress.elapsed_s
    if not total or left_s is None or not step_s or elapsed_s is None:
        return None
    if progress.timed_steps < _LEAST_STEPS or progress.step < _LEAST_SHARE * total:
        return None
    of_submission_s = elapsed_s + left_s
    projected_s = of_submission_s
    if progress.is_resumed:
        projected_s = step_s * total
    missed_s = _missed_estimate_s(projected_s, estimate_min)
    limit_s = math.inf if limit_min is None else 60 * limit_min
    if of_submission_s > limit_s:
        cut_at = progress.step + int(max(0.0, limit_s - elapsed_s) / step_s)
        return Pace(step_s, projected_s, total, missed_s, limit_s, cut_at)
    if missed_s is None:
        return None
    return Pace(step_s, projected_s, total, missed_s)


def _missed_estimate_s(projected_s: float, estimate_min: float | None) -> float | None:
    """The estimate, if the training takes clearly longer."""
    if estimate_min is None:
        return None
    estimate_s = 60 * estimate_min
    longest_s = max(_CLEARLY * estimate_s, estimate_s + _LEAST_EXCESS_S)
    return estimate_s if projected_s > longest_s else None


def with_pace(report: JobReport, *, has_limit: bool) -> JobReport:
    """The job with its pace, if it runs and is slow or will be cut short.

    Args:
        has_limit: whether its executor ends jobs at their time limit. An allocation that jobs share has one of its own.
    """
    if report.state is not JobState.RUNNING or report.progress is None:
        return report
    job = report.job
    limit_min = job.resources.time_min if has_limit and "/" not in report.job_id else None
    return replace(report, pace=pace_of(report.progress, estimate_min=job.estimate_min, limit_min=limit_min))


class SlowTrainings:
    """Words each slow training once, and once more if it turns out that its time limit will end it."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str, bool]] = set()

    def warnings(self, reports: Sequence[JobReport]) -> Iterator[str]:
        """Yields the new warnings; above a few at one time they are one."""
        paced = [(report, report.pace) for report in reports if report.pace is not None]
        new = [(report, pace) for report, pace in paced if self._is_new(report, pace)]
        if len(new) <= _FEW:
            for report, pace in new:
                yield _warning(report, pace)
            return
        names = named([report.job.name for report, _ in new])
        slow = counted(len(new), "training")
        cut = sum(pace.is_cut for _, pace in new)
        ended = f"; their time limits will end {cut} of them" if cut else ""
        yield f"{slow} take clearly longer than planned ({names}){ended}: `tunebook status --all` shows each"

    def _is_new(self, report: JobReport, pace: Pace) -> bool:
        key = (report.job.name, report.job_id, pace.is_cut)
        is_new = key not in self._known
        self._known |= {key, (report.job.name, report.job_id, False)}
        return is_new


def _warning(report: JobReport, pace: Pace) -> str:
    text = f"{report.job.name}: {pace}"
    if not pace.is_cut:
        return text
    return f"{text}. {_remedy(report, pace)}"


def _remedy(report: JobReport, pace: Pace) -> str:
    """When the time limit ends it, what is lost, and what to do."""
    job = report.job
    when = _clock(report.started, pace.limit_s or 0.0)
    ended = f"The scheduler ends it{when}"
    raised = "raise its Est. Time in the plan (the time limit is twice that), `tunebook scaffold`"
    if _saved_epochs(job, pace):
        return f"{ended}; {raised}, and `tunebook run --retry-failed` resumes it from its last saved epoch"
    again = "before an epoch is saved, so that it would begin again"
    return f"{ended}, {again}: `tunebook cancel --run {job.run}`, {raised}, `tunebook run`"


def _saved_epochs(job: Job, pace: Pace) -> int:
    """How many epochs are saved when the time limit ends the training."""
    if not job.checkpoints or pace.cut_at is None:
        return 0
    return int(pace.cut_at * len(job.checkpoints) / pace.total_steps)


def _clock(started: str, seconds: float) -> str:
    """`` at 14:32`` in the time of this machine; empty without a start."""
    try:
        end = datetime.fromisoformat(started) + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return ""
    return f" at {end.astimezone():%Y-%m-%d %H:%M}"
