"""Columns of tables with measures of all samples together: the value, and the difference from the base model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tunebook.analysis.formatting import Scale, p_text, plural
from tunebook.analysis.records import Score
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Block, Cell, Column, Entries, Entry, Style, Text
from tunebook.analysis.statistics.aggregates import Aggregate, Coverage
from tunebook.analysis.values import Analysis

__all__ = [
    "NUMBER",
    "RunAggregates",
    "coverage_blocks",
    "difference_column",
    "runs_of",
    "value_column",
    "wanted_blocks",
]

NUMBER = Scale(is_percent=False)
"""How these measures are written: none of them is a share of samples."""


@dataclass(frozen=True)
class RunAggregates:
    """A row: a run's measures of all samples by their names, and its scores of measures of samples."""

    run: str
    values: Mapping[str, Aggregate]
    scores: Mapping[str, Score]
    coverage: Coverage


def runs_of(analysis: Analysis, task: str, scorer: str) -> list[RunAggregates]:
    """The rows of one scorer, in the plan's order."""
    values: dict[str, dict[str, Aggregate]] = {}
    for value in analysis.aggregates.results:
        if (value.task, value.scorer) == (task, scorer):
            values.setdefault(value.run, {})[value.key] = value
    scores: dict[str, dict[str, Score]] = {}
    for measure in analysis.task(task).measures:
        own, _, key = measure.name.rpartition("/")
        if scorer in {own, measure.name}:
            for score in analysis.scores(task, measure.name):
                run = score.evaluation.run
                if run in values and score.evaluation.epoch == next(iter(values[run].values())).epoch:
                    scores.setdefault(run, {})[key] = score
    coverage = {each.run: each for each in analysis.aggregates.coverage if (each.task, each.scorer) == (task, scorer)}
    return [RunAggregates(run, own, scores.get(run, {}), coverage[run]) for run, own in values.items()]


def value_column(analysis: Analysis, key: str, title: str, note: str = "") -> Column:
    """The measure with its interval; the reason where it is undefined."""

    def cell(row: RunAggregates) -> Cell:
        found = row.values.get(key)
        if found is None:
            return Cell()
        if found.value is None:
            return cells.text(found.undefined)
        return cells.score(found.value, found.interval, NUMBER)

    return Column(key, title, cell, is_number=True, note=note, detail=analysis.interval_title)


def difference_column(key: str, title: str) -> Column:
    """The difference from the base model on the same samples, with its interval and its corrected p-value."""

    def cell(row: RunAggregates) -> Cell:
        comparison = row.values[key].comparison if key in row.values else None
        if comparison is None:
            return Cell()
        note = p_text(comparison.p_holm) or "not tested: no spread"
        return cells.difference(comparison.difference, comparison.interval, NUMBER, note=note)

    note = (
        "“− base” is the difference from the base model on the samples that are usable in both, with its interval and "
        "its p-value, corrected for the number of runs by Holm's method; these tests are exploratory."
    )
    return Column(f"{key}_base", f"{title} − base", cell, is_number=True, note=note)


def coverage_blocks(analysis: Analysis, rows: Sequence[RunAggregates]) -> Iterator[Block]:
    """How many answers are left out, and why."""
    entries = []
    for row in rows:
        found = row.coverage
        if found.usable < found.answers:
            reasons = "; ".join(f"{reason} ({count})" for reason, count in found.unusable.items())
            text = f"{found.answers - found.usable} of {plural(found.answers, 'answer')} cannot be used: {reasons}."
            entries.append(Entry(text, analysis.labels[row.run]))
    if not entries:
        yield Text("Every answer of every run can be used.", Style.NOTE)
        return
    yield Text(
        f"In {plural(len(entries), 'run')} some answers cannot be used. They are left out, not counted as wrong: "
        "runs that answer different samples are compared on those that both have.",
        Style.NOTE,
    )
    yield Entries(tuple(entries), fold=plural(len(entries), "run with answers left out", "runs with answers left out"))


def wanted_blocks(analysis: Analysis, task: str) -> Iterator[Block]:
    """The blocks about the plan's measure, where no single sample has it."""
    use = analysis.task(task)
    if use.wanted is not None:
        yield Text(
            f"The plan's measure of {task} is {use.wanted.name}, which only all samples together have. This table has "
            f"it for each run, with tests against the base model. Everything that needs a value of each sample (the "
            f"other tests, the ranking, the effects, the figures of scores) uses {use.headline.name} "
            f"({use.headline.reading}) in its place."
        )
