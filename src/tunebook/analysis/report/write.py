"""Writes ``analysis/``: tables, figures and reports, each file whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field

from tunebook.analysis.charts.catalogue import figures
from tunebook.analysis.charts.figure import FigureSize
from tunebook.analysis.data_files import write_csv, write_parquet
from tunebook.analysis.destination import Destination
from tunebook.analysis.frames import FRAMES
from tunebook.analysis.report.figure_files import write_figures
from tunebook.analysis.report.html import report_html
from tunebook.analysis.report.latex import latex_tables
from tunebook.analysis.report.markdown import markdown_report
from tunebook.analysis.report.methods import BIBLIOGRAPHY, methods_of
from tunebook.analysis.report.sections import content_of
from tunebook.analysis.values import Analysis
from tunebook.core.paths import FIGURES
from tunebook.disk.atomic import write_text
from tunebook.disk.read import read_text

__all__ = ["ReportOptions", "write_report"]

_PARQUET_ONLY = ("curves", "samples")  # the long ones
_MANY = 30_000  # answers and steps


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


def write_report(
    analysis: Analysis, options: ReportOptions, destination: Destination, *, as_of: str = ""
) -> tuple[str, ...]:
    """Writes every table, figure and report; returns their paths, relative to the destination's folder.

    A report or figure that has not changed is not written again, so that programs that watch it see real changes only.

    Args:
        destination: its folder is in the directory that the paths of logs are relative to.
        as_of: the time of the analysis, in words; the report of an unfinished experiment shows it.
    """
    folder, root = destination.folder, destination.root
    drawn = figures(analysis)
    figure_names = write_figures(destination, drawn, options.size, apart=_is_large(analysis))
    content = content_of(analysis, drawn, as_of=as_of)
    texts = {
        "report.md": markdown_report(content),
        BIBLIOGRAPHY: methods_of(analysis).bibtex,
        "report.html": report_html(content, refresh_s=options.refresh_s, destination=destination),
    }
    if options.latex:
        texts |= {f"latex/{name}": text for name, text in latex_tables(content).items()}
    for name, text in texts.items():
        if read_text(folder / name) != text:
            write_text(folder / name, text, within=root)
    return (*texts, *_write_data(destination, analysis), *(f"{FIGURES}/{name}" for name in figure_names))


def _is_large(analysis: Analysis) -> bool:
    """Whether the analysis itself takes much memory."""
    answers = sum(len(samples.ids) for samples in analysis.samples.values())
    return answers + sum(training.steps for training in analysis.trainings) > _MANY


def _write_data(destination: Destination, analysis: Analysis) -> list[str]:
    """Tables are both CSV, for every spreadsheet, and Parquet, which keeps types."""
    folder, root = destination.folder, destination.root
    written = []
    for name, frame_of in FRAMES.items():
        frame = frame_of(analysis)
        write_parquet(folder / f"{name}.parquet", frame, within=root)
        written.append(f"{name}.parquet")
        if name not in _PARQUET_ONLY:
            write_csv(folder / f"{name}.csv", frame, within=root)
            written.append(f"{name}.csv")
    return written
