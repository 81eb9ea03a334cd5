"""A figure as a value: its specification, its words, its size; and the parts that specifications are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = [
    "POINTED",
    "SHOWN",
    "Figure",
    "Row",
    "Spec",
    "axis",
    "compact",
    "hover",
    "layered",
    "one_line",
    "shown_only",
    "tooltip",
]

Spec = dict[str, Any]
Row = dict[str, Any]  # one mark's numbers and texts, by field

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_LETTER_PX, _SYMBOL_PX = 6.2, 34  # of a legend's entry
SHOWN: Spec = {"name": "shown", "value": []}  # the page's table sets it: which runs its filter leaves
POINTED: Spec = {"param": "pointed", "empty": False}  # what :func:`hover` makes, as a condition


@dataclass(frozen=True)
class Figure:
    """One figure, or why there is none.

    Attributes:
        name: its file's stem.
        caption: what is seen, how it was made, and what to be careful about.
        spec: Vega-Lite, without size and colours; empty if there is nothing to draw.
        height: in pixels, at any width.
        is_wide: whether it needs a page's full width.
        reason: why there is nothing to draw.
    """

    name: str
    title: str
    caption: str = ""
    spec: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    height: int = 300
    is_wide: bool = False
    reason: str = ""

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The numbers that are drawn."""
        rows: Sequence[Mapping[str, Any]] = self.spec["datasets"]["rows"] if self.spec else ()
        return rows

    def static(self, width: float, height: float | None = None) -> Spec:
        """As :meth:`sized`, without the invisible marks that are there for a pointer, and with a legend that fits."""
        spec = self.sized(width, height)
        longest = max((len(str(entry)) for layer in spec["layer"] for entry in _legend(layer)), default=1)
        columns = max(1, int(width / (_LETTER_PX * longest + _SYMBOL_PX)))
        return spec | {
            "config": {"legend": {"columns": columns}},
            "layer": [layer for layer in spec["layer"] if layer.get("name") != "pointers"],
        }

    def sized(self, width: float | str, height: float | None = None) -> Spec:
        """The specification at a width in pixels, or ``container`` for a page."""
        return {**self.spec, "width": width, "height": self.height if height is None else height}


def _legend(layer: Spec) -> list[Any]:
    entries: list[Any] = layer["encoding"].get("color", {}).get("scale", {}).get("domain", [])
    return entries


def layered(rows: Iterable[Mapping[str, Any]], *layers: Spec, **others: Any) -> Spec:
    """Layers over the rows; a layer that names no data set draws all of them."""
    datasets = {"rows": list(rows)} | others.pop("datasets", {})
    return {
        "$schema": _SCHEMA,
        "autosize": {"type": "fit", "contains": "padding"},
        "datasets": datasets,
        "data": {"name": "rows"},
        "layer": list(layers),
    } | others


def axis(field_name: str, kind: str, title: str, **others: Any) -> Spec:
    """A channel that shows a field.

    An order of levels is given as the scale's domain: Vega-Lite makes an expression of a list to sort by.
    """
    scale = others.pop("scale", None)
    channel: Spec = {"field": field_name, "type": kind, "title": one_line(title)}
    if scale:
        channel["scale"] = scale
    return channel | others


def tooltip(*entries: tuple[str, str] | tuple[str, str, str]) -> list[Spec]:
    """``(field, title)`` or ``(field, title, number format)`` each."""
    channels: list[Spec] = []
    for name, title, *form in entries:
        channel: Spec = {"field": name, "title": one_line(title), "type": "quantitative" if form else "nominal"}
        channels.append(channel | ({"format": form[0]} if form else {}))
    return channels


def one_line(title: str) -> str:
    """A title without line ends and control characters: Vega-Lite quotes it into expressions that cannot hold them."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in title).split())


def hover(name: str, *fields: str) -> Spec:
    """A parameter: what the pointer is over, by these fields."""
    return {
        "name": name,
        "select": {"type": "point", "on": "pointerover", "clear": "pointerout", "fields": list(fields)},
    }


def shown_only() -> Spec:
    """A transform: the runs that the page's table shows; all of them on paper."""
    return {"filter": "!length(shown) || shown[datum.run]"}


def compact(value: float | None, digits: int = 6) -> float | None:
    """A number with this many significant digits: what a figure shows, and a page has to carry."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")
