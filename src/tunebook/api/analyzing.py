"""``analyze``: what was learnt, as values, data frames, tables and reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunebook.analysis.analyze import analyze_experiment
from tunebook.analysis.charts.catalogue import figures
from tunebook.analysis.charts.draw import FigureSize
from tunebook.analysis.charts.notebook import NotebookFigure, for_notebook
from tunebook.analysis.collect.source import JobFacts, source_of
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.frames import (
    comparisons_frame,
    curves_frame,
    effects_frame,
    evaluations_frame,
    runs_frame,
    samples_frame,
)
from tunebook.analysis.notebook import notebook_html
from tunebook.analysis.pictures import Look
from tunebook.analysis.values import Analysis
from tunebook.analysis.write import write_analysis
from tunebook.api.loading import find_experiment, find_site
from tunebook.api.running import status
from tunebook.api.scaffolding import now
from tunebook.artifacts.text_files import read_readable
from tunebook.core.jobs import JobState
from tunebook.core.naming import directory_problems
from tunebook.core.paths import ANALYSIS, ANALYZE_LOG
from tunebook.core.plan import PLAN_FILE, parse_plan
from tunebook.disk.ledger import LedgerReader
from tunebook.disk.lock import exclusive
from tunebook.disk.log import Log
from tunebook.disk.manifest import read_manifest
from tunebook.errors import ExitCode, PlanError, Problem, ToolError
from tunebook.run.overview import job_reports
from tunebook.run.report import JobReport, StatusReport
from tunebook.slurm.accounting import SlurmUse, read_usage

__all__ = ["AnalyzeReport", "analyze"]

_NEEDED = {
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "scipy": "scipy",
    "statsmodels": "statsmodels",
    "vl_convert": "vl-convert-python",
    "jinja2": "Jinja2",
}


@dataclass(frozen=True)
class AnalyzeReport:
    """What was learnt, and where it was written.

    Attributes:
        files: relative to the experiment's directory; empty if nothing was written.
        warnings: what stood in the way of knowing more.
        seconds: how long it took.
    """

    experiment: Path
    analysis: Analysis
    files: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
    seconds: float = 0.0

    @property
    def page(self) -> Path:
        """The report to open: ``report.html`` where there is one, else ``report.md``."""
        html = f"{ANALYSIS}/report.html"
        return self.experiment / (html if html in self.files else f"{ANALYSIS}/report.md")

    @property
    def states(self) -> tuple[JobState, ...]:
        """The state of every training and every evaluation."""
        trainings = tuple(run.training.state for run in self.analysis.runs if run.training is not None)
        return (*trainings, *(evaluation.state for evaluation in self.analysis.evaluations))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the numbers bear out, in sentences."""
        return self.analysis.findings

    @property
    def exit_code(self) -> ExitCode:
        """``UNFINISHED`` if something that was planned is missing."""
        return ExitCode.DONE if self.analysis.is_finished else ExitCode.UNFINISHED

    def _repr_html_(self) -> str:
        """What a notebook shows: the findings and the runs."""
        return notebook_html(self.analysis)

    @property
    def runs(self) -> Any:
        """A data frame with a row a run."""
        return runs_frame(self.analysis)

    @property
    def evaluations(self) -> Any:
        """A data frame with a row a score."""
        return evaluations_frame(self.analysis)

    @property
    def samples(self) -> Any:
        """A data frame with a row a sample."""
        return samples_frame(self.analysis)

    @property
    def curves(self) -> Any:
        """A data frame with a row a training step."""
        return curves_frame(self.analysis)

    @property
    def comparisons(self) -> Any:
        """A data frame with a row a comparison of two runs."""
        return comparisons_frame(self.analysis)

    @property
    def figures(self) -> tuple[NotebookFigure, ...]:
        """Every figure; a notebook shows them as they are."""
        return tuple(map(for_notebook, figures(self.analysis)))

    @property
    def effects(self) -> Any:
        """A data frame with a row a level of a factor."""
        return effects_frame(self.analysis)


