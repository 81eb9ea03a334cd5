"""Adds the measures that follow from what logs have of each sample: ``brier``, ``absolute_error``, ``parse_rate``.

As measures of samples they are tested, ranked and drawn like those that a scorer logs. Measures that only all samples
together have, such as the area under the ROC curve, are in :mod:`tunebook.analysis.statistics.aggregates`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tunebook.analysis.collect.numbers import (
    Numbers,
    is_absolute_error,
    is_number_error,
    number_scorers,
    read_numbers,
)
from tunebook.analysis.collect.risks import Risks, read_risks, risk_scorers
from tunebook.analysis.records import EvaluationKey
from tunebook.tools.results import Samples

__all__ = ["add_derived", "is_mean_of", "nearest_measure"]

_BRIER, _ABSOLUTE_ERROR, _PARSE_RATE = "brier", "absolute_error", "parse_rate"
_NEAREST = {  # what the plan may name as the headline, and the measure of samples that is tested in its place
    "auc": _BRIER,
    "auroc": _BRIER,
    "roc_auc": _BRIER,
    "ece": _BRIER,
    "risk_calibration_error": _BRIER,
    "mae": _ABSOLUTE_ERROR,
    "mse": _ABSOLUTE_ERROR,
    "rmse": _ABSOLUTE_ERROR,
    "r2": _ABSOLUTE_ERROR,
    "r_squared": _ABSOLUTE_ERROR,
}

_Column = tuple[float | None, ...]


def nearest_measure(wanted: str, names: Sequence[str]) -> str:
    """The measure of samples that stands for one that only all samples together have; empty if none can.

    Args:
        wanted: the measure that the plan names, such as ``auc`` or ``scorer/rmse``.
        names: the measures of the samples.
    """
    scorer, _, key = wanted.rpartition("/")
    nearest = _NEAREST.get(key, "")
    fitting = []
    for name in names:
        is_meant = name.rpartition("/")[2] == nearest or (nearest == _ABSOLUTE_ERROR and is_absolute_error(name))
        if nearest and is_meant and scorer in {"", name, name.rpartition("/")[0]}:
            fitting.append(name)
    return fitting[0] if len(fitting) == 1 else ""


def is_mean_of(wanted: str, measure: str) -> bool:
    """Whether a measure of all samples is but the mean of a measure of samples, as ``mae`` is of absolute errors."""
    return is_absolute_error(wanted) and is_absolute_error(measure)


def add_derived(samples: Mapping[EvaluationKey, Samples]) -> dict[EvaluationKey, Samples]:
    """The evaluations' samples with the measures that follow from them, behind those that were logged."""
    numbers: dict[EvaluationKey, list[Numbers]] = {}
    unparsed: set[tuple[str, str]] = set()  # tasks and scorers with an answer that has no number
    for key, own in samples.items():
        numbers[key] = [read_numbers(own, scorer) for scorer in number_scorers(own)]
        unparsed |= {(key.task, found.scorer) for found in numbers[key] if found.unparsed}
    added: dict[EvaluationKey, dict[str, _Column]] = {}
    kept: dict[EvaluationKey, dict[str, _Column]] = {}
    for key, own in samples.items():
        kept[key], added[key] = dict(own.values), {}
        for scorer in risk_scorers(own):
            added[key][f"{scorer}/{_BRIER}"] = _brier(read_risks(own, scorer))
        for found in numbers[key]:
            kept[key] |= _without_missing(kept[key], found)
            if not any(is_absolute_error(name) and _is_of(name, found.scorer) for name in kept[key]):
                added[key][f"{found.scorer}/{_ABSOLUTE_ERROR}"] = _absolute_errors(found)
            if (key.task, found.scorer) in unparsed:
                added[key][f"{found.scorer}/{_PARSE_RATE}"] = _parsed(found)
    useful = _useful(added)
    derived = {}
    for key, own in samples.items():
        names = [name for name in added[key] if name not in kept[key] and (key.task, name) in useful]
        derived[key] = replace(own, values=kept[key] | {name: added[key][name] for name in names})
    return derived


def _useful(added: Mapping[EvaluationKey, Mapping[str, _Column]]) -> set[tuple[str, str]]:
    """The tasks and measures that have a value of any sample."""
    useful = set()
    for key, columns in added.items():
        for name, column in columns.items():
            if any(value is not None for value in column):
                useful.add((key.task, name))
    return useful


def _is_of(measure: str, scorer: str) -> bool:
    return scorer in {measure, measure.rpartition("/")[0]}


def _brier(found: Risks) -> _Column:
    errors = ((risk - outcome) ** 2 for risk, outcome in zip(found.risks, found.outcomes, strict=True))
    return _column(found.answers, found.places, errors)


def _absolute_errors(found: Numbers) -> _Column:
    errors = (abs(one - other) for one, other in zip(found.predicted, found.targets, strict=True))
    return _column(found.answers, found.places, errors)


def _parsed(found: Numbers) -> _Column:
    """1 for each answer with a number, 0 for each without one; answers without a numeric target do not count."""
    values = [1.0] * len(found.places) + [0.0] * len(found.unparsed)
    return _column(found.answers, (*found.places, *found.unparsed), values)


def _column(answers: int, places: Sequence[int], values: Iterable[float]) -> _Column:
    column: list[float | None] = [None] * answers
    for place, value in zip(places, values, strict=True):
        column[place] = value
    return tuple(column)


def _without_missing(values: Mapping[str, _Column], found: Numbers) -> dict[str, _Column]:
    """The scorer's logged errors without those of 0 that it gave to answers without a number."""
    missing = set(found.unparsed)
    changed = {}
    for name, column in values.items():
        if missing and is_number_error(name) and _is_of(name, found.scorer):
            changed[name] = tuple(
                None if place in missing and value == 0 else value for place, value in enumerate(column)
            )
    return changed
