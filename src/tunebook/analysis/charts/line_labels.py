"""Names at the right ends of lines, which readers find faster than entries of a legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.marks import Row, Spec

__all__ = ["MOST_LABELS", "LineLabels", "label_lines"]

MOST_LABELS = 8
"""The most lines that have their names at their ends; more lines have a legend."""
_LINE_PX, _LETTER_PX, _GAP_PX = 13, 6.4, 14
_LEAST_ROOM, _MOST_ROOM = 40, 200  # pixels


@dataclass(frozen=True)
class LineLabels:
    """The layer of names, its data set ``labels``, and the room that it needs."""

    layer: Spec
    rows: tuple[Row, ...]
    padding: Spec


def label_lines(
    ends: Sequence[Row], channels: Spec, values: Sequence[float], *, height: int, log: bool, beside: float = 7
) -> LineLabels:
    """Names each line at its end; names that would overlap are moved apart.

    Args:
        ends: the last point of each line, with its ``label`` and the fields of the channels.
        channels: x, y and colour of the lines.
        values: everything that the vertical axis shows.
        height: of the figure, in pixels.
        log: whether the vertical axis is logarithmic.
        beside: how far the names are from the ends, in pixels.
    """
    field = channels["y"]["field"]
    to, back = (math.log, math.exp) if log else (float, float)
    spread = to(max(values)) - to(min(values))
    gap = _LINE_PX / max(1, height - 60) * spread
    places = map(back, _apart([to(row[field]) for row in ends], gap))
    rows = tuple(row | {field: marks.compact(place)} for row, place in zip(ends, places, strict=True))
    longest = max((len(str(row["label"])) for row in ends), default=0)
    room = round(min(_MOST_ROOM, max(_LEAST_ROOM, _LETTER_PX * longest + _GAP_PX)) + beside - 7)
    mark = {"type": "text", "align": "left", "baseline": "middle", "dx": beside, "limit": round(room - 7)}
    text = {"text": {"field": "label", "type": "nominal"}}
    is_filtered = all("run" in row for row in rows)
    layer = marks.layer(mark, channels | text, data="labels", is_filtered=is_filtered) | {"name": "labels"}
    return LineLabels(layer, rows, {"left": 4, "top": 4, "bottom": 4, "right": room})


def _apart(values: Sequence[float], gap: float) -> list[float]:
    """The places nearest to the values (least squares) that are at least ``gap`` apart: isotonic regression."""
    order = sorted(range(len(values)), key=values.__getitem__)
    blocks: list[list[float]] = []
    for rank, place in enumerate(order):
        blocks.append([values[place] - rank * gap])
        while len(blocks) > 1 and fmean(blocks[-2]) >= fmean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    found = [fmean(block) for block in blocks for _ in block]
    moved = [0.0] * len(values)
    for rank, place in enumerate(order):
        moved[place] = found[rank] + rank * gap
    return moved
