"""The measures of a task: which there are, which is the headline, what is better, and what is written as percent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from tunebook.analysis.collect.derived import is_mean_of, nearest_measure
from tunebook.analysis.records import Measure
from tunebook.core.measures import Direction, direction_of, is_error, is_share, is_unclear
from tunebook.core.plan import EvaluationTask, Plan
from tunebook.errors import PlanError
from tunebook.tools.results import LogHeader, Samples

__all__ = ["measures_of", "wanted_aggregate"]

_GRADES = {0.0, 0.5, 1.0}  # incorrect, partly correct, correct


def measures_of(
    plan: Plan, task: EvaluationTask, evaluations: Sequence[Samples], headers: Sequence[LogHeader]
) -> tuple[Measure, ...]:
    """The measures that evaluations of a task logged, the headline measure first.

    Args:
        evaluations: all evaluations of the task.
        headers: of their logs, which may say what is better; the plan's column comes before them, names after.

    Raises:
        PlanError: the plan names a headline measure that no log has.
    """
    names = list(dict.fromkeys(chain.from_iterable(samples.values for samples in evaluations)))
    measures = [_as_logged(_measure(name, evaluations), headers) for name in names]
    headline = next(iter(names), "")
    if task.measure and names:
        headline = _headline(plan, task, names)
    measures.sort(key=lambda measure: measure.name != headline)
    if measures and task.direction is not None and not wanted_aggregate(task, measures):
        measures[0] = replace(measures[0], direction=task.direction)
    return tuple(measures)


def _measure(name: str, evaluations: Sequence[Samples]) -> Measure:
    """A measure with what its name and its values tell: right, wrong and partly right are grades."""
    values = set(chain.from_iterable(samples.values.get(name, ()) for samples in evaluations)) - {None}
    has_grades = bool(values) and values <= _GRADES and not is_error(name)
    direction = direction_of(name)
    if direction is Direction.UNKNOWN and has_grades and not is_unclear(name):
        direction = Direction.HIGHER
    return Measure(name, direction, is_share=has_grades or is_share(name))


def _as_logged(measure: Measure, headers: Sequence[LogHeader]) -> Measure:
    """The measure with the direction and the reducer that the logs name; logs that contradict each other name none."""
    directions = {header.directions[measure.name] for header in headers if measure.name in header.directions}
    if len(directions) == 1:
        measure = replace(measure, direction=directions.pop())
    reducers = dict.fromkeys(header.reducer for header in headers if header.reducer)
    return replace(measure, reducer=" or ".join(reducers))


def _headline(plan: Plan, task: EvaluationTask, names: Sequence[str]) -> str:
    """The measure that the plan names: by its whole name, or by the part behind the scorer's if that is unique."""
    if task.measure in names:
        return task.measure
    fitting = [name for name in names if name.rpartition("/")[2] == task.measure]
    if len(fitting) == 1:
        return fitting[0]
    nearest = nearest_measure(task.measure, names)
    if nearest and not fitting:
        return nearest
    message = f"task `{task.name}`: no log has the measure `{task.measure}`"
    if fitting:
        message = f"task `{task.name}`: several measures are called `{task.measure}`"
    raise PlanError(message, file=plan.file, line=task.line, hint=f"write one of these: {', '.join(names)}")


def wanted_aggregate(task: EvaluationTask, measures: Sequence[Measure]) -> Measure | None:
    """The measure that the plan names if only all samples together have it; ``None`` if a sample has it too."""
    names = [measure.name for measure in measures]
    is_measure = any(task.measure in {name, name.rpartition("/")[2]} for name in names)
    nearest = "" if is_measure or not task.measure else nearest_measure(task.measure, names)
    if not nearest or is_mean_of(task.measure, nearest):
        return None
    return Measure(task.measure, task.direction or direction_of(task.measure))
