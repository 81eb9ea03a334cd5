"""The log's own number for a measure beside the mean over its samples, and the reason where the two differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tunebook.analysis.formatting import plural
from tunebook.tools.results import LoggedMetric, Samples

__all__ = ["Logged", "logged_value"]

_SPREADS = frozenset({"std", "var", "variance"})
_TOLERANCE = 1e-6
_AS_COUNTED = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}  # by inspect-ai, which takes other texts as 0


@dataclass(frozen=True)
class Logged:
    """The log's own value of a measure.

    Attributes:
        metric: its name in the log.
        note: why it is not the mean over the samples, as the end of "the log's accuracy is 0.5: …"; empty if they are
            equal.
    """

    value: float | None = None
    metric: str = ""
    note: str = ""


def logged_value(metrics: Sequence[LoggedMetric], samples: Samples, measure: str, mean: float | None) -> Logged:
    """The number that the log itself puts first, and how it differs from the mean over the samples.

    Args:
        metrics: what the log gives for the measure.
    """
    own = [metric for metric in metrics if metric.name not in _SPREADS]
    if not own:
        return Logged()
    first = own[0]
    if mean is not None and _is_same(first.value, mean):
        return Logged(first.value, first.name)
    if first.is_mean:
        return Logged(first.value, first.name, _why_other_mean(first, samples, measure, mean))
    note = first.note or "it is not a mean over the samples"
    means = [metric for metric in own if metric.is_mean]
    if means and (mean is None or not _is_same(means[0].value, mean)):
        why = _why_other_mean(means[0], samples, measure, mean)
        note += f"; the log's {means[0].name} is {means[0].value:.6g}: {why}"
    return Logged(first.value, first.name, note)


def _why_other_mean(metric: LoggedMetric, samples: Samples, measure: str, mean: float | None) -> str:
    """Why a mean in the log is not that of the samples' values: the log counts samples without a value."""
    letters, as_zero = _as_counted(samples, measure)
    missing = sum(value is None for value in samples.values[measure])
    texts = len(letters) - len(as_zero) + missing
    if texts and _is_same(metric.value, fmean(letters)):
        return f"it counts the letters or texts of {plural(texts, 'answer')} as numbers"
    if missing and _is_same(metric.value, fmean(as_zero)):
        return f"it counts {plural(missing, 'answer')} without a value as 0"
    if mean is None:
        return "none of its samples has a usable value"
    return f"the mean over its samples is {mean:.6g}"


def _as_counted(samples: Samples, measure: str) -> tuple[list[float], list[float]]:
    """The values as inspect-ai counts them: letters and other texts as numbers; and with all missing ones as 0."""
    values = samples.values[measure]
    marks = samples.letters.get(measure, "." * len(values))
    counted, as_zero = [], []
    for value, mark in zip(values, marks, strict=True):
        number = _AS_COUNTED.get(mark, 0.0) if value is None else value
        as_zero.append(number)
        if value is not None or mark not in {".", " "}:
            counted.append(number)
    return counted, as_zero


def _is_same(value: float, other: float) -> bool:
    return math.isclose(value, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
