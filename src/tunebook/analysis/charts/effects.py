"""What each factor does: the mean score by level, over the runs that have it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from tunebook.analysis.charts.figure import (
    POINTED,
    SHOWN,
    Figure,
    Row,
    Spec,
    axis,
    compact,
    hover,
    layered,
    shown_only,
    tooltip,
)
from tunebook.analysis.charts.scores import ScoreAxis, base_rule, base_scores, of_task
from tunebook.analysis.charts.series import is_number, short_names
from tunebook.analysis.records import FactorUse, TaskUse
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.values import Analysis

__all__ = ["by_factor"]

_LEVELS = 24
_LETTERS = 60  # of all levels together that fit side by side under an axis
_ORANGE = "#D55E00"


def by_factor(analysis: Analysis, task: TaskUse, suffix: str) -> tuple[Figure, ...]:
    """A figure a factor: each run as a point, each level's mean, and its interval where the design carries one."""
    factors = [factor for factor in analysis.factors if len(factor.levels) <= _LEVELS]
    scores = analysis.final_scores(task.name)
    trained = [run for run in analysis.runs if run.levels and run.name in scores]
    if not factors or not trained:
        reason = "no factor was varied" if not analysis.factors else "no run with varied factors has a score yet"
        return (Figure(f"score_by_factor{suffix}", f"Score by factor{of_task(task, suffix)}", reason=reason),)
    return tuple(_by_factor(analysis, task, factor, suffix) for factor in factors)


def _by_factor(analysis: Analysis, task: TaskUse, factor: FactorUse, suffix: str) -> Figure:
    scores, names, scale = analysis.final_scores(task.name), short_names(analysis), ScoreAxis.of(analysis, task)
    rows: list[Row] = [
        {
            "run": number,
            "name": names[run.name],
            "level": run.levels[factor.key],
            "score": compact(scores[run.name].value),
        }
        for number, run in enumerate(analysis.runs)
        if run.name in scores and factor.key in run.levels
    ]
    wanted = (task.name, scale.measure, (factor.key,))
    effect = next((each for each in analysis.effects if (each.task, each.measure, each.factors) == wanted), None)
    levels = _levels(factor, rows, effect)
    bases = base_scores(analysis, task)
    layers = [base_rule(scale), *_layers(factor, levels, scale)]
    spec = layered(rows, *layers, params=[SHOWN], datasets={"levels": levels, "bases": bases})
    caption = "Small points: runs; diamonds: the mean of each level"
    caption += "; bars: its interval" if any("low" in row for row in levels) else ""
    caption += "; dashed: base model." if bases else "."
    return Figure(
        f"score_by_{factor.key}{suffix}",
        f"Score by {factor.label}{of_task(task, suffix)}",
        caption + _test_words(effect),
        spec,
        260,
    )


def _levels(factor: FactorUse, rows: Sequence[Row], effect: Effect | None) -> list[Row]:
    told = {level.level: level for level in effect.levels} if effect else {}
    levels: list[Row] = []
    for name in factor.levels:
        values = [row["score"] for row in rows if row["level"] == name]
        if name in told:
            interval = told[name].interval
            ends = {"low": compact(interval.low), "high": compact(interval.high)} if interval else {}
            levels.append({"level": name, "mean": compact(told[name].mean), "runs": told[name].runs} | ends)
        elif values:
            levels.append({"level": name, "mean": compact(fmean(values)), "runs": len(values)})
    return levels


def _test_words(effect: Effect | None) -> str:
    if effect is None:
        return ""
    if effect.test and effect.p_holm is not None:
        p = "p < 0.001" if effect.p_holm < 0.001 else f"p = {effect.p_holm:.3f}"  # noqa: PLR2004
        return f" {effect.test}: {p} (Holm)."
    return f" {effect.note[:1].upper()}{effect.note[1:].rstrip('.')}." if effect.note else ""


def _layers(factor: FactorUse, levels: Sequence[Row], scale: ScoreAxis) -> list[Spec]:
    steep = sum(map(len, factor.levels)) > _LETTERS
    x = axis(
        "level",
        "ordinal",
        factor.label,
        scale={"domain": list(factor.levels)},
        axis={"labelAngle": -30 if steep else 0},
    )
    runs = {
        "transform": [shown_only()],
        "params": [hover("pointed", "run")],
        "mark": {"type": "point", "filled": True, "style": "quiet"},
        "encoding": {
            "x": x,
            "y": scale.channel("score"),
            "fillOpacity": {"condition": POINTED | {"value": 1}, "value": 0.45},
            "size": {"condition": POINTED | {"value": 130}, "value": 28},
            "tooltip": tooltip(("name", "Run"), ("level", factor.label), ("score", scale.measure, scale.number)),
        },
    }
    return [runs, *_mean_layers(factor, levels, scale, x)]


def _mean_layers(factor: FactorUse, levels: Sequence[Row], scale: ScoreAxis, x: Spec) -> list[Spec]:
    mean = scale.channel("mean")
    words = tooltip(
        ("level", factor.label),
        ("mean", f"mean {scale.measure}", scale.number),
        ("low", "from", scale.number),
        ("high", "to", scale.number),
        ("runs", "Runs", "d"),
    )
    bars: Spec = {
        "transform": [{"filter": "isValid(datum.low)"}],
        "mark": {"type": "rule", "color": _ORANGE, "strokeWidth": 2},
        "encoding": {"x": x, "y": scale.channel("low"), "y2": {"field": "high"}},
    }
    line: Spec = {
        "mark": {"type": "line", "color": _ORANGE, "strokeWidth": 1.2, "strokeOpacity": 0.6},
        "encoding": {"x": x, "y": mean},
    }
    points: Spec = {
        "mark": {"type": "point", "filled": True, "shape": "diamond", "color": _ORANGE, "size": 110, "opacity": 1},
        "encoding": {"x": x, "y": mean, "tooltip": words},
    }
    has_bars = any("low" in level for level in levels)
    has_line = all(map(is_number, factor.levels)) and not factor.is_seed
    layers = [*([bars] if has_bars else []), *([line] if has_line else []), points]
    return [{"data": {"name": "levels"}} | layer for layer in layers]
