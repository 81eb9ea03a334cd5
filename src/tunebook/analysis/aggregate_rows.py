"""Rows and data frames of measures of all samples together, and of scores by group of samples."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from tunebook.analysis.row_parts import bounds, epoch_number, family_parts, frame_of
from tunebook.analysis.statistics.aggregates import Aggregate, AggregateComparison
from tunebook.analysis.statistics.group_results import GroupInteraction
from tunebook.analysis.values import Analysis

__all__ = ["aggregate_rows", "aggregates_frame", "group_rows", "groups_frame"]

_Row = dict[str, Any]
_COMPARED = [each.name for each in fields(AggregateComparison) if each.name not in {"interval", "family", "base_epoch"}]


def aggregates_frame(analysis: Analysis) -> Any:
    """One row per run and measure of all samples together, such as the area under the ROC curve, with its comparison.

    ``value`` is empty where the measure is undefined, and ``undefined`` says why. ``answers`` of the evaluation can be
    ``usable`` or not. ``expected`` is the calibration error of perfectly calibrated predictions for the same samples.
    """
    return frame_of(aggregate_rows(analysis), ["run", "task", "epoch", "measure", "value", "n"])


def groups_frame(analysis: Analysis) -> Any:
    """One row per run, measure, column of the samples' metadata and group; tests of run × group repeat in its rows."""
    rows = []
    for row in group_rows(analysis):
        rows += [_without(row, "groups") | group for group in row["groups"]]
    return frame_of(rows, ["run", "task", "epoch", "measure", "column", "group", "value", "n"])


def _without(row: _Row, name: str) -> _Row:
    return {key: value for key, value in row.items() if key != name}


def aggregate_rows(analysis: Analysis) -> list[_Row]:
    """One row per run and measure of all samples together, as plain values."""
    coverage = {(each.task, each.scorer, each.run): each for each in analysis.aggregates.coverage}
    rows = []
    for value in analysis.aggregates.results:
        own = coverage[value.task, value.scorer, value.run]
        rows.append(_aggregate(value) | {"answers": own.answers, "usable": own.usable})
    return rows


def _aggregate(value: Aggregate) -> _Row:
    comparison = value.comparison
    row: _Row = {
        "run": value.run,
        "task": value.task,
        "epoch": epoch_number(value.epoch),
        "measure": value.measure,
        "direction": value.direction.value,
        "value": value.value,
        "undefined": value.undefined or None,
        "n": value.n,
        **bounds(value.interval, ""),
        "interval": None if value.interval is None else value.interval.method,
        "expected": value.expected,
    }
    for name in _COMPARED:
        column = name if name.startswith("base") or name in _UNCLASHING else f"compared_{name}"
        row[column] = None if comparison is None else getattr(comparison, name)
    row |= bounds(None if comparison is None else comparison.interval, "difference_")
    return row | family_parts(None if comparison is None else comparison.family)


_UNCLASHING = {"difference", "test", "p", "p_holm", "significant"}


def group_rows(analysis: Analysis) -> list[_Row]:
    """One row per run, measure and column, with its groups as a list, as plain values."""
    found = analysis.groups
    tests = {(each.task, each.measure, each.column, each.run): each for each in found.interactions}
    gaps = {(each.task, each.measure, each.column, each.run): each for each in found.gaps}
    rows: dict[tuple[str, str, str, str], _Row] = {}
    for score in found.scores:
        key = (score.task, score.measure, score.column, score.run)
        if key not in rows:
            gap = gaps.get(key)
            rows[key] = {
                "run": score.run,
                "task": score.task,
                "epoch": epoch_number(score.epoch),
                "measure": score.measure,
                "column": score.column,
                "groups": [],
                "gap": None if gap is None else gap.gap,
                "highest": None if gap is None else gap.highest,
                "lowest": None if gap is None else gap.lowest,
                **bounds(None if gap is None else gap.interval, "gap_"),
                **_test(tests.get(key)),
            }
        group = {"group": score.group, "value": score.value, "undefined": score.undefined or None, "n": score.n}
        difference, interval = None, None
        if key in tests and score.group in tests[key].differences:
            difference, interval = tests[key].differences[score.group]
        group |= bounds(score.interval, "") | {"difference": difference} | bounds(interval, "difference_")
        rows[key]["groups"].append(group)
    return list(rows.values())


def _test(test: GroupInteraction | None) -> _Row:
    names = ("other", "test", "p", "p_holm", "significant")
    row = {name: None if test is None else getattr(test, name) for name in names}
    return row | family_parts(None if test is None else test.family)
