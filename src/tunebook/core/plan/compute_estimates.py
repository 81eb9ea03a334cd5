"""``## Compute Estimates``: the time of one training of each model, and of one evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

from tunebook.core.markdown import escape_text, fact_line
from tunebook.core.plan.for_people import SectionForPeople
from tunebook.core.plan.section import Section, SectionOfParts, SectionReader, Writing
from tunebook.core.plan.settings import evaluations
from tunebook.core.plan.values import Plan
from tunebook.core.units import minutes, spoken_minutes

__all__ = ["ComputeEstimatesSection"]


class _TrainingSection(Section):
    """A bullet per model, and facts on all trainings."""

    title = "Training"

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        source.ignore("memory of ")
        estimates: dict[str, float] = {}
        for bullet in source.bullets:
            is_fact = bullet.key.startswith(("total", "basis"))
            duration_min = minutes(bullet.value.text) if bullet.name else None
            if duration_min and not is_fact:
                estimates[bullet.name] = duration_min
            if duration_min or is_fact:
                source.take(bullet)
        return replace(plan, estimates=replace(plan.estimates, training_min=MappingProxyType(estimates)))

    def write(self, target: Writing) -> Iterator[str]:
        for model, duration_min in target.plan.estimates.training_min.items():
            runs = [run for run in target.plan.fine_tuned if run.model == model]
            total_min = sum(run.estimate_min or duration_min for run in runs)
            is_even = all(run.estimate_min in {None, duration_min} for run in runs)
            times = " ×" if is_even else " at most,"
            text = f"~{spoken_minutes(duration_min)} per run{times} {len(runs)} runs = {spoken_minutes(total_min)}"
            yield fact_line(escape_text(model), text)
        for name, text in target.details.training:
            yield fact_line(name, text)


class _EvaluationSection(Section):
    """The time of one evaluation, and facts on all evaluations."""

    title = "Evaluation"

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        source.ignore("total ", "basis")
        each = source.bullet("per evaluation")
        if each is None:
            return plan
        return replace(plan, estimates=replace(plan.estimates, evaluation_min=minutes(each.value.text)))

    def write(self, target: Writing) -> Iterator[str]:
        each_min = target.plan.estimates.evaluation_min
        if each_min:
            count = len(evaluations(target.plan))
            yield fact_line("Per evaluation", f"~{spoken_minutes(each_min)}")
            yield fact_line("Total eval time", f"~{spoken_minutes(each_min * count)} ({count} evaluations)")
        for name, text in target.details.evaluation:
            yield fact_line(name, text)


class _DiskSpaceSection(SectionForPeople):
    """The space that checkpoints need."""

    title = "Disk Space"

    def write(self, target: Writing) -> Iterator[str]:
        for name, text in target.details.disk:
            yield fact_line(name, text)


class ComputeEstimatesSection(SectionOfParts):
    """Estimates of time, which become the time limits of jobs, and of disk space."""

    title = "Compute Estimates"
    parts = (_TrainingSection(), _EvaluationSection(), _DiskSpaceSection())
