"""From what was collected to the whole analysis: statistics of every measure, findings, gaps, provenance."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

from tunebook import __version__
from tunebook.analysis.collect.deviations import deviations_of
from tunebook.analysis.collect.experiment import Collected, collect
from tunebook.analysis.collect.gaps import gaps_of
from tunebook.analysis.collect.records import RunRecord
from tunebook.analysis.collect.source import Source
from tunebook.analysis.comparing import Table, compare_all
from tunebook.analysis.evidence import Evidence
from tunebook.analysis.factors import effects_of, is_balanced
from tunebook.analysis.findings import findings_of
from tunebook.analysis.intervals import LEVEL
from tunebook.analysis.remarks import training_findings
from tunebook.analysis.scoring import with_scores
from tunebook.analysis.steps import next_steps
from tunebook.analysis.summarizing import cases_of, costs_of, replicates_of
from tunebook.analysis.values import Analysis, Provenance
from tunebook.artifacts.text_files import read_readable
from tunebook.core.markdown import parse_markdown
from tunebook.core.plan import PLAN_FILE

__all__ = ["analyze_experiment"]


def analyze_experiment(source: Source) -> Analysis:
    """Collects and analyzes; what an experiment does not have is told among its gaps.

    Raises:
        ToolError: there are logs, and a package that reads them is not installed here.
    """
    found = with_scores(collect(source))
    evidence = [_evidence(found, table) for table in _tables(found)]
    headline = {(task.name, task.measures[0]) for task in found.tasks if task.measures}
    telling = [item for item in evidence if (item.table.task, item.table.measure) in headline]
    gaps = gaps_of(found)
    page = read_readable(source.experiment / PLAN_FILE) or ""
    overview = _overview(page)
    return Analysis(
        experiment=str(source.experiment),
        name=source.plan.name,
        question=source.plan.question,
        created=overview.get("created", ""),
        type=overview.get("type", ""),
        factors=found.factors,
        tasks=found.tasks,
        runs=found.runs,
        evaluations=found.evaluations,
        samples=found.samples,
        comparisons=tuple(item for part in evidence for item in part.comparisons),
        effects=tuple(item for part in evidence for item in part.effects),
        replicates=tuple(item for part in evidence for item in part.replicates),
        costs=tuple(item for part in evidence for item in part.costs),
        cases=tuple(item for part in telling for item in part.cases),
        findings=(*(item for part in telling for item in findings_of(part)), *training_findings(found.runs)),
        next_steps=next_steps(telling, gaps),
        gaps=gaps,
        deviations=deviations_of(source, found),
        provenance=_provenance(source, found, page),
        viewer=source.evaluation_results.viewer,
        level=LEVEL,
        balanced=is_balanced(found.runs, found.factors),
    )


def _tables(found: Collected) -> Iterable[Table]:
    for task in found.tasks:
        for measure in task.measures:
            scores = (score for evaluation in found.evaluations for score in evaluation.scores)
            mine = tuple(item for item in scores if item.evaluation.task == task.name and item.measure == measure)
            yield Table(task.name, measure, mine, found.samples)


def _evidence(found: Collected, table: Table) -> Evidence:
    return Evidence(
        table,
        found.runs,
        found.factors,
        compare_all(table, found.runs),
        effects_of(table, found.runs, found.factors),
        replicates_of(table, found.runs, found.factors),
        costs_of(table, found.runs),
        cases_of(table, found.runs),
    )


def _overview(page: str) -> dict[str, str]:
    """The overview's bullets, as text."""
    overview = [section for section in parse_markdown(page).walk() if section.title.lower() == "overview"]
    return {bullet.key: bullet.value.text for section in overview[:1] for bullet in section.bullets}


def _provenance(source: Source, found: Collected, page: str) -> Provenance:
    times = [
        time
        for run in found.runs
        if run.training is not None
        for time in (run.training.started, run.training.ended)
        if time
    ]
    times += [log.created for log in found.headers.values() if log.created]
    commits = {f"{log.origin}@{log.commit}".strip("@") for log in found.headers.values() if log.commit}
    dataset = source.plan.dataset.path if source.plan.dataset else ""
    return Provenance(
        page_sha256=hashlib.sha256(_without_status(page).encode()).hexdigest(),
        first=min(times, key=_moment, default=""),
        last=max(times, key=_moment, default=""),
        versions=MappingProxyType(_versions(found, source.evaluation_results.package)),
        commits=tuple(sorted(commits)),
        hosts=tuple(sorted({host for run in found.runs if run.training and (host := run.training.host)})),
        models=MappingProxyType(_models(source, found.runs)),
        dataset=dataset,
    )


def _moment(time: str) -> float:
    """Seconds since the epoch: jobs and logs may be of different time zones."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return 0.0


def _without_status(page: str) -> str:
    """The page as it was written: `tunebook run` changes its status tables only."""
    head, _, rest = page.partition("\n## Status")
    _, mark, tail = rest.partition("\n## ")
    return head + mark + tail


def _models(source: Source, runs: Sequence[RunRecord]) -> dict[str, str]:
    paths: Mapping[str, str] = {model.name: model.path for model in source.plan.models}
    return {model: paths.get(model, "") for model in dict.fromkeys(run.model for run in runs)}


def _versions(found: Collected, log_reader: str) -> dict[str, str]:
    """What the logs were made with, and what analyzed them."""
    versions = {"tunebook": __version__}
    logged: dict[str, set[str]] = {}
    for log in found.headers.values():
        for package, number in log.packages.items():
            logged.setdefault(package, set()).add(number)
    versions |= {f"{package} (evaluations)": ", ".join(sorted(numbers)) for package, numbers in sorted(logged.items())}
    for package in (log_reader, "scipy", "statsmodels", "pandas"):
        try:
            versions[f"{package} (analysis)"] = version(package)
        except PackageNotFoundError:
            continue
    return versions