def analyze(
    directory: Path,
    *,
    write: bool = True,
    latex: bool = False,
    size: FigureSize | None = None,
    refresh_s: int | None = None,
    ask: bool = True,
    clock: Callable[[], datetime] = now,
) -> AnalyzeReport:
    """Collects, analyzes and writes ``analysis/``; a running or failed experiment is told as far as it is.

    Args:
        write: whether to write the tables, the report and the log.
        latex: whether to write LaTeX tables too.
        size: of the figures; ``None`` for a page's width.
        refresh_s: how often the page of an unfinished experiment loads itself again; ``None`` for never.
        ask: whether to ask executors what became of their jobs.

    Raises:
        PlanError: the page is wrong: which run a directory is of may not be sure then.
        LockedError: another analysis writes here.
        ToolError: a package that it needs is not installed.
    """
    started = time.perf_counter()
    experiment = find_experiment(directory)
    _need_packages()
    parsed = parse_plan(read_readable(experiment / PLAN_FILE) or "")
    problems = (*parsed.problems, *directory_problems(parsed.plan))
    if problems:
        raise PlanError(problems)
    site, _ = find_site(experiment)
    facts, warnings = _job_facts(experiment, ask=ask)
    source = source_of(experiment, parsed.plan, site, jobs=facts, use_cache=write)
    if not write:
        return AnalyzeReport(experiment, analyze_experiment(source), (), warnings, time.perf_counter() - started)
    with exclusive(experiment, "analyze", wait_s=30.0):
        analysis = analyze_experiment(source)
        look = Look(size or FigureSize(), f"{clock():%Y-%m-%d %H:%M %Z}", refresh_s)
        files = write_analysis(analysis, latex=latex, look=look)
        report = AnalyzeReport(experiment, analysis, files, warnings, time.perf_counter() - started)
        _log(report, clock)
    return report


def _need_packages() -> None:
    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise ToolError(f"analysis needs {', '.join(missing)}", hint="pip install 'tunebook[analysis]'")


def _job_facts(experiment: Path, *, ask: bool) -> tuple[tuple[JobFacts, ...], tuple[Problem, ...]]:
    """Every scaffolded job as it stands; a scheduler that does not answer is a warning, and no reason to stop."""
    jobs = read_manifest(experiment).jobs
    if not jobs:
        return (), ()
    seen = status(experiment) if ask else StatusReport(job_reports(jobs, experiment=experiment))
    ledger = LedgerReader(experiment)
    attempts = ledger.submissions()
    slurm = {name: entry.last.job_id for name, entry in ledger.read().entries.items() if entry.last.executor == "slurm"}
    counted = read_usage([job_id for job_id in slurm.values() if job_id]) if slurm and ask else {}
    facts = (
        _facts(item, attempts.get(item.job.name, 0), counted.get(slurm.get(item.job.name, ""))) for item in seen.jobs
    )
    return tuple(facts), tuple(Problem(text) for text in seen.warnings)


def _facts(report: JobReport, attempts: int, slurm: SlurmUse | None) -> JobFacts:
    return JobFacts(
        report.job,
        report.state,
        report.reason,
        report.job_id,
        report.started,
        report.ended,
        report.output,
        report.node or (slurm.node if slurm else ""),
        attempts,
        slurm,
    )


def _log(report: AnalyzeReport, clock: Callable[[], datetime]) -> None:
    analysis = report.analysis
    log = Log(report.experiment / ANALYZE_LOG, clock)
    counted = sum(evaluation.is_done for evaluation in analysis.evaluations)
    trained = sum(1 for run in analysis.runs if run.training is not None and run.training.steps)
    done = sum(run.training is not None and run.training.is_done for run in analysis.runs)
    log.entries(
        [
            (
                "COLLECT",
                f"{len(analysis.runs)} runs, {len(analysis.evaluations)} evaluations",
                {
                    "details": f"{trained} training curves, {done} completed trainings, {counted} logs that count",
                    "result": f"{len(analysis.gaps)} gaps, {len(analysis.deviations)} deviations",
                },
            ),
            *(("GAP", gap.subject, {"details": gap.what, "explanation": gap.hint}) for gap in analysis.gaps),
            *(("DEVIATION", item.subject, {"details": item.what}) for item in analysis.deviations),
            *(("FINDING", finding.text, {}) for finding in analysis.findings),
            ("COMPLETE", "analysis written", {"details": ", ".join(report.files), "result": f"{report.seconds:.1f} s"}),
        ]
    )
