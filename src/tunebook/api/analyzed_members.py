"""Analyzes the experiments of a verb: reads what is known of them, and writes the report if something has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path

from tunebook.analysis.collect.places import places_outside
from tunebook.analysis.collect.source import JobFacts, Source, source_of
from tunebook.analysis.destination import Destination
from tunebook.analysis.formatting import plural
from tunebook.analysis.last_analysis import WrittenAnalysis, look_at_inputs, recall, remember
from tunebook.analysis.report.write import write_report
from tunebook.analysis.summary import summarize
from tunebook.analysis.values import Analysis
from tunebook.api.analyze_report import AnalyzeOptions, AnalyzeReport
from tunebook.api.archived_jobs import archived_job_reports, changed_archive, slurm_use_of
from tunebook.api.freezing import freeze_hypotheses
from tunebook.api.loading import find_site
from tunebook.api.watching import status
from tunebook.artifacts.text_files import read_readable
from tunebook.core.jobs import Job
from tunebook.core.naming import directory_problems
from tunebook.core.paths import ANALYZE_LOG, PLAN_FILE
from tunebook.core.plan import Plan, parse_plan, read_tools
from tunebook.core.site import Site
from tunebook.core.times import time_text
from tunebook.disk.archive_record import ArchiveRecord, read_archive_record
from tunebook.disk.ledger import LedgerReader
from tunebook.disk.lock import exclusive
from tunebook.disk.log import Log
from tunebook.disk.manifest import read_manifest
from tunebook.errors import PlanError, Problem, ToolError
from tunebook.run.overview import job_reports
from tunebook.run.report import JobReport, StatusReport
from tunebook.slurm.accounting import SlurmUse, read_usage
from tunebook.tools.installing import install_here
from tunebook.tools.parameters import installed_parameters

__all__ = ["Member", "analyze_members"]

_NEEDED = {
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "scipy": "scipy",
    "statsmodels": "statsmodels",
    "vl_convert": "vl-convert-python",
    "jinja2": "Jinja2",
}


@dataclass(frozen=True)
class Member:
    """An experiment before its results are read.

    Attributes:
        text: of its plan.
        use_cache: whether what is read, and what changed, is written down.
    """

    experiment: Path
    text: str
    site: Site
    facts: tuple[JobFacts, ...]
    warnings: tuple[Problem, ...]
    clock: Callable[[], datetime] = field(repr=False)
    use_cache: bool = True

    @cached_property
    def plan(self) -> Plan:
        """The plan, which must be correct."""
        return _plan(self.text)

    @cached_property
    def source(self) -> Source:
        """Where the analysis takes its facts from; hypotheses that changed are recorded on the way."""
        source = source_of(self.experiment, self.plan, self.site, jobs=self.facts, use_cache=self.use_cache)
        frozen = freeze_hypotheses(self.experiment, self.plan.hypotheses, self.clock, write=self.use_cache)
        return replace(source, frozen=frozen)


def analyze_members(
    experiments: Sequence[Path],
    compute: Callable[[Sequence[Member]], Analysis],
    destination: Destination,
    options: AnalyzeOptions,
    clock: Callable[[], datetime],
    *,
    on_step: Callable[[str], None] = lambda _: None,
) -> AnalyzeReport:
    """Analyzes experiments, and writes the report unless nothing has changed since the last one.

    Args:
        compute: collects and analyzes.
        destination: in the directory that the files of the report are relative to.
        on_step: called before each step, with what it does.
    """
    started = time.perf_counter()
    _require_packages()
    directory = destination.folder.parent
    on_step("asking for the state of the jobs")
    if not options.write:
        members = [_member(experiment, options, clock) for experiment in experiments]
        analysis = compute(members)
        report = AnalyzeReport(directory, destination.folder, summarize(analysis), lambda: analysis)
        return _completed(report, members, started)
    with exclusive(destination.root, "analyze", wait_s=30.0) as held:
        members = [_member(experiment, options, clock) for experiment in experiments]
        report = _written(members, compute, destination, options, clock, on_step)
        report = _completed(report, members, started)
        if held.warning:
            report = replace(report, warnings=(Problem(held.warning), *report.warnings))
        if report.is_new:
            _log(report, destination.root / ANALYZE_LOG, clock)
    return report


def _member(experiment: Path, options: AnalyzeOptions, clock: Callable[[], datetime]) -> Member:
    text = read_readable(experiment / PLAN_FILE) or ""
    site = find_site(experiment).site
    return Member(experiment, text, site, *_job_facts(experiment, ask=options.ask), clock, options.write)


def _completed(report: AnalyzeReport, members: Sequence[Member], started: float) -> AnalyzeReport:
    """The report with what is known of all members, and how long it took."""
    return replace(
        report,
        experiments=tuple(member.experiment for member in members),
        warnings=tuple(dict.fromkeys(warning for member in members for warning in member.warnings)),
        seconds=time.perf_counter() - started,
    )


def _written(
    members: Sequence[Member],
    compute: Callable[[Sequence[Member]], Analysis],
    destination: Destination,
    options: AnalyzeOptions,
    clock: Callable[[], datetime],
    on_step: Callable[[str], None],
) -> AnalyzeReport:
    """The last analysis if nothing has changed since it was written; otherwise a new one."""
    directory = destination.folder.parent
    experiments, values = [member.experiment for member in members], repr((members, options))
    last = recall(look_at_inputs(experiments, values), destination)
    if last is not None:
        later = partial(compute, members)
        return AnalyzeReport(directory, destination.folder, last.summary, later, last.files, is_new=False)
    outside: list[Path] = []
    for member in members:
        outside += places_outside(member.source)
    # Again: what was found out since then may have been written down. The plans are compared as values.
    known = look_at_inputs(experiments, values).known(outside)
    on_step("reading results and computing statistics")
    analysis = compute(members)
    on_step("drawing figures and writing the report")
    written = write_report(analysis, options, destination, as_of=time_text(clock()))
    files = tuple(f"{destination.folder.name}/{name}" for name in written)
    summary = summarize(analysis)
    remember(known, WrittenAnalysis(files, summary), destination)
    return AnalyzeReport(directory, destination.folder, summary, lambda: analysis, files)


def _require_packages() -> None:
    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise ToolError(f"the analysis needs {', '.join(missing)}", hint=install_here("tunebook[analysis]"))


def _plan(text: str) -> Plan:
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
    archive = read_archive_record(experiment)
    if archive is not None:
        return tuple(_archived_facts(experiment, jobs, archive)), tuple(changed_archive(experiment))
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


def _archived_facts(experiment: Path, jobs: Sequence[Job], archive: ArchiveRecord) -> Iterator[JobFacts]:
    """Every job as it was when the archive was exported: no scheduler knows it here, and none is asked."""
    ends = {job.name: job for job in archive.jobs}
    for report in archived_job_reports(experiment, jobs, archive):
        end = ends.get(report.job.name)
        yield _facts(report, end.attempts if end else 0, slurm_use_of(end) if end else None)


def _facts(report: JobReport, attempts: int, slurm: SlurmUse | None) -> JobFacts:
    host = report.node
    if not host and slurm is not None:
        host = slurm.node
    times = (report.started, report.ended)
    return JobFacts(report.job, report.state, report.reason, *times, report.output, host, attempts, slurm)


def _log(report: AnalyzeReport, path: Path, clock: Callable[[], datetime]) -> None:
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
    Log(path, clock).entries(entries)
