"""A figure as a value, and its drawings as SVG and PNG: the same bytes for the same figure, and nothing is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from types import MappingProxyType
from typing import Any

from tunebook.analysis.charts.marks import Spec
from tunebook.analysis.charts.theme import LIGHT, config

__all__ = ["Figure", "FigureSize", "png_of", "svg_of"]

_LETTER_PX, _SYMBOL_PX = 6.2, 34  # of a legend's entry
_NOTEBOOK_PX = 640
_PER_CM = 96 / 2.54  # pixels, as CSS and SVG count them
_PNG_SCALE = 72 / 96  # a PNG's inch has 72 pixels of an SVG there, and 96 everywhere else
_VEGA_LITE = "6.4"
_NO_DASHES = ' stroke-dasharray="1,0"'
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class FigureSize:
    """How large figures are on paper.

    Attributes:
        width_cm: width of all figures: a journal's column is about 8.5 cm wide, the text of an A4 page about 17 cm.
        height_cm: height of all figures; ``None`` to give each figure its own.
        font_pt: size of the axis labels, in points.
        ppi: pixels per inch of a PNG.
    """

    width_cm: float = 17.0
    height_cm: float | None = None
    font_pt: float = 8.25
    ppi: int = 200


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
        task: the task that it is about; empty for all.
        part: the part of the report that it belongs to.
    """

    name: str
    title: str
    caption: str = ""
    spec: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    height: int = 300
    is_wide: bool = False
    reason: str = ""
    hint: str = ""
    task: str = ""
    part: str = ""

    @property
    def filter_note(self) -> str:
        """The effect of the filter in the report's table of runs on this figure."""
        if not self.spec:
            return ""
        follows = [_is_filtered(layer) for layer in self.spec["layer"]]
        if not any(follows):
            return "The filter does not apply to this figure: it shows all runs."
        if any("mean" in str(layer["encoding"]) for layer in self.spec["layer"] if not _is_filtered(layer)):
            return "The filter applies to the runs only: means, their intervals and the caption are over all runs."
        return "Only the runs that the filter leaves are drawn; the caption describes all runs."

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
        return {
            "application/vnd.vegalite.v6+json": self.sized(_NOTEBOOK_PX) | {"config": LIGHT},
            "image/svg+xml": svg_of(self),
            "text/plain": f"{self.title}: {self.caption}",
        }


def _is_filtered(layer: Mapping[str, Any]) -> bool:
    return any("shown" in str(step.get("filter")) for step in layer.get("transform", ()))


def svg_of(figure: Figure, size: FigureSize = FigureSize()) -> str:
    """The figure as SVG, in its light colours, with its title and caption for readers who cannot see it."""
    import vl_convert

    height = None if size.height_cm is None else size.height_cm * _PER_CM
    spec: dict[str, Any] = figure.static(round(size.width_cm * _PER_CM), height)
    look = config(font_size=round(size.font_pt * 96 / 72))
    svg: str = vl_convert.vegalite_to_svg(_writable(spec), vl_version=_VEGA_LITE, config=look, allowed_base_urls=[])
    svg = svg.replace(_NO_DASHES, "")  # with them a thousand lines take seconds, one stroke a pixel
    words = f"<title>{escape(_writable(figure.title))}</title><desc>{escape(_writable(figure.caption))}</desc>"
    return svg.replace(">", f' role="img">{words}', 1) + "\n"


def _writable(value: Any) -> Any:
    """A specification without the characters that XML or the drawing program cannot hold."""
    if isinstance(value, str):
        return _NOT_IN_XML.sub("\ufffd", value)
    if isinstance(value, dict):
        return {key: _writable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_writable(each) for each in value]
    return value


def png_of(svg: str, size: FigureSize = FigureSize()) -> bytes:
    """The SVG as a PNG."""
    import vl_convert

    return bytes(vl_convert.svg_to_png(svg, scale=_PNG_SCALE, ppi=size.ppi))
