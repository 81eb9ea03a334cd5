"""What a run cost against what it scored, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.analysis.charts.figure import POINTED, SHOWN, Figure, Row, Spec, axis, compact, hover, layered, shown_only
from tunebook.analysis.charts.scores import ScoreAxis, base_rule, base_scores, of_task, score_words
from tunebook.analysis.charts.series import short_names
from tunebook.analysis.records import TaskUse
from tunebook.analysis.statistics.pareto import CostPoint
from tunebook.analysis.values import Analysis
from tunebook.core.plan import RunType

__all__ = ["score_by_cost"]

_SPREAD = 30  # from here on the cost axis is logarithmic
_CROWDED = 40
_LABELLED, _LABEL = 4, 16  # points on the front with their names beside them, and letters of such a name
_NAMED = 8
_FRONT, _OTHER = "on the front", "another run costs no more and scores at least as well"
_ORANGE, _GREY = "#D55E00", "#8a8f96"


def score_by_cost(analysis: Analysis, task: TaskUse, suffix: str) -> Figure:
    """Training cost against the score after the last evaluated epoch."""
    name, title = f"score_by_cost{suffix}", f"Score against training cost{of_task(task, suffix)}"
    trained = {run.name for run in analysis.runs if run.type is RunType.FINE_TUNED}
    points = [
        each
        for each in analysis.costs
        if each.task == task.name and each.measure in task.measures[:1] and each.run in trained
    ]
    if not points:
        return Figure(name, title, reason="no run has both a training time and a score")
    unit, in_an_hour = _unit(points)
    rows, bases = _rows(analysis, points, in_an_hour), base_scores(analysis, task)
    layers = _layers(rows, ScoreAxis.of(analysis, task), unit)
    spec = layered(rows, *layers, params=[SHOWN], datasets={"bases": bases})
    caption = f"Cost is what training took, in {unit}. The line joins the Pareto front: no other run is cheaper and"
    caption += " at least as good."
    front = _front(rows)
    caption += f" From the cheapest: {', '.join(front)}." if len(front) <= _NAMED else ""
    caption += " Dashed: base model, which costs no training." if bases else ""
    return Figure(name, title, caption, spec, 320)


def _unit(points: Sequence[CostPoint]) -> tuple[str, float]:
    """Hours, or minutes where even the dearest run took less than one hour; and how many there are in an hour."""
    if max(point.cost for point in points) < 1:
        return points[0].unit.replace("hours", "minutes"), 60.0
    return points[0].unit, 1.0


def _rows(analysis: Analysis, points: Sequence[CostPoint], in_an_hour: float) -> list[Row]:
    names = short_names(analysis)
    numbers = {run.name: number for number, run in enumerate(analysis.runs)}
    return [
        {
            "run": numbers[point.run],
            "name": names[point.run],
            "cost": compact(point.cost * in_an_hour),
            "score": compact(point.score),
            "low": compact(point.interval.low) if point.interval else None,
            "high": compact(point.interval.high) if point.interval else None,
            "front": _FRONT if point.on_front else _OTHER,
        }
        for point in points
    ]


def _front(rows: Sequence[Row]) -> list[str]:
    return [row["name"] for row in sorted(rows, key=lambda row: row["cost"]) if row["front"] == _FRONT]


def _layers(rows: Sequence[Row], scale: ScoreAxis, unit: str) -> list[Spec]:
    costs = [row["cost"] for row in rows]
    is_log = min(costs) > 0 and max(costs) > _SPREAD * min(costs)
    along: Spec = {"type": "log"} if is_log else {"zero": False, "padding": 12}
    x, y = axis("cost", "quantitative", f"Training cost ({unit})", scale=along), scale.channel("score")
    front = {"transform": [{"filter": f"datum.front === '{_FRONT}'"}]}
    line = {
        "mark": {"type": "line", "interpolate": "step-after", "stroke": _ORANGE, "strokeWidth": 1.5},
        "encoding": {"x": x, "y": y, "order": {"field": "cost", "type": "quantitative"}},
    }
    names = {
        "mark": {"type": "text", "style": "annotation", "dy": -11, "limit": 190},
        "encoding": {"x": x, "y": y, "text": {"field": "name", "type": "nominal"}},
    }
    on_front = _front(rows)
    has_names = len(on_front) <= _LABELLED and max(map(len, on_front), default=0) <= _LABEL
    bars, points = _points(x, scale, unit, is_crowded=len(rows) > _CROWDED)
    return [base_rule(scale), bars, front | line, points, *([front | names] if has_names else [])]


def _points(x: Spec, scale: ScoreAxis, unit: str, *, is_crowded: bool) -> tuple[Spec, Spec]:
    channel: Spec = {
        "field": "front",
        "type": "nominal",
        "legend": {"title": None, "direction": "vertical"},
    }
    domain = [_FRONT, _OTHER]
    colour = channel | {"scale": {"domain": domain, "range": [_ORANGE, _GREY]}}
    shape = channel | {"scale": {"domain": domain, "range": ["diamond", "circle"]}}
    bars = {
        "transform": [shown_only()],
        "mark": {"type": "rule", "strokeOpacity": 0.25 if is_crowded else 0.6},
        "encoding": {"x": x, "y": scale.channel("low"), "y2": {"field": "high"}, "color": colour},
    }
    points = {
        "transform": [shown_only()],
        "params": [hover("pointed", "run")],
        "mark": {"type": "point", "filled": True, "fillOpacity": 0.9},
        "encoding": {
            "x": x,
            "y": scale.channel("score"),
            "color": colour,
            "shape": shape,
            "size": {"condition": POINTED | {"value": 220}, "value": 35 if is_crowded else 80},
            "tooltip": score_words(scale, ("cost", unit, ".3~g"), ("front", "Cost")),
        },
    }
    return bars, points
