"""The part of an analysis that a command prints: findings, scores and tests, missing results, and deviations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.frames import plain_rows
from tunebook.analysis.records import Deviation, Gap
from tunebook.analysis.values import Analysis
from tunebook.core.jobs import JobState

__all__ = ["Summary", "summarize", "summary_from_json", "summary_to_json"]


@dataclass(frozen=True)
class Summary:
    """An analysis in short.

    Attributes:
        is_finished: whether everything that was planned has a result.
        states: the state of every training and every evaluation.
        tests: scores, comparisons and effects as plain values, for JSON.
    """

    is_finished: bool
    states: tuple[JobState, ...]
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...]
    deviations: tuple[Deviation, ...]
    next_steps: tuple[str, ...]
    tests: Mapping[str, list[dict[str, Any]]]


def summarize(analysis: Analysis) -> Summary:
    """The summary of an analysis."""
    trainings = tuple(training.state for training in analysis.trainings)
    evaluations = tuple(evaluation.state for evaluation in analysis.evaluations)
    return Summary(
        is_finished=analysis.is_finished,
        states=(*trainings, *evaluations),
        findings=analysis.findings,
        gaps=analysis.gaps,
        deviations=analysis.deviations,
        next_steps=analysis.next_steps,
        tests=plain_rows(analysis),
    )


def summary_to_json(summary: Summary) -> dict[str, Any]:
    """Converts the summary to a JSON object."""
    return vars(summary) | {
        "states": [state.value for state in summary.states],
        "findings": [vars(finding) for finding in summary.findings],
        "gaps": [vars(gap) for gap in summary.gaps],
        "deviations": [vars(deviation) for deviation in summary.deviations],
    }


def summary_from_json(document: Mapping[str, Any]) -> Summary:
    """Converts an object of :func:`summary_to_json` back to the summary.

    Raises:
        TypeError: a field is missing or unknown.
        KeyError: a list is missing.
        ValueError: a state is unknown.
    """
    return Summary(
        is_finished=document["is_finished"],
        states=tuple(map(JobState, document["states"])),
        findings=tuple(Finding(**each) for each in document["findings"]),
        gaps=tuple(Gap(**each) for each in document["gaps"]),
        deviations=tuple(Deviation(**each) for each in document["deviations"]),
        next_steps=tuple(document["next_steps"]),
        tests=document["tests"],
    )
