"""Findings about measures that only all samples together have, and about groups of samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tunebook.analysis.collect.source import Collected
from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.formatting import FEW_RUNS, Scale, listed, p_text, plural, scale_of
from tunebook.analysis.records import TaskUse
from tunebook.analysis.statistics.aggregates import Aggregate, AggregateComparison, Aggregates, is_called
from tunebook.analysis.statistics.group_results import GroupInteraction, GroupResults
from tunebook.core.measures import Direction

__all__ = ["state_aggregates", "state_groups"]

_NUMBER = Scale(is_percent=False)
_Compared = tuple[Aggregate, AggregateComparison]


def state_aggregates(found: Collected, aggregates: Aggregates) -> Iterator[Finding]:
    """For each task, the measure that the plan names if no sample has it, then the others; and what is undefined."""
    for task in found.tasks:
        by_measure: dict[str, list[Aggregate]] = {}
        for value in aggregates.results:
            if value.task == task.name:
                by_measure.setdefault(value.measure, []).append(value)
        if task.wanted is not None:
            yield Finding("caution", _in_place_of(task), task=task.name)
        for measure in sorted(by_measure, key=lambda name: not _is_wanted(task, name)):
            yield from _of_measure(found, task, by_measure[measure])


def _is_wanted(task: TaskUse, measure: str) -> bool:
    return task.wanted is not None and is_called(task.wanted.name, measure)


def _in_place_of(task: TaskUse) -> str:
    wanted = task.wanted.name if task.wanted is not None else ""
    return (
        f"The plan's measure of {task.name}, {wanted}, has no value for a single sample. Its own table compares it "
        f"with the base model; the ranking, the effects and the figures of scores use {task.headline.name} "
        f"({task.headline.reading}) in its place."
    )


def _of_measure(found: Collected, task: TaskUse, values: Sequence[Aggregate]) -> Iterator[Finding]:
    tested = [(value, value.comparison) for value in values]
    compared = [(value, each) for value, each in tested if each is not None and each.p is not None]
    most = FEW_RUNS if _is_wanted(task, values[0].measure) else 1
    if 0 < len(compared) <= most:
        for value, comparison in compared:
            text = _against_base(found, value, comparison)
            yield Finding(value.kind, text, comparison.significant, task.name)
    elif compared:
        yield Finding(values[0].kind, _counts(compared), any(each.significant for _, each in compared), task.name)
    undefined = [value for value in values if value.value is None]
    if undefined:
        why = undefined[0].undefined.removeprefix("undefined: ")
        runs = f"{len(undefined)} of {plural(len(values), 'run')}"
        yield Finding("caution", f"{values[0].measure} on {task.name} is undefined in {runs}: {why}.", task=task.name)


def _against_base(found: Collected, value: Aggregate, comparison: AggregateComparison) -> str:
    """Both values over the samples that both runs have, their difference, and the test."""
    names = found.directories
    reading = _reading(value)
    head = f"{value.measure} on {value.task} ({reading}): {names[value.run]} has {_NUMBER.value(comparison.value)}"
    base = f"its base model {names[comparison.base]} {_NUMBER.value(comparison.base_value)}"
    difference = _NUMBER.difference(comparison.difference, comparison.interval)
    test = f"{comparison.test}, {p_text(comparison.p_holm)}, n = {comparison.n}"
    if comparison.significant:
        is_better = (comparison.difference < 0) == (value.direction is Direction.LOWER)
        word = "better" if is_better else "worse"
        return f"{head}, significantly {word} than {base}: {difference}; {test}."
    return f"{head}, {base}; no difference was detected: {difference}; {test}."


def _reading(value: Aggregate) -> str:
    return f"{value.direction.value} is better"


def _counts(compared: Sequence[_Compared]) -> str:
    value, first = compared[0]
    higher = sum(bool(each.significant) and each.difference > 0 for _, each in compared)
    lower = sum(bool(each.significant) and each.difference < 0 for _, each in compared)
    better, worse = (lower, higher) if value.direction is Direction.LOWER else (higher, lower)
    return (
        f"{value.measure} on {value.task} ({_reading(value)}): of {plural(len(compared), 'run')}, {better} improved "
        f"significantly on their base model and {worse} got significantly worse; for "
        f"{len(compared) - higher - lower} no difference was detected ({first.test}, Holm's correction over "
        f"{len(compared)} tests)."
    )


def state_groups(found: Collected, groups: GroupResults) -> Iterator[Finding]:
    """For each task, measure and column, in which runs the groups differ in what the run changes."""
    tested: dict[tuple[str, str, str], list[GroupInteraction]] = {}
    for each in groups.interactions:
        if each.p is not None:
            tested.setdefault((each.task, each.measure, each.column), []).append(each)
    scales: Mapping[tuple[str, str], Scale] = {
        (task.name, measure.name): scale_of(measure) for task in found.tasks for measure in task.measures
    }
    for (task, measure, column), tests in tested.items():
        significant = [each for each in tests if each.significant]
        scale = scales.get((task, measure), _NUMBER)
        yield Finding("group", _by_group(found, column, tests, significant, scale), bool(significant), task)


def _by_group(
    found: Collected,
    column: str,
    tests: Sequence[GroupInteraction],
    significant: Sequence[GroupInteraction],
    scale: Scale,
) -> str:
    first = min(tests, key=lambda each: each.p_holm or 0.0)
    family = first.family.size if first.family is not None else len(tests)
    correction = f"Holm's correction over {family} tests" if family > 1 else "a single test"
    end = f"({first.test}, smallest {p_text(first.p_holm)}, {correction}; exploratory)"
    subject = f"{first.measure} on {first.task}"
    if not significant:
        runs = plural(len(tests), "run")
        return f"{subject}: in {runs} it was not detected that groups of {column} differ in what the run changes {end}."
    parts = []
    for group, (difference, interval) in first.differences.items():
        parts.append(f"{scale.difference(difference, interval)} for {group}")
    names = found.directories
    return (
        f"{subject}: in {len(significant)} of {plural(len(tests), 'run')} groups of {column} differ in what the run "
        f"changes, most clearly in {names[first.run]} against {names[first.other]}: {listed(parts)} {end}."
    )
