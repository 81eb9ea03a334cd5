"""The report's part on predicted probabilities of an outcome: discrimination, calibration, and what is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tunebook.analysis.charts.task_scores import TaskScores
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
from tunebook.analysis.statistics.aggregates import ReliabilityBin
from tunebook.analysis.values import Analysis

__all__ = ["risk_blocks"]

_NOTE = (
    "After each run's last evaluated epoch. Risk is the predicted probability of the last option; the outcome is that "
    "the last option is the target."
)
_AUC = (
    "AUC is the area under the ROC curve: how often a sample with the outcome has the higher risk than one without it; "
    "0.5 is chance. Interval and paired test: DeLong."
)
_BRIER = "Brier score: the mean squared distance of the risk from the outcome; lower is better."
_ECE = (
    "ECE, the expected calibration error, is the mean distance of confidence (the probability of the more probable "
    "option) from the share of right answers over 10 bins of equal width; risk calibration error is the same of risk "
    "and outcome; lower is better. Both are too high by chance, the more the fewer the samples: “by chance” is what "
    "perfectly calibrated predictions would have on these samples. Their intervals start at 0 where perfect "
    "calibration is not excluded, otherwise at the end of the basic bootstrap interval."
)
_MEAN = (
    "Mean risk − base rate: above 0, the outcome is predicted too often; its interval is Student's t over samples, "
    "that of the base rate is Wilson's."
)


def risk_blocks(analysis: Analysis, scores: TaskScores, number: int) -> Iterator[Block]:
    """A table per scorer with risks, its bins, and its coverage.

    Args:
        number: of the task, from 1: keys of tables end with it.
    """
    task = scores.task.name
    if analysis.aggregates.scorers(task, "risk"):
        yield from wanted_blocks(analysis, task)
    for place, scorer in enumerate(analysis.aggregates.scorers(task, "risk"), start=1):
        rows = runs_of(analysis, task, scorer)
        subject = f"{task}, risk by {scorer}"
        key = f"risk-{number}-{place}"
        yield Table.of(key, subject, _columns(analysis), rows, note=_NOTE, file="aggregates.csv")
        key, label = f"calibration-{number}-{place}", f"{subject}: calibration"
        yield Table.of(key, label, _calibration_columns(analysis), rows, file="aggregates.csv")
        yield from coverage_blocks(analysis, rows)
        bins = [each for each in analysis.aggregates.bins if (each.task, each.scorer) == (task, scorer)]
        if bins:
            yield _bin_table(analysis, bins, f"reliability-{number}-{place}", f"{task}, {scorer}: reliability by bin")


def _columns(analysis: Analysis) -> Iterator[Column]:
    labels = analysis.labels

    def brier(row: RunAggregates) -> Cell:
        score = row.scores.get("brier")
        return Cell() if score is None else cells.score(score.value, score.interval, NUMBER)

    def samples(row: RunAggregates) -> Cell:
        return cells.number(next(iter(row.values.values())).n)

    yield Column("run", "Run", lambda row: cells.name(labels[row.run], row.run))
    yield value_column(analysis, "auc", "AUC", _AUC)
    yield difference_column("auc", "AUC")
    yield Column("brier", "Brier", brier, is_number=True, note=_BRIER, detail=analysis.interval_title)
    yield value_column(analysis, "mean_risk", "Mean risk", _MEAN)
    yield value_column(analysis, "base_rate", "Base rate")
    yield value_column(analysis, "risk_minus_base_rate", "Mean risk − base rate")
    yield Column("samples", "Samples", samples, is_number=True)


def _calibration_columns(analysis: Analysis) -> Iterator[Column]:
    labels = analysis.labels
    yield Column("run", "Run", lambda row: cells.name(labels[row.run], row.run))
    for key, title in (("ece", "ECE"), ("risk_calibration_error", "Risk calibration error")):
        yield value_column(analysis, key, title, _ECE)
        yield Column(f"{key}_chance", f"{title} by chance", _expected(key), is_number=True)
        yield difference_column(key, title)


def _expected(key: str) -> Callable[[RunAggregates], Cell]:
    def cell(row: RunAggregates) -> Cell:
        return cells.number(row.values[key].expected if key in row.values else None, ".3f")

    return cell


def _bin_table(analysis: Analysis, bins: Sequence[ReliabilityBin], key: str, label: str) -> Table:
    labels = analysis.labels
    columns = (
        Column("run", "Run", lambda each: cells.text(labels[each.run])),
        Column("curve", "Curve", lambda each: cells.text(each.curve)),
        Column("bin", "Bin", lambda each: cells.text(f"{each.bin.low:.1f}–{each.bin.high:.1f}")),
        Column("answers", "Answers", lambda each: cells.number(each.bin.answers), is_number=True),
        Column("predicted", "Mean predicted", lambda each: cells.number(each.bin.predicted, ".3f"), is_number=True),
        Column(
            "observed",
            "Observed",
            lambda each: cells.score(each.bin.observed, each.bin.interval, NUMBER),
            is_number=True,
            detail=analysis.interval_title,
        ),
    )
    note = "Intervals of the observed shares: Wilson."
    return Table.of(key, label, columns, bins, note=note, is_folded=True)
