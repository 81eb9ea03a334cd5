"""The figure of calibration: how often what was predicted with a probability happened."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.line_labels import label_lines
from tunebook.analysis.charts.marks import Row, Spec
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.statistics.aggregates import ReliabilityBin

__all__ = ["reliability"]

_NAME, _TITLE = "reliability", "Reliability of the predicted risk"
_HEIGHT = 380


def reliability(scores: TaskScores) -> Iterator[Figure]:
    """One figure per scorer of the task that has risks; none for other tasks."""
    scorers = scores.analysis.aggregates.scorers(scores.task.name, "risk")
    for place, scorer in enumerate(scorers):
        name = f"{_NAME}_{place + 1}" if place else _NAME
        title = f"{_TITLE}, {scorer}" if len(scorers) > 1 else _TITLE
        key = (scores.task.name, scorer, "risk")
        bins = [each for each in scores.analysis.aggregates.bins if (each.task, each.scorer, each.curve) == key]
        if not bins:
            yield Figure(name, title, reason="no sample has a risk that can be used")
            continue
        shown, note = scores.shown_of(each.run for each in bins)
        rows = [_row(scores, each) for each in bins if each.run in shown]
        yield Figure(name, title, _caption(scores, scorer, note), _spec(rows), _HEIGHT)


def _row(scores: TaskScores, item: ReliabilityBin) -> Row:
    found = item.bin
    return {
        "run": scores.numbers[item.run],
        "name": scores.analysis.labels[item.run],
        "predicted": marks.compact(found.predicted, 4),
        "observed": marks.compact(found.observed, 4),
        "answers": found.answers,
        "bin": f"{found.low:.1f}–{found.high:.1f}",
        **marks.interval_fields(found.interval),
    }


def _spec(rows: list[Row]) -> Spec:
    whole = {"domain": [0, 1], "nice": False}
    x = marks.axis("predicted", "quantitative", "Mean predicted risk in the bin", scale=whole)
    y = marks.axis("observed", "quantitative", "Share of samples with the outcome", scale=whole)
    names = list(dict.fromkeys(row["name"] for row in rows))
    colour = {"field": "name", "type": "nominal", "scale": {"domain": names}, "legend": None}
    channels = {"x": x, "y": y, "color": colour}
    words = marks.tooltip(
        ("name", "Run"),
        ("bin", "Bin"),
        ("answers", "Answers", "d"),
        ("predicted", "Mean predicted", ".3f"),
        ("observed", "Observed", ".3f"),
        ("low", "from", ".3f"),
        ("high", "to", ".3f"),
    )
    size = marks.axis("answers", "quantitative", "Answers", scale={"range": [18, 260], "zero": True})
    most = max(row["answers"] for row in rows)
    counts = sorted({max(1, most // 4), max(1, most // 2), most})
    size["legend"] = {"orient": "bottom", "title": "Answers in the bin", "values": counts}
    diagonal = marks.layer({"type": "line", "style": "reference"}, {"x": x, "y": y}, data="calibrated")
    bars = {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": colour}
    intervals = marks.layer({"type": "rule", "strokeOpacity": 0.6}, bars, where="isValid(datum.low)", is_filtered=True)
    lines = marks.layer({"type": "line", "strokeWidth": 1.6}, dict(channels), is_filtered=True)
    mark = {"type": "point", "filled": True, "opacity": 0.9}
    points = marks.layer(mark, channels | {"size": size, "tooltip": words}, is_filtered=True)
    ends = {row["name"]: row | {"label": row["name"]} for row in sorted(rows, key=lambda row: row["predicted"])}
    labels = label_lines(list(ends.values()), channels, [0.0, 1.0], height=_HEIGHT, log=False)
    datasets = {
        "calibrated": [{"predicted": 0, "observed": 0}, {"predicted": 1, "observed": 1}],
        "labels": list(labels.rows),
    }
    layers = [diagonal, intervals, lines, points | marks.hover(), labels.layer]
    return marks.layered(rows, *layers, params=[marks.SHOWN], datasets=datasets, padding=labels.padding)


def _caption(scores: TaskScores, scorer: str, note: str) -> str:
    return (
        f"{scorer} on {scores.task.name}, after the last evaluated epoch: in each of 10 bins of equal width, the share "
        f"of samples with the outcome against the mean predicted risk. Dashed: perfect calibration. Bars: "
        f"{scores.analysis.interval_title}s (Wilson). The size of a point is the number of answers in its bin; bins "
        f"with few answers say little.{note}"
    )
