"""The report's answer where the plan's measure is one that only all samples together have, such as ``auc``."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.analysis.formatting import Scale, p_text, plural
from tunebook.analysis.records import Measure, TaskUse
from tunebook.analysis.report.answer_words import Shown, corrected_text, counts_text, difference_text
from tunebook.analysis.statistics.aggregates import Aggregate, AggregateComparison, is_called
from tunebook.analysis.values import Analysis

__all__ = ["answer_of_aggregate", "in_place_of"]

_NUMBER = Scale(is_percent=False)
_Compared = tuple[Aggregate, AggregateComparison]


def answer_of_aggregate(analysis: Analysis, task: TaskUse) -> str:
    """The plan's measure of the best run against its base model, and what stands in for it; empty without values."""
    values = _values(analysis, task)
    if not values:
        return ""
    measure = Measure(values[0].measure, values[0].direction)
    subject = f"{measure.name} on {task.name} ({measure.reading})"
    tested = [(value, value.comparison) for value in values]
    compared = [(value, each) for value, each in tested if each is not None and each.p is not None]
    if not compared:
        return f"{subject}: no run could be compared with its base model. {in_place_of(task)}"
    best = max(compared, key=lambda each: measure.goodness(each[1].value))
    sentences = [_best_sentence(analysis, best, compared, measure)]
    found = [each.difference for _, each in compared if each.significant]
    if found:
        sentences.append(counts_text(found, len(compared), measure, "run"))
    sentences.append(in_place_of(task))
    return f"{subject}: {' '.join(filter(None, sentences))}"


def in_place_of(task: TaskUse, *, is_answered: bool = True) -> str:
    """The measure that is tested in place of the plan's; ``is_answered`` if the answer is about the plan's."""
    wanted = task.wanted.name if task.wanted is not None else ""
    where = "everywhere else"
    if not is_answered:
        where = "in the hypotheses and everywhere else"
    return (
        f"No single sample of {task.name} has {wanted}: {where} {task.headline.name} ({task.headline.reading}) "
        "stands in for it."
    )


def _values(analysis: Analysis, task: TaskUse) -> list[Aggregate]:
    """The defined values of the measure that the plan names, by the first scorer that has it."""
    wanted = task.wanted.name if task.wanted is not None else ""
    own = [each for each in analysis.aggregates.results if each.task == task.name and each.value is not None]
    named = [each for each in own if is_called(wanted, each.measure)]
    return [each for each in named if each.measure == named[0].measure]


def _best_sentence(analysis: Analysis, best: _Compared, compared: Sequence[_Compared], measure: Measure) -> str:
    """The run with the best value, and its tested difference from its base model."""
    value, comparison = best
    score = _NUMBER.value(comparison.value)
    named = f"{analysis.labels[value.run]} is best with {score}"
    base = f"its base model {analysis.labels[comparison.base]} with {_NUMBER.value(comparison.base_value)}"
    difference = difference_text(_NUMBER, comparison.difference, Shown(comparison.interval))
    end = f"{difference}, {p_text(comparison.p_holm)}{corrected_text(comparison.family)}."
    if not any(each.significant for _, each in compared):
        runs = plural(len(compared), "run")
        return f"no difference from the base model was detected in {runs}; {named}, against {base}: {end}"
    if not comparison.significant:
        return f"{named}, with no detected difference from {base}: {end}"
    if measure.is_better(comparison.difference, 0.0):
        return f"{named}, significantly better than {base}: {end}"
    if any(measure.is_better(each.difference, 0.0) for _, each in compared):
        return f"{named}, significantly worse than {base}: {end}"
    return (
        "No run is better than its base model; the best of the fine-tuned ones is "
        f"{analysis.labels[value.run]} with {score}, significantly worse than {base}: {end}"
    )
