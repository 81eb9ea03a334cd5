"""The figure of every run's score, sorted, next to its base model."""

from __future__ import annotations

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.marks import Row, Spec
from tunebook.analysis.charts.task_scores import BASE, NOT_COMPARED, TaskScores, verdict_looks
from tunebook.analysis.records import RunRecord
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.core.plan import RunType

__all__ = ["by_run"]

_NAME = "score_by_run"
_MOST_NAMED = 60  # runs with a row of their own; more runs have a rank
_ROW_PX = 19


def by_run(scores: TaskScores) -> Figure:
    """Every run's score with its interval."""
    title = f"{scores.measure} by run"
    if not scores.final:
        return Figure(_NAME, title, reason=f"no evaluation of {scores.task.name} has a score yet")
    rows = _rows(scores)
    caption = (
        "Dashed: base model. Colours: paired comparison with the base model on the same samples, corrected by Holm's "
        "method if there are several."
    )
    method = next((score.interval.method for score in scores.final.values() if score.interval), "")
    if method:
        bars = f"bars: {scores.analysis.interval_title}s ({method})"
        caption = f"Points: scores after the last evaluated epoch; {bars}. {caption}"
    height, hint = 70 + _ROW_PX * max(len(rows), 3), ""
    if len(rows) > _MOST_NAMED:
        caption += f" {len(rows)} runs, {_order(scores)}."
        height, hint = 330, "Point at a run to see its name."
    return Figure(_NAME, title, caption, _spec(rows, scores), height, is_wide=True, hint=hint)


def _order(scores: TaskScores) -> str:
    return "the best first" if scores.task.headline.has_direction else "the highest first"


def _rows(scores: TaskScores) -> list[Row]:
    """One row per run, the best score first; the highest, if the direction is unknown."""
    comparisons = scores.analysis.comparisons_with("base")
    rows = []
    for score, row in scores.rows():
        run = scores.analysis.run_of[score.evaluation.run]
        verdict = _verdict(scores, run, comparisons.get((score.evaluation, scores.measure)))
        rows.append(row | {"n": score.n, "verdict": verdict})
    rows.sort(key=lambda row: (-scores.task.headline.goodness(row["score"]), row["run"]))
    for rank, row in enumerate(rows, start=1):
        row["rank"] = rank
    return rows


def _verdict(scores: TaskScores, run: RunRecord, comparison: Comparison | None) -> str:
    if run.type is RunType.CONTROL:
        return BASE
    if comparison is None:
        return NOT_COMPARED
    return scores.verdict(comparison.difference, significant=comparison.significant)


def _spec(rows: list[Row], scores: TaskScores) -> Spec:
    """One row per run while their names fit; otherwise one rank per run along the horizontal axis."""
    if len(rows) <= _MOST_NAMED:
        names = marks.axis(
            "name", "nominal", "", sort={"field": "rank", "op": "min"}, axis={"grid": False, "labelOverlap": False}
        )
        return _layers(rows, scores, along="x", other={"y": names}, size=80, thickness=1.6)
    domain = {"nice": False, "domain": [0.3, len(rows) + 0.7]}
    ranks = marks.axis(
        "rank", "quantitative", "Rank", scale=domain, axis={"grid": False, "format": "d", "tickMinStep": 1}
    )
    return _layers(rows, scores, along="y", other={"x": ranks}, size=26, thickness=1)


def _layers(rows: list[Row], scores: TaskScores, *, along: str, other: Spec, size: float, thickness: float) -> Spec:
    present = {row["verdict"] for row in rows}
    looks = {key: look for key, look in verdict_looks(scores.task.headline).items() if key in present}
    channels = marks.categories("verdict", looks, {})
    look = {"strokeWidth": thickness, "strokeOpacity": 0.75}
    bars = scores.bars(other | {"color": channels["color"]}, look, along=along, is_filtered=True)
    point = {
        along: scores.channel("score"),
        "size": marks.emphasized(size * 2.5, size),
        "tooltip": scores.tooltip(("n", "Samples", "d"), ("verdict", "Comparison")),
    }
    mark = {"type": "point", "filled": True, "opacity": 1}
    points = marks.layer(mark, other | channels | point, is_filtered=True) | marks.hover()
    return scores.spec(rows, bars, points, along=along)
