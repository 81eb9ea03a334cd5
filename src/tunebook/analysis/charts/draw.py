"""Draws figures as SVG and PNG: the same bytes for the same figure, and nothing is loaded from anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any

from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.theme import config

__all__ = ["FigureSize", "png_of", "svg_of"]

_PER_CM = 96 / 2.54  # pixels, as CSS and SVG count them
_PNG_SCALE = 72 / 96  # a PNG's inch has 72 pixels of an SVG there, and 96 everywhere else
_VEGA_LITE = "6.4"
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


def svg_of(figure: Figure, size: FigureSize = FigureSize()) -> str:
    """The figure as SVG, in its light colours, with its title and caption for readers who cannot see it."""
    import vl_convert

    height = None if size.height_cm is None else size.height_cm * _PER_CM
    spec: dict[str, Any] = figure.static(round(size.width_cm * _PER_CM), height)
    look = config(font_size=round(size.font_pt * 96 / 72))
    svg: str = vl_convert.vegalite_to_svg(_writable(spec), vl_version=_VEGA_LITE, config=look, allowed_base_urls=[])
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
