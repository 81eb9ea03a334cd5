"""Colours, lines and letters of every figure, in light and in dark.

Categories have the colours of Okabe and Ito (2008, "Color universal design"), which people with any kind of colour
blindness can distinguish; in this order, neighbours differ in lightness too. Ordered values run along viridis, without
the ends of it that vanish on white or on black.
"""

from __future__ import annotations

from typing import Any

__all__ = ["CATEGORIES", "DARK", "IN_DARK", "LIGHT", "config"]

CATEGORIES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
IN_DARK = {  # the same hues, light enough for a dark background: contrast 4.5:1 at least
    "#0072B2": "#4BA6E0",
    "#D55E00": "#F08A45",
    "#009E73": "#2FC79B",
    "#CC79A7": "#DD93BB",
    "#8a8f96": "#9aa1a9",
    "#E69F00": "#E9AE2B",
    "#56B4E9": "#8FD0F5",
}
_COLOURS = {  # text, quiet text, lines, background, categories; by whether they are for dark
    False: ("#1a1d21", "#565d66", "#e3e6ea", "#ffffff", CATEGORIES),
    True: ("#e8eaed", "#a7afb8", "#2b3036", "#14171a", tuple(map(IN_DARK.__getitem__, CATEGORIES))),
}
_EXTENTS = {False: [0.0, 0.88], True: [0.25, 1.0]}  # of viridis: without the end that vanishes on the background
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"  # the first comes with vl-convert, which draws the files
_FONT_SIZE = 11


def config(*, dark: bool = False, font_size: int = _FONT_SIZE) -> dict[str, Any]:
    """Vega-Lite's configuration, the same for all figures.

    Args:
        font_size: size of axis labels, in pixels; a pixel is 1/96 inch on paper.
    """
    ink, muted, line, paper, categories = _COLOURS[dark]
    letters = {"labelColor": ink, "titleColor": ink, "labelFontSize": font_size, "titleFontSize": font_size + 1}
    return {
        "background": paper,
        "font": _FONT,
        "padding": 4,
        "aria": False,  # a figure is one image with a caption and a table of its numbers, not a thousand marks
        "view": {"stroke": None},
        "axis": letters
        | {
            "titleFontWeight": "normal",
            "titlePadding": 8,
            "gridColor": line,
            "domainColor": muted,
            "tickColor": muted,
            "labelLimit": 190,
            "titleLimit": 600,
            "labelOverlap": "greedy",
            "labelSeparation": 4,
            "labelFlush": False,
        },
        "legend": letters
        | {"titleFontWeight": "normal", "orient": "top", "labelLimit": 400, "symbolLimit": 12, "symbolSize": 90},
        "header": letters,
        "range": {
            "category": list(categories),
            "ordinal": {"scheme": "viridis", "extent": _EXTENTS[dark]},
            "heatmap": {"scheme": "viridis"},
            "ramp": {"scheme": "viridis"},
        },
        "style": {
            "reference": {"color": ink, "strokeDash": [5, 3], "strokeWidth": 1.3},
            "annotation": {"color": ink, "fontSize": font_size},
            "quiet": {"color": muted},
            "one-colour": {"color": categories[0]},
        },
    }


LIGHT = config()
DARK = config(dark=True)
