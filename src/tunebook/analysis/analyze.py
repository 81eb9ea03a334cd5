"""Analyzes experiments: collects their results, computes the statistics, and states findings and gaps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tunebook.analysis.collect.circumstances import Circumstances, Member, circumstances_of, together
from tunebook.analysis.collect.environments import environment_differences, version_warnings
from tunebook.analysis.collect.experiment import collect
from tunebook.analysis.collect.join import Part, join
from tunebook.analysis.collect.settings_used import settings_used
from tunebook.analysis.collect.source import Collected, Source
from tunebook.analysis.findings.aggregates import state_aggregates, state_groups
from tunebook.analysis.findings.answers import state_answers
from tunebook.analysis.findings.catalogue import state_findings, state_training
from tunebook.analysis.findings.data import state_data
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.findings.hypotheses import state_hypotheses
from tunebook.analysis.findings.recommendations import recommend
from tunebook.analysis.statistics.aggregates import aggregate
from tunebook.analysis.statistics.groups import compare_groups
from tunebook.analysis.statistics.hypotheses import HypothesisResult, judge_hypotheses
from tunebook.analysis.statistics.intervals import LEVEL
from tunebook.analysis.statistics.measure_results import analyze_measures
from tunebook.analysis.statistics.scores import score_evaluations
from tunebook.analysis.values import Analysis

__all__ = ["analyze_experiment", "analyze_together"]

_STATISTICS = ("comparisons", "ranking", "effects", "replicates", "epoch_changes", "costs", "cases")


def analyze_experiment(source: Source) -> Analysis:
    """Collects and analyzes; gaps list everything that the experiment lacks.

    Raises:
        ToolError: there are logs, but a package that reads them is not installed here.
    """
    found = score_evaluations(collect(source))
    return _analyze(found, circumstances_of(Member("", source, found)))


def analyze_together(sources: Mapping[str, Source], directory: Path) -> Analysis:
    """Collects several experiments, joins them and analyzes them as one, with the experiment as a factor.

    Args:
        sources: by the label of each experiment.
        directory: the one that the paths of logs will be relative to.

    Raises:
        ToolError: there are logs, but a package that reads them is not installed here.
        UsageError: the experiments share no task.
    """
    members = []
    for label, source in sources.items():
        members.append(Member(label, source, score_evaluations(collect(source))))
    parts = []
    for member in members:
        path = os.path.relpath(member.source.experiment, directory)
        parts.append(Part(member.label, path, member.source.plan, member.found))
    joined = join(parts)
    each = [circumstances_of(member) for member in members]
    return _analyze(joined.found, together(each, joined.names, str(directory), joined.cautions))


def _analyze(found: Collected, known: Circumstances) -> Analysis:
    """The statistics, findings and differences of what was collected and scored."""
    results = analyze_measures(found)
    aggregates, groups = aggregate(found), compare_groups(found)
    headline = [item for item in results if item.is_headline]
    differences = environment_differences(known.recorded)
    hypotheses: tuple[HypothesisResult, ...] = ()
    if known.alone is not None:
        hypotheses = judge_hypotheses(known.alone, results)
    findings = [*state_hypotheses(hypotheses, found.tasks)]
    findings += [*chain.from_iterable(map(state_findings, headline)), *state_training(found.runs)]
    findings += [*state_aggregates(found, aggregates), *state_groups(found, groups)]
    findings += [*chain.from_iterable(map(_state_data, known.members)), *state_answers(found)]
    statistics: dict[str, Any] = {}
    for name in _STATISTICS:
        statistics[name] = tuple(chain.from_iterable(getattr(item, name) for item in results))
    return Analysis(
        **vars(found),
        **statistics,
        experiment=known.experiment,
        name=known.name,
        question=known.question,
        created=known.created,
        type=known.type,
        findings=tuple(findings),
        next_steps=recommend(headline, known.gaps),
        gaps=known.gaps,
        deviations=(*known.deviations, *version_warnings(differences)),
        provenance=MappingProxyType(known.provenance),
        differences=differences,
        settings=settings_used(known.recorded),
        aggregates=aggregates,
        groups=groups,
        level=LEVEL,
        balanced=bool(headline) and all(item.balance.is_balanced for item in headline),
        hypotheses=hypotheses,
        frozen=known.alone.frozen if known.alone is not None else (),
        viewer=known.viewer,
    )


def _state_data(member: Member) -> Iterator[Finding]:
    """The cautions about an experiment's data, with its label if there are others."""
    for finding in state_data(member.source, member.found):
        yield replace(finding, text=f"{member.label}: {finding.text}") if member.label else finding
