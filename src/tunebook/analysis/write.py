"""Writes ``analysis/``: tables, figures and reports, each whole or not at all."""

from __future__ import annotations

from pathlib import Path

from tunebook.analysis.charts.catalogue import figures
from tunebook.analysis.frames import (
    comparisons_frame,
    curves_frame,
    effects_frame,
    evaluations_frame,
    runs_frame,
    samples_frame,
)
from tunebook.analysis.latex import effects_table, scores_table
from tunebook.analysis.pictures import Look, write_figures, write_page
from tunebook.analysis.report_markdown import markdown_report
from tunebook.analysis.tables import write_csv, write_parquet
from tunebook.analysis.values import Analysis
from tunebook.core.paths import ANALYSIS
from tunebook.disk.atomic import read_text, write_text

__all__ = ["write_analysis"]


def write_analysis(analysis: Analysis, *, latex: bool = False, look: Look | None = None) -> tuple[str, ...]:
    """Writes every table, figure and report; returns their paths, relative to the experiment's directory.

    Tables are both CSV, for every spreadsheet, and Parquet, which keeps types; samples are Parquet only.
    """
    experiment = Path(analysis.experiment)
    frames = {
        "runs": runs_frame(analysis),
        "evaluations": evaluations_frame(analysis),
        "comparisons": comparisons_frame(analysis),
        "effects": effects_frame(analysis),
    }
    written = []
    for name, frame in frames.items():
        write_csv(experiment / ANALYSIS / f"{name}.csv", frame)
        write_parquet(experiment / ANALYSIS / f"{name}.parquet", frame)
        written += [f"{ANALYSIS}/{name}.csv", f"{ANALYSIS}/{name}.parquet"]
    for name, frame in (("curves", curves_frame(analysis)), ("samples", samples_frame(analysis))):
        write_parquet(experiment / ANALYSIS / f"{name}.parquet", frame)
        written.append(f"{ANALYSIS}/{name}.parquet")
    look, drawn = look or Look(), figures(analysis)
    paths = write_figures(experiment, drawn, look.size)
    written += [f"{ANALYSIS}/{Path(path).with_suffix(end)}" for path in paths.values() for end in (".svg", ".png")]
    _write(experiment / ANALYSIS / "report.md", markdown_report(analysis, figures=paths))
    if latex:
        for name, content in _latex(analysis).items():
            _write(experiment / ANALYSIS / "latex" / name, content)
            written.append(f"{ANALYSIS}/latex/{name}")
    return (f"{ANALYSIS}/report.md", write_page(analysis, drawn, look), *written)


def _latex(analysis: Analysis) -> dict[str, str]:
    """A file a table: the scores of each measure of each task, and the effects."""
    tables = {
        f"scores-{number}.tex": scores_table(analysis, task, measure)
        for number, (task, measure) in enumerate(
            ((task.name, measure) for task in analysis.tasks for measure in task.measures), start=1
        )
    }
    return tables | ({"effects.tex": effects_table(analysis)} if analysis.effects else {})


def _write(path: Path, text: str) -> None:
    """Writes a text that is not there yet, so that what watches the file sees real changes only."""
    if read_text(path) != text:
        write_text(path, text)
