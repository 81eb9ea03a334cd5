"""The figure of training cost against score, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.marks import Row, Spec
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.statistics.measure_results import CostPoint
from tunebook.core.plan import RunType

__all__ = ["by_cost"]

_LOG_FROM = 30  # times the lowest cost: from here on the cost axis is logarithmic
_CROWDED = 40
_MOST_LABELS, _LONGEST_LABEL = 4, 16  # names next to points of the front, and letters of such a name
_MOST_NAMED = 8
_FRONT, _OTHER = "on the front", "another run costs no more and is at least as good"
_UNRANKED = "not ranked: the direction is unknown"
_NAME = "score_by_cost"
_SAME_COST = 1.05  # times the lowest cost: up to here all cost the same
_ORANGE, _GREY = "#D55E00", "#8a8f96"


def by_cost(scores: TaskScores) -> Figure:
    """Training cost against the score after the last evaluated epoch."""
    runs = scores.analysis.run_of
    points = [point for point in scores.own(scores.analysis.costs) if runs[point.run].type is RunType.FINE_TUNED]
    title = f"{scores.measure} against training cost"
    reason = _reason(points)
    if reason:
        return Figure(_NAME, title, reason=reason)
    unit, per_hour = _unit(points)
    rows = [_row(scores, point, per_hour) for point in points]
    cheapest_first = sorted(points, key=lambda point: point.cost)
    front = [scores.analysis.labels[point.run] for point in cheapest_first if point.on_front]
    caption = f"Cost is the training's duration in {unit}."
    caption += _front_sentence(front, has_direction=scores.task.headline.has_direction)
    if scores.base_rows:
        caption += " Dashed: base model, which costs no training."
    return Figure(_NAME, title, caption, scores.spec(rows, *_layers(rows, front, scores, unit)), 320)


def _reason(points: Sequence[CostPoint]) -> str:
    """Why costs are not drawn; empty if they are."""
    if not points:
        return "no run has both a training time and a score"
    costs = [point.cost for point in points]
    if len(costs) > 1 and max(costs) <= _SAME_COST * min(costs):
        return "all trainings cost the same within 5 %"
    return ""


def _front_sentence(front: Sequence[str], *, has_direction: bool) -> str:
    if not has_direction:
        return " No run is Pareto-optimal, because the measure's direction is unknown."
    if not front:
        return " No run is Pareto-optimal: a base model, which costs no training, is at least as good as each."
    text = " The line joins the Pareto-optimal runs: no other run is both cheaper and at least as good."
    if len(front) <= _MOST_NAMED:
        text += f" From the cheapest: {', '.join(front)}."
    return text


def _unit(points: Sequence[CostPoint]) -> tuple[str, float]:
    """Hours, or minutes where the most expensive run took less than one hour; and how many of them make an hour."""
    if max(point.cost for point in points) < 1:
        return points[0].unit.replace("hours", "minutes"), 60.0
    return points[0].unit, 1.0


def _row(scores: TaskScores, point: CostPoint, per_hour: float) -> Row:
    row = {
        "run": scores.numbers[point.run],
        "name": scores.analysis.labels[point.run],
        "cost": marks.compact(point.cost * per_hour),
        "score": marks.compact(point.score),
        "front": _UNRANKED,
    }
    if scores.task.headline.has_direction:
        row["front"] = _FRONT if point.on_front else _OTHER
    return row | marks.interval_fields(point.interval)


def _layers(rows: Sequence[Row], front: Sequence[str], scores: TaskScores, unit: str) -> list[Spec]:
    costs = [row["cost"] for row in rows]
    is_log = min(costs) > 0 and max(costs) > _LOG_FROM * min(costs)
    along: Spec = {"type": "log"} if is_log else {"zero": False, "padding": 12}
    x, y = (
        marks.axis("cost", "quantitative", f"Training cost ({unit})", scale=along, axis={"tickCount": 6}),
        scores.channel("score"),
    )
    only_front = f"datum.front === '{_FRONT}'"
    stairs = {"type": "line", "interpolate": "step-after", "stroke": _ORANGE, "strokeWidth": 1.5}
    line = marks.layer(
        stairs, {"x": x, "y": y, "order": {"field": "cost", "type": "quantitative"}}, where=only_front, is_filtered=True
    )
    bars, points = _marks(x, scores, unit, is_crowded=len(rows) > _CROWDED)
    if not front:
        return [bars, points]
    layers = [bars, line, points]
    if len(front) <= _MOST_LABELS and all(len(name) <= _LONGEST_LABEL for name in front):
        label = {"type": "text", "style": "annotation", "dy": -11, "limit": 190}
        layers.append(
            marks.layer(
                label,
                {"x": x, "y": y, "text": {"field": "name", "type": "nominal"}},
                where=only_front,
                is_filtered=True,
            )
        )
    return layers


def _marks(x: Spec, scores: TaskScores, unit: str, *, is_crowded: bool) -> tuple[Spec, Spec]:
    opacity, size = 0.6, 80
    if is_crowded:
        opacity, size = 0.25, 35
    looks = {_FRONT: (_ORANGE, "diamond"), _OTHER: (_GREY, "circle")}
    if not scores.task.headline.has_direction:
        looks = {_UNRANKED: ("#0072B2", "circle")}
    channels = marks.categories("front", looks, {"direction": "vertical"})
    bars = scores.bars({"x": x, "color": channels["color"]}, {"strokeOpacity": opacity}, is_filtered=True)
    point = {
        "x": x,
        "y": scores.channel("score"),
        "size": marks.emphasized(220, size),
        "tooltip": scores.tooltip(("cost", unit, ".3~g"), ("front", "Cost")),
    }
    points = marks.layer({"type": "point", "filled": True, "fillOpacity": 0.9}, channels | point, is_filtered=True)
    return bars, points | marks.hover()
