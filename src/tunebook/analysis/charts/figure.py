"""A figure as a value: its specification, texts and size; and the parts that specifications are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tunebook.analysis.charts.theme import LIGHT
from tunebook.analysis.formatting import printable
from tunebook.analysis.records import Interval

__all__ = [
    "SHOWN",
    "Figure",
    "Row",
    "Spec",
    "TooltipEntry",
    "axis",
    "categories",
    "compact",
    "emphasized",
    "hover",
    "interval_fields",
    "layer",
    "layered",
    "log_or_linear",
    "one_line",
    "pointers",
    "step_axis",
    "tooltip",
]

Spec = dict[str, Any]
Row = dict[str, Any]  # one mark's numbers and texts, by field
TooltipEntry = tuple[str, str] | tuple[str, str, str]  # field, title, and a number's format

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_LETTER_PX, _SYMBOL_PX = 6.2, 34  # of a legend's entry
_NOTEBOOK_PX = 640
SHOWN: Spec = {"name": "shown", "value": []}  # the HTML report's table sets it: which runs its filter leaves


@dataclass(frozen=True)
class Figure:
    """One figure, or the reason why it has no data. A notebook shows it as the value of a cell.

    Attributes:
        name: its file's stem.
        caption: what the figure shows, how it was made, and what to be careful about.
        spec: Vega-Lite, without size and colours; empty without data.
        height: in pixels, at any width.
        is_wide: whether it needs the report's full width.
        reason: why it has no data.
        hint: what a reader can do with the interactive figure.
    """

    name: str
    title: str
    caption: str = ""
    spec: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    height: int = 300
    is_wide: bool = False
    reason: str = ""
    hint: str = ""

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The numbers that are drawn."""
        rows: Sequence[Mapping[str, Any]] = self.spec["datasets"]["rows"] if self.spec else ()
        return rows

    def static(self, width: float, height: float | None = None) -> Spec:
        """As :meth:`sized`, without the invisible marks that are there for a pointer, and with a legend that fits."""
        spec = self.sized(width, height)
        longest = 1
        for layer in spec["layer"]:
            domain = layer["encoding"].get("color", {}).get("scale", {}).get("domain", [])
            longest = max([longest, *(len(str(entry)) for entry in domain)])
        columns = max(1, int(width / (_LETTER_PX * longest + _SYMBOL_PX)))
        visible = [layer for layer in spec["layer"] if layer.get("name") != "pointers"]
        return spec | {"config": {"legend": {"columns": columns}}, "layer": visible}

    def sized(self, width: float | str, height: float | None = None) -> Spec:
        """The specification at a width in pixels, or ``container`` for the HTML report."""
        return {**self.spec, "width": width, "height": height or self.height}

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if not self.spec:
            return {"text/plain": f"{self.title}: {self.reason}"}
        from tunebook.analysis.charts.draw import svg_of

        return {
            "application/vnd.vegalite.v6+json": self.sized(_NOTEBOOK_PX) | {"config": LIGHT},
            "image/svg+xml": svg_of(self),
            "text/plain": f"{self.title}: {self.caption}",
        }


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


def layer(mark: Spec, encoding: Spec, *, data: str = "", where: str = "", is_filtered: bool = False) -> Spec:
    """A layer of marks.

    Args:
        data: the data set's name, if it is not that of the rows.
        where: the expression that a row must meet.
        is_filtered: whether only the runs that the report's table shows are drawn; on paper all are.
    """
    made: Spec = {"mark": mark, "encoding": encoding}
    if data:
        made["data"] = {"name": data}
    shown = "!length(shown) || shown[datum.run]" if is_filtered else ""
    conditions = [{"filter": condition} for condition in (shown, where) if condition]
    if conditions:
        made["transform"] = conditions
    return made


def pointers(encoding: Spec, *, is_filtered: bool = False) -> Spec:
    """Invisible points that make a line easy to point at; figures on paper leave them out."""
    mark = {"type": "point", "filled": True, "size": 60, "opacity": 0}
    return layer(mark, encoding, is_filtered=is_filtered) | {"name": "pointers"}


def categories(field_name: str, looks: Mapping[str, tuple[str, str]], legend: Spec) -> Spec:
    """The channels that show a field by colour and shape, value by value."""
    channels: Spec = {}
    for place, name in enumerate(("color", "shape")):
        scale = {"domain": list(looks), "range": [look[place] for look in looks.values()]}
        channels[name] = {"field": field_name, "type": "nominal", "legend": {"title": None} | legend, "scale": scale}
    return channels


def axis(field_name: str, kind: str, title: str, **others: Any) -> Spec:
    """A channel that shows a field.

    An order of levels is given as the scale's domain: Vega-Lite makes an expression of a list to sort by.
    """
    scale = others.pop("scale", None)
    channel: Spec = {"field": field_name, "type": kind, "title": one_line(title)}
    if scale:
        channel["scale"] = scale
    return channel | others


def step_axis() -> Spec:
    """The horizontal axis of optimizer steps."""
    return axis("step", "quantitative", "Step", axis={"format": "~s", "tickMinStep": 1}, scale={"nice": False})


def log_or_linear(is_log: bool) -> Spec:  # noqa: FBT001
    """The scale of an axis of positive numbers."""
    return {"type": "log"} if is_log else {"zero": False, "nice": True}


def tooltip(*entries: TooltipEntry) -> list[Spec]:
    """``(field, title)`` or ``(field, title, number format)`` each."""
    channels: list[Spec] = []
    for name, title, *form in entries:
        channel: Spec = {"field": name, "title": one_line(title), "type": "nominal"}
        if form:
            channel |= {"type": "quantitative", "format": form[0]}
        channels.append(channel)
    return channels


def one_line(title: str) -> str:
    """A title without line ends and control characters: Vega-Lite quotes it into expressions that cannot hold them."""
    return " ".join(printable(title, " ").split())


def hover(field_name: str = "run") -> Spec:
    """Makes the mark under the pointer the parameter ``pointed``, with all marks that share this field's value."""
    select = {"type": "point", "on": "pointerover", "clear": "pointerout", "fields": [field_name]}
    return {"params": [{"name": "pointed", "select": select}]}


def emphasized(pointed: float, value: float) -> Spec:
    """A channel with one value under the pointer and another elsewhere."""
    return {"condition": {"param": "pointed", "empty": False, "value": pointed}, "value": value}


def compact(value: float | None, digits: int = 6) -> float | None:
    """A number with this many significant digits, as a figure shows it and the HTML report carries it."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def interval_fields(interval: Interval | None) -> Row:
    """The ends of an interval, as fields of a row."""
    if interval is None:
        return {"low": None, "high": None}
    return {"low": compact(interval.low), "high": compact(interval.high)}
