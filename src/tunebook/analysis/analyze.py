"""Analyzes an experiment: collects its results, computes the statistics, and states findings and gaps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from types import MappingProxyType
from typing import Any

from tunebook import __version__
from tunebook.analysis.collect.differences import deviations_of, gaps_of
from tunebook.analysis.collect.environments import environment_differences, environment_facts, version_warnings
from tunebook.analysis.collect.experiment import collect
from tunebook.analysis.collect.recorded_jobs import RecordedJob, recorded_jobs
from tunebook.analysis.collect.settings_used import settings_used
from tunebook.analysis.collect.source import Collected, Source
from tunebook.analysis.findings.aggregates import state_aggregates, state_groups
from tunebook.analysis.findings.answers import state_answers
from tunebook.analysis.findings.catalogue import state_findings, state_training
from tunebook.analysis.findings.data import state_data
from tunebook.analysis.findings.hypotheses import state_hypotheses
from tunebook.analysis.findings.recommendations import recommend
from tunebook.analysis.statistics.aggregates import aggregate
from tunebook.analysis.statistics.groups import compare_groups
from tunebook.analysis.statistics.hypotheses import judge_hypotheses
from tunebook.analysis.statistics.intervals import LEVEL
from tunebook.analysis.statistics.measure_results import analyze_measures
from tunebook.analysis.statistics.scores import score_evaluations
from tunebook.analysis.values import Analysis
from tunebook.artifacts.text_files import read_readable
from tunebook.artifacts.times import timestamp_s
from tunebook.core.markdown import parse_markdown, title_key
from tunebook.core.paths import PLAN_FILE
from tunebook.core.plan.status import without_status
from tunebook.tools.results import LogViewer

__all__ = ["analyze_experiment"]

_STATISTICS = ("comparisons", "effects", "replicates", "costs", "cases")  # of each measure, in one tuple
_ANALYZING_PACKAGES = ("scipy", "statsmodels", "scikit-learn", "pandas")


def analyze_experiment(source: Source) -> Analysis:
    """Collects and analyzes; gaps list everything that the experiment lacks.

    Raises:
        ToolError: there are logs, but a package that reads them is not installed here.
    """
    found = score_evaluations(collect(source))
    results = analyze_measures(found)
    aggregates, groups = aggregate(found), compare_groups(found)
    headline = [item for item in results if item.is_headline]
    gaps = gaps_of(found)
    recorded = tuple(recorded_jobs(source, found.runs))
    differences = environment_differences(recorded)
    hypotheses = judge_hypotheses(source, results)
    findings = [*state_hypotheses(hypotheses, found.tasks)]
    findings += [*chain.from_iterable(map(state_findings, headline)), *state_training(found.runs)]
    findings += [*state_aggregates(found, aggregates), *state_groups(found, groups)]
    findings += [*state_data(source, found), *state_answers(found)]
    plan_text = read_readable(source.experiment / PLAN_FILE) or ""
    overview = _overview(plan_text)
    provenance = _provenance(source, found, recorded, plan_text=plan_text, created=overview.get("created", ""))
    statistics: dict[str, Any] = {}
    for name in _STATISTICS:
        statistics[name] = tuple(chain.from_iterable(getattr(item, name) for item in results))
    return Analysis(
        **vars(found),
        **statistics,
        experiment=str(source.experiment),
        name=source.plan.name,
        question=source.plan.question,
        created=overview.get("created", ""),
        type=overview.get("type", ""),
        findings=tuple(findings),
        next_steps=recommend(headline, gaps),
        gaps=gaps,
        deviations=(*deviations_of(source, found), *version_warnings(differences)),
        provenance=MappingProxyType(provenance),
        differences=differences,
        settings=settings_used(recorded),
        aggregates=aggregates,
        groups=groups,
        level=LEVEL,
        balanced=bool(headline) and all(item.balance.is_balanced for item in headline),
        hypotheses=hypotheses,
        frozen=source.frozen,
        viewer=_viewer(source),
    )


def _viewer(source: Source) -> LogViewer | None:
    """The viewer of the first tool that has one; it shows that tool's logs only."""
    viewers = [reader.viewer for reader in source.evaluation_results.values() if reader.viewer is not None]
    return viewers[0] if viewers else None


def _overview(plan_text: str) -> dict[str, str]:
    """The values of the Overview section by name."""
    for section in parse_markdown(plan_text).walk():
        if title_key(section.title) == "overview":
            return {bullet.key: bullet.value.text for bullet in section.bullets}
    return {}


def _provenance(
    source: Source, found: Collected, recorded: Sequence[RecordedJob], *, plan_text: str, created: str
) -> dict[str, str]:
    """The origin of the numbers by name; unknown facts are left out."""
    times, hosts, commits = set(), set(), set()
    for run in found.runs:
        if run.training is not None:
            times |= {run.training.started, run.training.ended}
            hosts.add(run.training.host)
    for header in found.headers.values():
        times.add(header.created)
        if header.commit:
            commits.add(f"{header.origin}@{header.commit}".strip("@"))
    # By the moment, not by the text: jobs and logs may have different time zones.
    ordered = sorted(filter(None, times), key=lambda time: (timestamp_s(time) or 0.0, time)) or [""]
    facts = {
        "Experiment": str(source.experiment),
        "Plan (SHA-256, without its status tables)": hashlib.sha256(without_status(plan_text).encode()).hexdigest(),
        "Created": created,
        "First job started": ordered[0],
        "Last job ended": ordered[-1],
        "Data set": source.plan.dataset_path,
    }
    facts |= _models(source, found)
    facts |= {
        "Versions": ", ".join(_versions(found, [reader.package for reader in source.evaluation_results.values()])),
        "Commits": ", ".join(sorted(commits)),
        "Hosts": ", ".join(sorted(filter(None, hosts))),
    }
    facts |= environment_facts(recorded)
    return {name: value for name, value in facts.items() if value}


def _models(source: Source, found: Collected) -> dict[str, str]:
    """The path of each model that a run uses."""
    paths = {model.name: model.path for model in source.plan.models}
    return {f"Model {run.model}": paths.get(run.model, "") for run in found.runs}


def _versions(found: Collected, log_readers: Sequence[str]) -> Iterator[str]:
    """The packages that wrote the logs, and those that analyze them, with their versions."""
    yield f"tunebook {__version__}"
    logged: dict[str, set[str]] = {}
    for header in found.headers.values():
        for package, number in header.packages.items():
            logged.setdefault(package, set()).add(number)
    for package, numbers in sorted(logged.items()):
        yield f"{package} (evaluations) {', '.join(sorted(numbers))}"
    for package in (*log_readers, *_ANALYZING_PACKAGES):
        with suppress(PackageNotFoundError):
            yield f"{package} (analysis) {version(package)}"
