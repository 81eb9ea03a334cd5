"""Figures in a notebook: interactive where the notebook draws Vega-Lite, a picture elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from tunebook.analysis.charts.draw import svg_of
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.theme import LIGHT

__all__ = ["NotebookFigure", "for_notebook"]

_WIDTH = 640


@dataclass(frozen=True)
class NotebookFigure(Figure):
    """A figure that a notebook shows as the value of a cell."""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if not self.spec:
            return {"text/plain": f"{self.title}: {self.reason}"}
        return {
            "application/vnd.vegalite.v6+json": self.sized(_WIDTH) | {"config": LIGHT},
            "image/svg+xml": svg_of(self),
            "text/plain": f"{self.title}: {self.caption}",
        }


def for_notebook(figure: Figure) -> NotebookFigure:
    """The same figure, ready to be the value of a cell."""
    return NotebookFigure(**{each.name: getattr(figure, each.name) for each in fields(figure)})
