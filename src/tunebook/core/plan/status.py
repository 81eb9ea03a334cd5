"""``## Status``: the state of every training and evaluation; ``tunebook run`` keeps it up to date."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.core.jobs import JobState
from tunebook.core.plan.rewrite import STATUS_TITLES, EvaluationRow, TrainingRow, update_status
from tunebook.core.plan.section import Section, SectionReader, Writing
from tunebook.core.plan.settings import evaluations
from tunebook.core.plan.values import Plan

__all__ = ["StatusSection", "pending_rows"]


def pending_rows(plan: Plan) -> tuple[tuple[TrainingRow, ...], tuple[EvaluationRow, ...]]:
    """A row for every training and every evaluation, all of them pending."""
    training = tuple(TrainingRow(run.name, JobState.PENDING) for run in plan.fine_tuned)
    rows = tuple(EvaluationRow(item.run, item.task, item.epoch, JobState.PENDING) for item in evaluations(plan))
    return training, rows


class StatusSection(Section):
    """Two tables that are no part of the Plan: :func:`update_status` reads and writes them."""

    title = "Status"

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        for title in STATUS_TITLES:
            part = source.subsection(title)
            if part is not None:
                part.table()
        return plan

    def write(self, target: Writing) -> Iterator[str]:
        section = update_status("", *pending_rows(target.plan))
        yield from section.rstrip("\n").split("\n")[1:]
