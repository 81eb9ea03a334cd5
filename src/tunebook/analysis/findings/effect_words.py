"""Phrases about effects of factors: means of levels, differences with direction, and tests with family and scope."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.analysis.findings.finding import TO_RETRAINING, TO_SAMPLES, level_text
from tunebook.analysis.formatting import Scale, p_text, percent_text
from tunebook.analysis.records import Family, Interval, Measure
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.statistics.fits import FactorTest
from tunebook.analysis.statistics.intervals import ALPHA
from tunebook.analysis.statistics.marginal_means import GroupMean
from tunebook.analysis.statistics.measure_results import MeasureResults

__all__ = [
    "compared_words",
    "difference_text",
    "effect_test",
    "family_text",
    "interval_text",
    "means_text",
    "measure_text",
    "result_text",
    "scope_text",
]


def measure_text(results: MeasureResults) -> str:
    """``capitalization (accuracy)``."""
    return f"{results.table.task} ({results.table.measure.name})"


def means_text(means: Sequence[GroupMean], scale: Scale) -> str:
    """``mean 25.0 % at 4, 50.0 % at 16``, with the raw means in brackets where they differ from the estimated ones."""
    levels = [f"{scale.value(item.mean)} at {level_text(item.levels[0])}{_raw(item, scale)}" for item in means]
    is_estimated = any(item.raw_mean is not None for item in means)
    return f"{'estimated mean' if is_estimated else 'mean'} {', '.join(levels)}"


def _raw(item: GroupMean, scale: Scale) -> str:
    if item.raw_mean is None:
        return ""
    runs = "its run" if item.runs == 1 else f"its {item.runs} runs"
    return f" (mean of {runs} {scale.value(item.raw_mean)})"


def compared_words(measure: Measure, difference: float) -> str:
    """``better`` or ``worse``; ``higher`` or ``lower`` without a known direction."""
    if not measure.has_direction:
        return "higher" if difference > 0 else "lower"
    return "better" if measure.is_better(difference, 0.0) else "worse"


def difference_text(effect: Effect, measure: Measure, scale: Scale) -> str:
    """The extreme levels and the difference between them, with its interval; empty if all means are equal."""
    found = effect.difference
    if found is None:
        return ""
    high, low = level_text(found.high), level_text(found.low)
    pairs = len(effect.means) * (len(effect.means) - 1) // 2
    scope = f", simultaneous over the {pairs} pairs of levels" if pairs > 1 else ""
    size = f"{scale.amount(found.difference)}{interval_text(found.interval, scale, scope)}"
    if not effect.significant:
        return f"the largest difference, between {high} and {low}, is {size}"
    order = f"highest at {high}, lowest at {low}"
    if measure.is_better(found.difference, 0.0):
        order = f"best at {high}, worst at {low}"
    elif measure.has_direction:
        order = f"best at {low}, worst at {high}"
    return f"{order}, a difference of {size}"


def interval_text(interval: Interval | None, scale: Scale, scope: str = "") -> str:
    """The interval of a difference in brackets; empty without one."""
    if interval is None:
        return ""
    return f" ({percent_text(interval.level)} interval {scale.bounds(interval)}{scope})"


def scope_text(generalizes: str) -> str:
    """The variation that a test was made against, and the scope of its result."""
    if generalizes == "seeds":
        return f"tested against the variation between seeds: {TO_RETRAINING}"
    return f"tested over samples: {TO_SAMPLES}"


def family_text(family: Family | None, p: float | None = None, p_holm: float | None = None) -> str:
    """``Holm's correction over 3 tests``; empty for a single test.

    Where the correction decides, the p-value without it is there too: the interval beside it is of one test alone.
    """
    if family is None or family.size == 1:
        return ""
    text = f"{family.correction}'s correction over {family.size} tests"
    if p is not None and p_holm is not None and p < ALPHA <= p_holm:
        text += f" (without it {p_text(p)}, which is what the interval shows)"
    return text


def result_text(test: FactorTest) -> str:
    """``F(1, 38) = 4.13, p = 0.020``; the test's name instead of an F that it does not have."""
    return f"{_statistic(test.name, test.statistic, test.df)}{p_text(test.p_holm)}"


def _statistic(name: str, statistic: float | None, df: tuple[float, float] | None) -> str:
    if statistic is None or df is None:
        return f"{name}, "
    return f"F({df[0]:g}, {df[1]:g}) = {statistic:.2f}, "


def effect_test(effect: Effect) -> str:
    """The test with its corrected p-value, its family, its share of the variance, and its scope."""
    parts = [f"{_statistic(effect.test, effect.statistic, effect.df)}{p_text(effect.p_holm)}"]
    parts.append(family_text(effect.family, effect.p, effect.p_holm))
    if effect.partial_eta_squared is not None:
        share = f"partial η² = {effect.partial_eta_squared:.2f}"
        parts.append(f"{share} of the variance between runs that the other effects leave")
    parts.append(scope_text(effect.generalizes))
    return ", ".join(filter(None, parts))
