"""The figure of scores by group of samples, one for each column of metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.marks import Row, Spec
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.statistics.group_results import GroupScore

__all__ = ["by_group"]

_NAME = "score_by_group"
_HEIGHT = 320
_WIDTH_PX = 9  # between two runs of a group


def by_group(scores: TaskScores) -> Iterator[Figure]:
    """The headline measure by group; no figure for a task whose samples have no groups."""
    columns: dict[str, list[GroupScore]] = {}
    for each in scores.analysis.groups.scores:
        if (each.task, each.measure) == (scores.task.name, scores.measure):
            columns.setdefault(each.column, []).append(each)
    used: set[str] = set()
    for column, found in columns.items():
        plain = re.sub(r"[^A-Za-z0-9]+", "_", column).strip("_")[:40] or "column"
        name, number = f"{_NAME}_{plain}", 2
        while name.lower() in used:  # some file systems ignore case
            name, number = f"{_NAME}_{plain}_{number}", number + 1
        used.add(name.lower())
        shown, note = scores.shown_of(each.run for each in found)
        rows = [_row(scores, each) for each in found if each.run in shown and each.value is not None]
        caption = _caption(scores, column, found, note)
        title = f"{scores.measure} by {marks.one_line(column)}"
        yield Figure(name, title, caption, _spec(scores, rows, column), _HEIGHT)


def _row(scores: TaskScores, item: GroupScore) -> Row:
    return {
        "run": scores.numbers[item.run],
        "name": scores.analysis.labels[item.run],
        "group": item.group,
        "score": marks.compact(item.value),
        "n": item.n,
        **marks.interval_fields(item.interval),
    }


def _spec(scores: TaskScores, rows: list[Row], column: str) -> Spec:
    names = list(dict.fromkeys(row["name"] for row in rows))
    groups = list(dict.fromkeys(row["group"] for row in rows))
    x = marks.axis("group", "nominal", column, scale={"domain": groups}, axis={"labelAngle": 0, "grid": False})
    legend = {"title": None} if len(names) > 1 else None
    colour = {"field": "name", "type": "nominal", "scale": {"domain": names}, "legend": legend}
    words = scores.tooltip(("group", column), ("n", "Samples", "d"))
    layers: list[Spec] = []
    for place, name in enumerate(names):
        for row in rows:
            if row["name"] == name:
                row["place"] = place
        where, moved = f"datum.place === {place}", {"xOffset": _WIDTH_PX * (place - (len(names) - 1) / 2)}
        look = {"strokeWidth": 1.6, "strokeOpacity": 0.75} | moved
        shared = {"x": x, "color": colour}
        layers.append(scores.bars(shared, look, where=f"{where} && isValid(datum.low)", is_filtered=True))
        mark = {"type": "point", "filled": True, "size": 60, "opacity": 1} | moved
        point = shared | {"y": scores.channel("score"), "tooltip": words}
        layers.append(marks.layer(mark, point, where=where, is_filtered=True))
    return marks.layered(rows, *layers, params=[marks.SHOWN])


def _caption(scores: TaskScores, column: str, found: Sequence[GroupScore], note: str) -> str:
    methods = sorted({each.interval.method for each in found if each.interval is not None})
    made = f" ({', '.join(methods)})" if methods else ""
    return (
        f"{scores.measure} on {scores.task.name} by {marks.one_line(column)}, after the last evaluated epoch; bars: "
        f"{scores.analysis.interval_title}s{made}. Samples of different groups are different questions: a gap alone "
        f"does not say why.{note}"
    )
