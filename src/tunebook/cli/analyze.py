"""``tunebook analyze``: compares the runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from tunebook import api
from tunebook.cli.options import All, Json, located
from tunebook.cli.output import console, most_lines, print_json, print_problems
from tunebook.cli.waiting import waiting
from tunebook.core.jobs import JobState, count_states
from tunebook.core.paths import PLAN_FILE
from tunebook.core.shortened import counted, first_lines
from tunebook.errors import UsageError

__all__ = ["analyze_data", "register", "show_findings"]

_WATCH_S = 30.0
_MOST_GAPS = 5  # of one kind; the report has all
_MARKS = {True: "✓", False: "·", None: "•"}  # significant, not significant, not tested


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command()
    def analyze(
        directories: Annotated[
            list[Path] | None,
            typer.Argument(
                metavar="EXPERIMENT_DIR",
                help=f"The experiment's directory, with {PLAN_FILE}, or several. [default: the current one]",
                show_default=False,
            ),
        ] = None,
        *,
        output: Annotated[
            Path | None,
            typer.Option(
                "--output", help="Where the report about several experiments goes. [default: analysis-of-A-and-B]"
            ),
        ] = None,
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
        every: All = False,
        as_json: Json = False,
    ) -> None:
        """Compare the trained runs: write tables, statistics and reports to `analysis/`.

        Several experiments that share tasks are compared in one report, with the experiment as a factor.
        """
        size = api.FigureSize(width_cm, height_cm, font_pt, ppi)
        options = api.AnalyzeOptions(latex=latex, size=size, refresh_s=round(every_s) if watch else None)

        again = _analysis(directories or [], output, options)
        report = again()
        if open_report:
            typer.launch(report.path.as_uri())
        if watch:
            report = _watch(report, again, every_s=every_s, quiet=as_json)
        if as_json:
            print_json("analyze", report.exit_code, analyze_data(report), warnings=report.warnings)
        else:
            print_problems(report.warnings, kind="warning", every=every)
            show_findings(report, every=every)
        raise typer.Exit(report.exit_code)


def _analysis(
    directories: Sequence[Path], output: Path | None, options: api.AnalyzeOptions
) -> Callable[[], api.AnalyzeReport]:
    """The analysis that the arguments ask for."""
    if len(directories) > 1:
        return _told(partial(api.analyze_together, directories, options, output=output))
    if output is not None:
        hint = "name several experiments, or leave `--output` out: the report goes to `analysis/`"
        raise UsageError("`--output` is for the report about several experiments", hint=hint)
    return _told(partial(api.analyze, located(next(iter(directories), None)), options))


def _told(analysis: Callable[[], api.AnalyzeReport]) -> Callable[[], api.AnalyzeReport]:
    """The analysis, while which a person at a terminal reads that it is at work."""

    def analyze() -> api.AnalyzeReport:
        with waiting("analyzing"):
            return analysis()

    return analyze


def _watch(
    report: api.AnalyzeReport, again: Callable[[], api.AnalyzeReport], *, every_s: float, quiet: bool
) -> api.AnalyzeReport:
    """Analyzes again until every job has ended, completed or not."""
    while {JobState.RUNNING, JobState.PENDING} & set(report.states):
        if not quiet:
            console().print(_progress(report), markup=False)
        time.sleep(every_s)
        report = again()
    return report


def _progress(report: api.AnalyzeReport) -> str:
    return f"{count_states(report.states)}; {report.path}"


def show_findings(report: api.AnalyzeReport, *, every: bool = False) -> None:
    """Prints the findings (above a screenful the first of them), what is missing, and where the report is."""
    findings = [f"{_MARKS[finding.significant]} {finding.text}" for finding in report.findings]
    lines = first_lines(findings, most_lines(every=every), more="findings: see the report")
    gaps, deviations = report.summary.gaps, report.summary.deviations
    if gaps:
        lines.append(f"\n{counted(len(gaps), 'planned result')} missing:")
    for hint in dict.fromkeys(gap.hint for gap in gaps):
        lines += _missing(hint, [gap for gap in gaps if gap.hint == hint], every=every)
    if deviations:
        lines.append(f"{counted(len(deviations), 'deviation')} from the plan: see the report")
    lines.append(f"\nThe report: {report.path}")
    for line in lines:
        console().print(line, markup=False)


def _missing(hint: str, gaps: Sequence[Any], *, every: bool) -> Iterator[str]:
    """Missing results with the same remedy."""
    lines = [f"  {gap.subject}: {gap.what}" for gap in gaps]
    yield from first_lines(lines, None if every else _MOST_GAPS, more="planned results: `--all` lists them")
    if hint:
        yield f"    → {hint}"


def analyze_data(report: api.AnalyzeReport) -> dict[str, Any]:
    """The document's data: scores are fractions, epochs are zero-based and ``null`` for base models."""
    summary = report.summary
    kept = ("kind", "task", "significant", "text")
    return {
        "experiments": [str(experiment) for experiment in report.experiments],
        "report": str(report.path),
        "files": list(report.files),
        "finished": summary.is_finished,
        "findings": [{name: getattr(item, name) for name in kept} for item in summary.findings],
        **summary.tests,
        "gaps": [vars(item) for item in summary.gaps],
        "deviations": [vars(item) for item in summary.deviations],
        "next_steps": list(summary.next_steps),
        "seconds": round(report.seconds, 3),
    }
