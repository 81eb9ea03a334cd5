"""The report's part on predicted numbers: errors, explained variance, and how many answers have a number."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.collect.numbers import NO_NUMBER, is_absolute_error
from tunebook.analysis.formatting import Scale
from tunebook.analysis.report import cells
from tunebook.analysis.report.aggregate_cells import (
    NUMBER,
    RunAggregates,
    coverage_blocks,
    difference_column,
    runs_of,
    value_column,
    wanted_blocks,
)
from tunebook.analysis.report.content import Block, Cell, Column, Table
from tunebook.analysis.statistics.intervals import wilson_interval
from tunebook.analysis.values import Analysis

__all__ = ["number_blocks"]

_NOTE = (
    "After each run's last evaluated epoch, over the answers that have a number. An answer without one is missing; it "
    "is not an error of 0."
)
_MAE = "MAE is the mean absolute error; lower is better."
_RMSE = "RMSE is the root of the mean squared error, in the unit of the numbers; lower is better."
_R_SQUARED = (
    "R² is 1 minus the squared errors, divided by the squared deviations of the targets from their mean; below 0, that "
    "mean would have been the better prediction. Intervals of RMSE and R²: bootstrap over samples."
)
_PARSE_RATE = (
    "The parse rate is the share of answers to questions with a number that have a number (Wilson's interval)."
)


def number_blocks(analysis: Analysis, scores: TaskScores, number: int) -> Iterator[Block]:
    """A table per scorer of numbers, and its coverage.

    Args:
        number: of the task, from 1: keys of tables end with it.
    """
    task = scores.task.name
    scorers = analysis.aggregates.scorers(task, "number")
    if scorers and not analysis.aggregates.scorers(task, "risk"):
        yield from wanted_blocks(analysis, task)
    for place, scorer in enumerate(scorers, start=1):
        rows = runs_of(analysis, task, scorer)
        label = f"{task}, numbers by {scorer}"
        yield Table.of(f"numbers-{number}-{place}", label, _columns(analysis), rows, note=_NOTE, file="aggregates.csv")
        yield from coverage_blocks(analysis, rows)


def _columns(analysis: Analysis) -> Iterator[Column]:
    labels, interval = analysis.labels, analysis.interval_title

    def samples(row: RunAggregates) -> Cell:
        return cells.number(next(iter(row.values.values())).n)

    yield Column("run", "Run", lambda row: cells.name(labels[row.run], row.run))
    yield Column("mae", "MAE", _absolute_error, is_number=True, note=_MAE, detail=interval)
    yield value_column(analysis, "rmse", "RMSE", _RMSE)
    yield difference_column("rmse", "RMSE")
    yield value_column(analysis, "r_squared", "R²", _R_SQUARED)
    yield difference_column("r_squared", "R²")
    yield Column("parse_rate", "Parse rate", _parse_rate, is_number=True, note=_PARSE_RATE, detail=interval)
    yield Column("samples", "Samples", samples, is_number=True)


def _absolute_error(row: RunAggregates) -> Cell:
    for key, score in row.scores.items():
        if is_absolute_error(key):
            return cells.score(score.value, score.interval, NUMBER)
    return Cell()


def _parse_rate(row: RunAggregates) -> Cell:
    unparsed = row.coverage.unusable.get(NO_NUMBER, 0)
    asked = row.coverage.usable + unparsed
    if not asked:
        return Cell()
    return cells.score(row.coverage.usable / asked, wilson_interval(row.coverage.usable, asked), Scale(is_percent=True))
