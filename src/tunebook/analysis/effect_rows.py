"""The effects of factors as plain rows: of their means, trends and simple effects, or one row per effect for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tunebook.analysis.row_parts import bounds, family_parts
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.statistics.fits import FactorTest
from tunebook.analysis.statistics.marginal_means import GroupMean
from tunebook.analysis.statistics.simple_effects import SimpleEffect
from tunebook.analysis.statistics.trends import Trend
from tunebook.analysis.values import Analysis

__all__ = ["EFFECT_COLUMNS", "effect_rows", "plain_effects"]

EFFECT_COLUMNS = (
    "task",
    "measure",
    "kind",
    "effect",
    "level",
    "runs",
    "estimated_mean",
    "low",
    "high",
    "raw_mean",
    "levels_compared",
    "difference",
    "difference_low",
    "difference_high",
    "test",
    "f",
    "df",
    "df_error",
    "p",
    "p_holm",
    "significant",
    "family",
    "family_size",
    "correction",
    "generalizes",
    "partial_eta_squared",
    "note",
)

_Row = dict[str, Any]


def effect_rows(analysis: Analysis) -> list[_Row]:
    """The rows of ``effects.csv``, each with all of :data:`EFFECT_COLUMNS`.

    ``kind`` is ``main effect`` or ``interaction`` (one row per mean, with the effect's test and, for a main effect, the
    difference between its extreme levels), ``trend`` and ``departure`` (``difference`` is the slope per
    ``levels_compared``), or ``simple effect``.
    """
    rows: list[_Row] = []
    for effect in analysis.effects:
        for row in _rows_of(effect):
            named = {"task": effect.task, "measure": effect.measure, "generalizes": effect.generalizes or None}
            rows.append(dict.fromkeys(EFFECT_COLUMNS) | named | row)
    return rows


def _rows_of(effect: Effect) -> Iterator[_Row]:
    whole = {
        "kind": "main effect" if effect.is_main else "interaction",
        "effect": " × ".join(effect.labels),
        "test": effect.test or None,
        "p": effect.p,
        "p_holm": effect.p_holm,
        "significant": effect.significant,
        "partial_eta_squared": effect.partial_eta_squared,
        "note": effect.note or None,
        **_f(effect.statistic, effect.df),
        **family_parts(effect.family),
        **_largest(effect),
    }
    for item in effect.means:
        yield whole | _mean(item)
    if effect.trend is not None:
        yield from _trend_rows(effect.trend)
    for simple in effect.simple_effects:
        yield _simple_effect(simple)


def _mean(item: GroupMean) -> _Row:
    raw = item.mean if item.raw_mean is None else item.raw_mean
    row = {"level": " × ".join(item.levels), "runs": item.runs, "estimated_mean": item.mean, "raw_mean": raw}
    return row | bounds(item.interval, "")


def _f(statistic: float | None, df: tuple[float, float] | None) -> _Row:
    degrees, error = df or (None, None)
    return {"f": statistic, "df": degrees, "df_error": error}


def _largest(effect: Effect) -> _Row:
    found = effect.difference
    if found is None:
        return {}
    row = {"levels_compared": f"{found.high} − {found.low}", "difference": found.difference}
    return row | bounds(found.interval, "difference_")


def _test(test: FactorTest | None) -> _Row:
    if test is None:
        return {}
    row = {"test": test.name, "p": test.p, "p_holm": test.p_holm, "significant": test.significant}
    return row | _f(test.statistic, test.df) | family_parts(test.family)


def _trend_rows(trend: Trend) -> Iterator[_Row]:
    yield {
        "kind": "trend",
        "effect": trend.label,
        "levels_compared": trend.unit.name,
        "difference": trend.slope,
        **bounds(trend.interval, "difference_"),
        **_test(trend.test),
    }
    if trend.departure is not None:
        yield {"kind": "departure", "effect": trend.label, **_test(trend.departure)}


def _simple_effect(item: SimpleEffect) -> _Row:
    return {
        "kind": "simple effect",
        "effect": item.label,
        "level": f"{item.at_label} {item.level}",
        "levels_compared": f"{item.high} − {item.low}",
        "difference": item.difference,
        **_test(item.test),
    }


def plain_effects(analysis: Analysis) -> list[_Row]:
    """One plain value per effect, with its means, trend and simple effects as lists of rows."""
    return [_plain(effect) for effect in analysis.effects]


def _plain(effect: Effect) -> _Row:
    trend = [] if effect.trend is None else list(_trend_rows(effect.trend))
    return {
        "task": effect.task,
        "measure": effect.measure,
        "factors": effect.factors,
        "statistic": effect.statistic,
        "df": effect.df,
        "test": effect.test,
        "p": effect.p,
        "p_holm": effect.p_holm,
        "significant": effect.significant,
        **family_parts(effect.family),
        "generalizes": effect.generalizes,
        "depends_on": effect.depends_on,
        **_largest(effect),
        "means": [_mean(item) for item in effect.means],
        "trend": trend,
        "simple_effects": [_simple_effect(item) for item in effect.simple_effects],
        "note": effect.note,
    }
