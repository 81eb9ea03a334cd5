"""Writes what is looked at: ``figures/`` and ``report.html``, each file whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tunebook.analysis.charts.draw import FigureSize, png_of, svg_of
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.page.render import report_html
from tunebook.analysis.values import Analysis
from tunebook.core.paths import ANALYSIS
from tunebook.disk.atomic import read_text, write_bytes, write_text

__all__ = ["FIGURES", "Look", "write_figures", "write_page"]

FIGURES = "figures"  # below ``analysis/``
_OURS = ("score_", "sample_agreement", "loss", "learning_rate")  # how the names of figures begin


@dataclass(frozen=True)
class Look:
    """How figures and the page are made.

    Attributes:
        as_of: when, in words; the page says so while the experiment is unfinished.
        refresh_s: how often an unfinished experiment's page loads itself again; ``None`` for never.
    """

    size: FigureSize = field(default_factory=FigureSize)
    as_of: str = ""
    refresh_s: int | None = None


def write_figures(experiment: Path, figures: Sequence[Figure], size: FigureSize) -> dict[str, str]:
    """Writes every figure that has data, as SVG and PNG, unless it is as it was; removes an earlier analysis's others.

    Returns:
        A figure's title to its SVG, relative to ``analysis/``.
    """
    folder = experiment / ANALYSIS / FIGURES
    drawn = [figure for figure in figures if figure.spec]
    for figure in drawn:
        path, svg = folder / f"{figure.name}.svg", svg_of(figure, size)
        png = path.with_suffix(".png")
        if read_text(path) != svg or not png.exists():
            write_bytes(png, png_of(svg, size))
            write_text(path, svg)
    kept = {figure.name for figure in drawn}
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        if path.suffix in {".svg", ".png"} and path.stem not in kept and path.name.startswith(_OURS):
            path.unlink(missing_ok=True)
    return {figure.title: f"{FIGURES}/{figure.name}.svg" for figure in drawn}


def write_page(analysis: Analysis, figures: Sequence[Figure], look: Look) -> str:
    """Writes ``report.html``; returns its path, relative to the experiment's directory."""
    path = Path(analysis.experiment) / ANALYSIS / "report.html"
    page = report_html(analysis, figures, as_of=look.as_of, refresh_s=look.refresh_s)
    if read_text(path) != page:
        write_text(path, page)
    return f"{ANALYSIS}/{path.name}"
