"""``tunebook analyze``: compares the runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.options import Directory, Json, located
from tunebook.cli.output import console, print_json, print_problems
from tunebook.core.jobs import JobState

__all__ = ["register", "show_findings"]

_WATCH_S = 30.0
_MOST_GAPS = 5  # of one kind; the report has all
_MARKS = {True: "✓", False: "·", None: "•"}  # significant, not significant, not tested


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command()
    def analyze(
        directory: Directory = None,
        *,
        open_report: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
        latex: Annotated[bool, typer.Option("--latex", help="Also write tables for LaTeX (booktabs).")] = False,
        width_cm: Annotated[
            float, typer.Option("--figure-width", min=4, max=100, help="Width of the figures, in cm.")
        ] = 17.0,
        height_cm: Annotated[
            float | None,
            typer.Option(
                "--figure-height", min=2, max=100, help="Height of the figures, in cm. [default: one for each kind]"
            ),
        ] = None,
        font_pt: Annotated[
            float, typer.Option("--figure-font", min=4, max=40, help="Font size of the axis labels, in points.")
        ] = 8.25,
        ppi: Annotated[int, typer.Option("--figure-ppi", min=50, max=1200, help="Pixels per inch of PNG files.")] = 200,
        watch: Annotated[
            bool, typer.Option("--watch", help="Analyze repeatedly until no job is waiting or running.")
        ] = False,
        every_s: Annotated[float, typer.Option(min=1, help="Seconds between two analyses with `--watch`.")] = _WATCH_S,
        as_json: Json = False,
    ) -> None:
        """Compare the trained runs: write tables, statistics and reports to `analysis/`."""
        experiment = located(directory)
        size = api.FigureSize(width_cm, height_cm, font_pt, ppi)
        options = api.AnalyzeOptions(latex=latex, size=size, refresh_s=round(every_s) if watch else None)

        def again() -> api.AnalyzeReport:
            return api.analyze(experiment, options)

        report = again()
        if open_report:
            typer.launch(report.path.as_uri())
        if watch:
            report = _watch(report, again, every_s=every_s, quiet=as_json)
        if as_json:
            print_json("analyze", report.exit_code, _data(report), warnings=report.warnings)
        else:
            print_problems(report.warnings, kind="warning")
            show_findings(report)
        raise typer.Exit(report.exit_code)


def _watch(
    report: api.AnalyzeReport, again: Callable[[], api.AnalyzeReport], *, every_s: float, quiet: bool
) -> api.AnalyzeReport:
    """Analyzes again until every job has ended, whatever its end."""
    while {JobState.RUNNING, JobState.PENDING} & set(report.states):
        if not quiet:
            console().print(_progress(report), markup=False)
        time.sleep(every_s)
        report = again()
    return report


def _progress(report: api.AnalyzeReport) -> str:
    states = report.states
    parts = [f"{states.count(state)} {state.value}" for state in JobState if state in states]
    return f"{', '.join(parts)}; {report.path}"


def show_findings(report: api.AnalyzeReport) -> None:
    """Prints the findings, what is missing, and where the report is."""
    out = console()
    for finding in report.findings:
        out.print(f"{_MARKS[finding.significant]} {finding.text}", markup=False)
    gaps = report.analysis.gaps
    if gaps:
        out.print(f"\n{len(gaps)} planned result(s) missing:", markup=False)
    for hint in dict.fromkeys(gap.hint for gap in gaps):
        same = [gap for gap in gaps if gap.hint == hint]
        for gap in same[:_MOST_GAPS]:
            out.print(f"  {gap.subject}: {gap.what}", markup=False)
        if len(same) > _MOST_GAPS:
            out.print(f"  and {len(same) - _MOST_GAPS} more", markup=False)
        if hint:
            out.print(f"    → {hint}", markup=False)
    if report.analysis.deviations:
        out.print(f"{len(report.analysis.deviations)} deviation(s) from the plan: see the report", markup=False)
    out.print(f"\nThe report: {report.path}", markup=False)


_COMPARED = ("run", "epoch", "against", "other", "task", "measure", "difference")  # before and after the interval
_TESTED = ("test", "n", "p", "p_holm", "significant")
_EFFECT = ("task", "measure", "factors", "statistic", "df", "p", "p_holm", "significant", "generalizes", "note")


def _data(report: api.AnalyzeReport) -> dict[str, Any]:
    """The document's data: scores are fractions, epochs are zero-based and ``null`` for base models."""
    analysis = report.analysis
    return {
        "experiment": str(report.experiment),
        "report": str(report.path),
        "files": list(report.files),
        "finished": analysis.is_finished,
        "findings": [_picked(item, ("kind", "task", "significant", "text")) for item in analysis.findings],
        "scores": [_score(score) for evaluation in analysis.evaluations for score in evaluation.scores],
        "comparisons": [_comparison(item) for item in analysis.comparisons],
        "effects": [_picked(item, _EFFECT) for item in analysis.effects],
        "gaps": [vars(item) for item in analysis.gaps],
        "deviations": [vars(item) for item in analysis.deviations],
        "next_steps": list(analysis.next_steps),
        "seconds": round(report.seconds, 3),
    }


def _score(score: api.Score) -> dict[str, Any]:
    key = score.evaluation
    row = {"run": key.run, "task": key.task, "epoch": _epoch(key.epoch), "measure": score.measure, "score": score.value}
    method = score.interval.method if score.interval else None
    return row | {"n": score.n, **_bounds(score.interval), "interval": method}


def _comparison(item: Any) -> dict[str, Any]:
    epoch = {"epoch": _epoch(item.epoch)}
    return _picked(item, _COMPARED) | epoch | _bounds(item.interval) | _picked(item, _TESTED)


def _picked(item: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(item, name) for name in names}


def _bounds(interval: api.Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {"low": None, "high": None}
    return {"low": interval.low, "high": interval.high}


def _epoch(epoch: int) -> int | None:
    return epoch if epoch >= 0 else None
