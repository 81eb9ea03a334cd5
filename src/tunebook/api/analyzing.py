"""``analyze``: results as values, data frames, tables and reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunebook.analysis.analyze import analyze_experiment
from tunebook.analysis.charts.catalogue import figures
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.collect.places import places_outside
from tunebook.analysis.collect.source import JobFacts, Source, source_of
from tunebook.analysis.destination import destination_of
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.formatting import plural, time_text
from tunebook.analysis.frames import FRAMES
from tunebook.analysis.last_analysis import WrittenAnalysis, look_at_inputs, recall, remember
from tunebook.analysis.report.html import notebook_html
from tunebook.analysis.report.sections import content_of
from tunebook.analysis.report.write import ReportOptions, write_report
from tunebook.analysis.summary import Summary, summarize
from tunebook.analysis.values import Analysis
from tunebook.api.freezing import freeze_hypotheses
from tunebook.api.loading import find_experiment, find_site
from tunebook.api.running import status
from tunebook.api.scaffolding import now
from tunebook.artifacts.text_files import read_readable
from tunebook.core.jobs import JobState
from tunebook.core.naming import directory_problems
from tunebook.core.paths import ANALYSIS, ANALYZE_LOG, PLAN_FILE
from tunebook.core.plan import Plan, parse_plan, read_tools
from tunebook.core.site import Site
from tunebook.disk.ledger import LedgerReader
from tunebook.disk.lock import exclusive
from tunebook.disk.log import Log
from tunebook.disk.manifest import read_manifest
from tunebook.errors import ExitCode, PlanError, Problem, ToolError
from tunebook.run.overview import job_reports
from tunebook.run.report import JobReport, StatusReport
from tunebook.slurm.accounting import SlurmUse, read_usage
from tunebook.tools.parameters import installed_parameters

__all__ = ["AnalyzeOptions", "AnalyzeReport", "analyze"]

_NEEDED = {
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "scipy": "scipy",
    "statsmodels": "statsmodels",
    "vl_convert": "vl-convert-python",
    "jinja2": "Jinja2",
}


@dataclass(frozen=True, kw_only=True)
class AnalyzeOptions(ReportOptions):
    """The options of ``analyze``; those of the report are among them.

    Attributes:
        write: whether to write the tables, the report and the log.
        ask: whether to ask executors for the state of their jobs.
    """

    write: bool = True
    ask: bool = True


@dataclass(frozen=True)
class AnalyzeReport:
    """The results of an experiment, and the files that they were written to.

    Attributes:
        summary: what commands print of the analysis.
        compute: makes the analysis, or returns the one that was made.
        files: relative to the experiment's directory; empty if nothing was written.
        warnings: problems that kept the analysis from knowing more, such as a scheduler that did not answer.
        seconds: how long the analysis took.
        is_new: whether it was made now; ``False`` if nothing has changed since the last one was written.
    """

    experiment: Path
    summary: Summary
    compute: Callable[[], Analysis] = field(repr=False, compare=False)
    files: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
    seconds: float = 0.0
    is_new: bool = True

    @cached_property
    def analysis(self) -> Analysis:
        """Everything that is known; where nothing had changed since the last analysis, it is made when first asked."""
        return self.compute()

    @property
    def path(self) -> Path:
        """The report to open."""
        return self.experiment / ANALYSIS / "report.html"

    @property
    def states(self) -> tuple[JobState, ...]:
        """The state of every training and every evaluation."""
        return self.summary.states

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The sentences that the numbers support."""
        return self.summary.findings

    @property
    def exit_code(self) -> ExitCode:
        """``UNFINISHED`` if a planned result is missing."""
        return ExitCode.DONE if self.summary.is_finished else ExitCode.UNFINISHED

    @property
    def runs(self) -> Any:
        """A data frame with one row per run."""
        return FRAMES["runs"](self.analysis)

    @property
    def evaluations(self) -> Any:
        """A data frame with one row per score."""
        return FRAMES["evaluations"](self.analysis)

    @property
    def samples(self) -> Any:
        """A data frame with one row per sample."""
        return FRAMES["samples"](self.analysis)

    @property
    def curves(self) -> Any:
        """A data frame with one row per training step."""
        return FRAMES["curves"](self.analysis)

    @property
    def comparisons(self) -> Any:
        """A data frame with one row per comparison of two runs."""
        return FRAMES["comparisons"](self.analysis)

    @property
    def effects(self) -> Any:
        """A data frame with one row per level of a factor."""
        return FRAMES["effects"](self.analysis)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Every figure; a notebook displays them."""
        return figures(self.analysis)

    def _repr_html_(self) -> str:
        """The findings and the runs, as a notebook displays them."""
        return notebook_html(content_of(self.analysis))


def analyze(
    directory: Path, options: AnalyzeOptions | None = None, *, clock: Callable[[], datetime] = now
) -> AnalyzeReport:
    """Collects and analyzes the results that exist, and writes ``analysis/``.

    Raises:
        PlanError: the plan has problems, so that the run of a directory is not certain.
        LockedError: another analysis writes in this directory.
        ToolError: a package that the analysis needs is not installed.
    """
    options = options or AnalyzeOptions()
    started = time.perf_counter()
    experiment = find_experiment(directory)
    _require_packages()
    if not options.write:
        known = _Known(experiment, find_site(experiment).site, *_job_facts(experiment, ask=options.ask), clock)
        analysis = analyze_experiment(known.source(use_cache=False))
        return AnalyzeReport(
            experiment,
            summarize(analysis),
            lambda: analysis,
            warnings=known.warnings,
            seconds=time.perf_counter() - started,
        )
    with exclusive(experiment, "analyze", wait_s=30.0):
        report = _written(experiment, options, clock)
        report = replace(report, seconds=time.perf_counter() - started)
        if report.is_new:
            _log(report, clock)
    return report


@dataclass(frozen=True)
class _Known:
    """What is known of an experiment before its results are read, apart from its plan."""

    experiment: Path
    site: Site
    facts: tuple[JobFacts, ...]
    warnings: tuple[Problem, ...]
    clock: Callable[[], datetime]

    def source(self, *, use_cache: bool) -> Source:
        plan = _plan(self.experiment)
        source = source_of(self.experiment, plan, self.site, jobs=self.facts, use_cache=use_cache)
        return replace(source, frozen=freeze_hypotheses(self.experiment, plan.hypotheses, self.clock, write=use_cache))


def _written(experiment: Path, options: AnalyzeOptions, clock: Callable[[], datetime]) -> AnalyzeReport:
    """The last analysis if nothing has changed since it was written; otherwise a new one."""
    site = find_site(experiment).site
    facts, warnings = _job_facts(experiment, ask=options.ask)
    known = _Known(experiment, site, facts, warnings, clock)
    inputs = look_at_inputs([experiment], repr((site, facts, options)))
    destination = destination_of(experiment)
    last = recall(inputs, destination)
    if last is not None:

        def compute() -> Analysis:
            return analyze_experiment(known.source(use_cache=True))

        return AnalyzeReport(experiment, last.summary, compute, last.files, warnings, is_new=False)
    source = known.source(use_cache=True)
    now_known = inputs.known(places_outside(source))
    analysis = analyze_experiment(source)
    written = write_report(analysis, options, destination, as_of=time_text(clock().isoformat()))
    files = tuple(f"{ANALYSIS}/{name}" for name in written)
    summary = summarize(analysis)
    remember(now_known, WrittenAnalysis(files, summary), destination)
    return AnalyzeReport(experiment, summary, lambda: analysis, files, warnings)


def _require_packages() -> None:
    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise ToolError(f"the analysis needs {', '.join(missing)}", hint="pip install 'tunebook[analysis]'")


def _plan(experiment: Path) -> Plan:
    text = read_readable(experiment / PLAN_FILE) or ""
    parsed = parse_plan(text, installed_parameters(read_tools(text)))
    problems = (*parsed.problems, *directory_problems(parsed.plan))
    if problems:
        raise PlanError(problems)
    return parsed.plan


def _job_facts(experiment: Path, *, ask: bool) -> tuple[tuple[JobFacts, ...], tuple[Problem, ...]]:
    """Every scaffolded job in its present state; a scheduler that does not answer is a warning, not an error."""
    jobs = read_manifest(experiment).jobs
    if not jobs:
        return (), ()
    seen = status(experiment) if ask else StatusReport(job_reports(jobs, experiment=experiment))
    ledger = LedgerReader(experiment)
    attempts = ledger.submissions()
    slurm_ids = {}
    for name, entry in ledger.read().entries.items():
        if entry.last.executor == "slurm" and entry.last.job_id:
            slurm_ids[name] = entry.last.job_id
    used = read_usage(list(slurm_ids.values())) if slurm_ids and ask else {}
    facts = []
    for item in seen.jobs:
        name = item.job.name
        facts.append(_facts(item, attempts.get(name, 0), used.get(slurm_ids.get(name, ""))))
    return tuple(facts), tuple(map(Problem, seen.warnings))


def _facts(report: JobReport, attempts: int, slurm: SlurmUse | None) -> JobFacts:
    host = report.node
    if not host and slurm is not None:
        host = slurm.node
    times = (report.started, report.ended)
    return JobFacts(report.job, report.state, report.reason, *times, report.output, host, attempts, slurm)


def _log(report: AnalyzeReport, clock: Callable[[], datetime]) -> None:
    analysis = report.analysis
    counted = sum(evaluation.is_done for evaluation in analysis.evaluations)
    curves = sum(training.steps > 0 for training in analysis.trainings)
    completed = sum(training.is_done for training in analysis.trainings)
    collected = (
        f"{plural(curves, 'training curve')}, {plural(completed, 'completed training')}, "
        f"{plural(counted, 'log')} with results"
    )
    found = f"{plural(len(analysis.gaps), 'gap')}, {plural(len(analysis.deviations), 'deviation')}"
    count = f"{plural(len(analysis.runs), 'run')}, {plural(len(analysis.evaluations), 'evaluation')}"
    entries: list[tuple[str, str, dict[str, str]]] = [("COLLECT", count, {"details": collected, "result": found})]
    entries += [("GAP", gap.subject, {"details": gap.what, "explanation": gap.hint}) for gap in analysis.gaps]
    entries += [("DEVIATION", item.subject, {"details": item.what}) for item in analysis.deviations]
    entries += [("FINDING", finding.text, {}) for finding in analysis.findings]
    end = {"details": ", ".join(report.files), "result": f"{report.seconds:.1f} s"}
    entries.append(("COMPLETE", "analysis written", end))
    Log(report.experiment / ANALYZE_LOG, clock).entries(entries)
