"""The status tables of a page on which nothing has run yet."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.core.jobs import JobState
from tunebook.core.plan import Plan
from tunebook.core.settings import evaluations
from tunebook.core.status import EvaluationRow, TrainingRow, update_status

__all__ = ["pending_rows", "status_lines"]


def pending_rows(plan: Plan) -> tuple[tuple[TrainingRow, ...], tuple[EvaluationRow, ...]]:
    """A row for every training and every evaluation, all of them pending."""
    training = tuple(TrainingRow(run.name, JobState.PENDING) for run in plan.fine_tuned)
    rows = tuple(EvaluationRow(item.run, item.task, item.epoch, JobState.PENDING) for item in evaluations(plan))
    return training, rows


def status_lines(plan: Plan) -> Iterator[str]:
    """``## Status`` with its tables."""
    yield from update_status("", *pending_rows(plan)).rstrip("\n").split("\n")
