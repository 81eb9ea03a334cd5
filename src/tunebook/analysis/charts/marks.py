"""The parts that Vega-Lite specifications are made of: layers of marks, channels, tooltips, and numbers in rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from tunebook.analysis.formatting import printable
from tunebook.analysis.records import Interval

__all__ = ["Row", "Spec", "TooltipEntry"]  # the functions are used as ``marks.layer`` and so on

Spec = dict[str, Any]
Row = dict[str, Any]  # one mark's numbers and texts, by field
TooltipEntry = tuple[str, str] | tuple[str, str, str]  # field, title, and a number's format

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
SHOWN: Spec = {"name": "shown", "value": []}  # the HTML report's table sets it: which runs its filter leaves


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
