"""The figures of the varied factors: the mean score by level of each factor."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.marks import Row, Spec
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.formatting import capitalized, is_number, p_text
from tunebook.analysis.records import FactorUse
from tunebook.analysis.statistics.effects import Effect

__all__ = ["by_factor"]

_MOST_LEVELS = 24
_FLAT_LETTERS = 60  # of all levels together that fit side by side under an axis
_ORANGE = "#D55E00"


def by_factor(scores: TaskScores) -> list[Figure]:
    """One figure per factor: each run as a point, each level's mean, and its interval where the design carries one."""
    treatments = [factor for factor in scores.analysis.factors if not factor.is_seed]
    factors = [factor for factor in treatments if len(factor.levels) <= _MOST_LEVELS]
    has_scores = any(run.levels and run.name in scores.final for run in scores.analysis.runs)
    if factors and has_scores:
        return [_figure(scores, factor) for factor in factors]
    reason = "no factor was varied"
    if treatments:
        reason = "no run with varied factors has a score yet"
    return [Figure("score_by_factor", f"{scores.measure} by factor", reason=reason)]


def _figure(scores: TaskScores, factor: FactorUse) -> Figure:
    rows: list[Row] = []
    for score, row in scores.rows():
        levels_of_run = scores.analysis.run_of[score.evaluation.run].levels
        if factor.key in levels_of_run:
            rows.append({key: row[key] for key in ("run", "name", "score")} | {"level": levels_of_run[factor.key]})
    effects = {effect.factors: effect for effect in scores.own(scores.analysis.effects)}
    effect = effects.get((factor.key,))
    levels = _levels(factor, rows, effect)
    spec = scores.spec(rows, *_layers(scores, factor, levels), levels=levels)
    caption = "Small points: runs; diamonds: the estimated mean of each level"
    if _has_intervals(levels):
        caption += "; bars: its interval"
    caption += scores.base_note + _test_sentence(effect)
    return Figure(f"score_by_{factor.key}", f"{scores.measure} by {factor.label}", caption, spec, 260)


def _levels(factor: FactorUse, rows: Sequence[Row], effect: Effect | None) -> list[Row]:
    """Each level's mean: the effect's where it was estimated, otherwise that of the runs."""
    means = effect.means if effect is not None else ()
    estimated = {item.levels[0]: item for item in means}
    levels: list[Row] = []
    for name in factor.levels:
        values = [row["score"] for row in rows if row["level"] == name]
        if name in estimated:
            level = estimated[name]
            row = {"level": name, "mean": marks.compact(level.mean), "runs": level.runs}
            levels.append(row | marks.interval_fields(level.interval))
        elif values:
            levels.append({"level": name, "mean": marks.compact(fmean(values)), "runs": len(values)})
    return levels


def _has_intervals(levels: Sequence[Row]) -> bool:
    return any(level.get("low") is not None for level in levels)


def _test_sentence(effect: Effect | None) -> str:
    if effect is None:
        return ""
    if effect.test and effect.p_holm is not None:
        is_corrected = effect.family is not None and effect.family.size > 1
        return f" {capitalized(effect.test)}: {p_text(effect.p_holm)}{' (Holm)' if is_corrected else ''}."
    return f" {capitalized(effect.note).rstrip('.')}." if effect.note else ""


def _layers(scores: TaskScores, factor: FactorUse, levels: Sequence[Row]) -> list[Spec]:
    is_flat = sum(map(len, factor.levels)) <= _FLAT_LETTERS
    order = {"domain": list(factor.levels)}
    x = marks.axis("level", "ordinal", factor.label, scale=order, axis={"labelAngle": 0 if is_flat else -30})
    channels = {
        "x": x,
        "y": scores.channel("score"),
        "fillOpacity": marks.emphasized(1, 0.45),
        "size": marks.emphasized(130, 28),
        "tooltip": marks.tooltip(("name", "Run"), ("level", factor.label), ("score", scores.measure, scores.number)),
    }
    runs = marks.layer({"type": "point", "filled": True, "style": "quiet"}, channels, is_filtered=True) | marks.hover()
    return [runs, *_mean_layers(scores, factor, levels, x)]


def _mean_layers(scores: TaskScores, factor: FactorUse, levels: Sequence[Row], x: Spec) -> list[Spec]:
    mean = {"x": x, "y": scores.channel("mean")}
    layers: list[Spec] = []
    if _has_intervals(levels):
        look = {"color": _ORANGE, "strokeWidth": 2}
        layers.append(scores.bars({"x": x}, look, data="levels", where="isValid(datum.low)"))
    if all(map(is_number, factor.levels)) and not factor.is_seed:
        line = {"type": "line", "color": _ORANGE, "strokeWidth": 1.2, "strokeOpacity": 0.6}
        layers.append(marks.layer(line, mean, data="levels"))
    point = {"type": "point", "filled": True, "shape": "diamond", "color": _ORANGE, "size": 110, "opacity": 1}
    words = scores.mean_tooltip(("level", factor.label))
    return [*layers, marks.layer(point, mean | {"tooltip": words}, data="levels")]
