"""Figures as files: SVG and PNG, with the same bytes for the same figure, and nothing loaded from anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.theme import config

__all__ = ["FigureSize", "png_of", "svg_of"]

_PER_CM = 96 / 2.54  # pixels, as CSS and SVG count them
_VEGA_LITE = "6.4"


@dataclass(frozen=True)
class FigureSize:
    """How large figures are on paper.

    Attributes:
        width_cm: of all figures: a column of a journal is about 8.5 cm, a page's text about 17 cm.
        height_cm: of all figures; ``None`` for each its own.
        font_pt: of axis labels, in points.
        ppi: a PNG's pixels per inch.
    """

    width_cm: float = 17.0
    height_cm: float | None = None
    font_pt: float = 8.25
    ppi: int = 200


def svg_of(figure: Figure, size: FigureSize = FigureSize()) -> str:
    """The figure as SVG, in its light colours."""
    import vl_convert

    height = None if size.height_cm is None else size.height_cm * _PER_CM
    spec: dict[str, Any] = figure.static(round(size.width_cm * _PER_CM), height)
    spec["config"] = config(font_size=round(size.font_pt * 96 / 72))
    svg: str = vl_convert.vegalite_to_svg(spec, vl_version=_VEGA_LITE, allowed_base_urls=[])
    return svg + "\n"


def png_of(svg: str, size: FigureSize = FigureSize()) -> bytes:
    """The picture of an SVG."""
    import vl_convert

    return bytes(vl_convert.svg_to_png(svg, ppi=size.ppi))
