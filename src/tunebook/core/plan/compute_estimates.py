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
from tunebook.core.units import spoken_minutes

__all__ = ["ComputeEstimatesSection"]

# Names in an older template.
_PER_RUN = {"per-run time", "per run time"}
_PER_EVALUATION = ("per-eval time", "per eval time")
# Bullets for people among the models; `Total GPU hours: 1.4 h` is not a model's estimate.
_FACTS = ("total", "basis", "memory of ")


class _TrainingSection(Section):
    """A bullet per model, and facts on all trainings."""

    title = "Training"
    aliases = ("training time", "fine tuning", "finetuning")
    decides = True

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        source.ignore(*_FACTS)
        self._leave_older(source, plan)
        estimates: dict[str, float] = {}
        models = {run.model for run in plan.runs} | {model.name for model in plan.models}
        for bullet in source.bullets:
            if source.is_read(bullet) or bullet.name not in models:
                continue
            source.take(bullet)
            duration_min = source.minutes(bullet.value, f"the time of `{bullet.name}`")
            if duration_min and estimates.setdefault(bullet.name, duration_min) != duration_min:
                source.problem(f"`{bullet.name}` has two times", bullet.line, "keep one of them")
        return replace(plan, estimates=replace(plan.estimates, training_min=MappingProxyType(estimates)))

    def _leave_older(self, source: SectionReader, plan: Plan) -> None:
        """The time of a run, or of its epochs, in an older template: the runs table has each run's time too."""
        older = [bullet for bullet in source.bullets if bullet.key in _PER_RUN]
        for bullet in older:
            source.take(bullet)
            if any(run.estimate_min is None for run in plan.fine_tuned):
                hint = "write each run's time in the column `Est. Time` of `## All Runs`"
                source.warn(f"`{bullet.name}` is not read", bullet.line, hint)

    def write(self, target: Writing) -> Iterator[str]:
        for model, duration_min in target.plan.estimates.training_min.items():
            runs = [run for run in target.plan.fine_tuned if run.model == model]
            total_min = sum(run.estimate_min or duration_min for run in runs)
            each = f"~{spoken_minutes(duration_min)} per run"
            if any(run.estimate_min not in {None, duration_min} for run in runs):
                each += " at most,"
            else:
                each += " ×"
            yield fact_line(escape_text(model), f"{each} {len(runs)} runs = {spoken_minutes(total_min)}")
        for name, text in target.details.training:
            yield fact_line(name, text)


class _EvaluationSection(Section):
    """The time of one evaluation, and facts on all evaluations."""

    title = "Evaluation"
    aliases = ("evaluations", "evaluation time")
    decides = True
    names = ("Per evaluation", "Total evaluations", "Total eval time", "Basis")

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        source.ignore(*_FACTS)
        each = source.bullet("per evaluation", *_PER_EVALUATION)
        if each is None:
            return plan
        each_min = source.minutes(each.value, each.name)
        return replace(plan, estimates=replace(plan.estimates, evaluation_min=each_min))

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
    aliases = ("compute estimate", "computing estimates", "estimates", "time estimates")
    decides = True
    parts = (_TrainingSection(), _EvaluationSection(), _DiskSpaceSection())

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        plan = super().read(source, plan)
        source.ignore(*_FACTS)
        return plan
