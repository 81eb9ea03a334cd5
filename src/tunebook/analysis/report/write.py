"""Writes ``analysis/``: tables, figures and reports, each file whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tunebook.analysis.charts.catalogue import figures
from tunebook.analysis.charts.figure import Figure, FigureSize, png_of, svg_of
from tunebook.analysis.data_files import write_csv, write_parquet
from tunebook.analysis.frames import FRAMES
from tunebook.analysis.report.html import report_html
from tunebook.analysis.report.latex import latex_tables
from tunebook.analysis.report.markdown import markdown_report
from tunebook.analysis.report.sections import content_of
from tunebook.analysis.values import Analysis
from tunebook.core.paths import ANALYSIS
from tunebook.disk.atomic import read_text, write_bytes, write_text

__all__ = ["ReportOptions", "write_report"]

_PARQUET_ONLY = ("curves", "samples")  # the long ones
_FIGURES = "figures"  # below ``analysis/``
_OURS = ("score_", "sample_agreement", "loss", "learning_rate")  # the beginnings of our figures' names


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """How the report is made.

    Attributes:
        size: the size of the figures.
        latex: whether to write tables for LaTeX.
        refresh_s: how often the HTML report of an unfinished experiment reloads itself; ``None`` for never.
    """

    size: FigureSize = field(default_factory=FigureSize)
    latex: bool = False
    refresh_s: int | None = None


def write_report(analysis: Analysis, options: ReportOptions, *, as_of: str = "") -> tuple[str, ...]:
    """Writes every table, figure and report; returns their paths, relative to the experiment's directory.

    A report or figure that has not changed is not written again, so that programs that watch it see real changes only.

    Args:
        as_of: the time of the analysis, in words; the report of an unfinished experiment shows it.
    """
    folder = Path(analysis.experiment) / ANALYSIS
    drawn = figures(analysis)
    content = content_of(analysis, drawn, as_of=as_of)
    texts = {
        "report.md": markdown_report(content),
        "report.html": report_html(content, refresh_s=options.refresh_s),
    }
    if options.latex:
        texts |= {f"latex/{name}": text for name, text in latex_tables(content).items()}
    for name, text in texts.items():
        if read_text(folder / name) != text:
            write_text(folder / name, text)
    written = (*texts, *_write_data(folder, analysis), *_write_figures(folder, drawn, options.size))
    return tuple(f"{ANALYSIS}/{name}" for name in written)


def _write_data(folder: Path, analysis: Analysis) -> list[str]:
    """Tables are both CSV, for every spreadsheet, and Parquet, which keeps types."""
    written = []
    for name, frame_of in FRAMES.items():
        frame = frame_of(analysis)
        write_parquet(folder / f"{name}.parquet", frame)
        written.append(f"{name}.parquet")
        if name not in _PARQUET_ONLY:
            write_csv(folder / f"{name}.csv", frame)
            written.append(f"{name}.csv")
    return written


def _write_figures(folder: Path, figures: Sequence[Figure], size: FigureSize) -> list[str]:
    """Writes every figure that has data, as SVG and PNG; removes those of an earlier analysis that have none now."""
    written = []
    for figure in figures:
        if not figure.spec:
            continue
        path, svg = folder / _FIGURES / f"{figure.name}.svg", svg_of(figure, size)
        png = path.with_suffix(".png")
        if read_text(path) != svg or not png.exists():
            write_bytes(png, png_of(svg, size))
            write_text(path, svg)  # last: the SVG says that both are up to date
        written += [f"{_FIGURES}/{path.name}", f"{_FIGURES}/{png.name}"]
    for path in sorted((folder / _FIGURES).glob("*.*")):
        is_ours = path.suffix in {".svg", ".png"} and path.name.startswith(_OURS)
        if is_ours and f"{_FIGURES}/{path.name}" not in written:
            path.unlink(missing_ok=True)
    return written
