"""Means of levels and of cells: as the model estimates them, as the runs have them, and the largest difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import fmean

from tunebook.analysis.records import FactorUse, Interval
from tunebook.analysis.statistics.fits import Fit
from tunebook.analysis.statistics.scores import ScoreTable

__all__ = ["GroupMean", "LevelDifference", "estimated_means", "largest_difference", "raw_means"]

_MOST_INTERVALS = 64  # of the cells of an interaction: the bootstrap takes 5 ms for each
_BY_ROUNDING = 1e-9


@dataclass(frozen=True)
class GroupMean:
    """The mean score at one level of each of an effect's factors.

    Attributes:
        runs: how many scored runs have these levels.
        mean: the model's estimated marginal mean, with equal weight of the other factors' levels; without a model the
            mean over these runs.
        interval: of the mean by itself, from the model of the test; ``None`` if the design allows none.
        raw_mean: the mean over these runs, where it differs from ``mean``.
    """

    levels: tuple[str, ...]
    runs: int
    mean: float
    interval: Interval | None = None
    raw_mean: float | None = None


@dataclass(frozen=True)
class LevelDifference:
    """The difference between the levels with the highest and with the lowest estimated mean.

    Attributes:
        interval: simultaneous over all pairs of levels, since these two were chosen by their means.
    """

    high: str
    low: str
    difference: float
    interval: Interval | None = None


def raw_means(table: ScoreTable, factors: Sequence[FactorUse]) -> tuple[GroupMean, ...]:
    """The means over the runs, in the order of the levels; without the cells that have no scored run."""
    keys = [factor.key for factor in factors]
    scores: dict[tuple[str | None, ...], list[float]] = {}
    for run, score in zip(table.tuned, table.tuned_scores, strict=True):
        scores.setdefault(tuple(map(run.levels.get, keys)), []).append(score)
    cells = filter(scores.__contains__, product(*(factor.levels for factor in factors)))
    return tuple(GroupMean(cell, len(scores[cell]), fmean(scores[cell])) for cell in cells)


def estimated_means(means: Sequence[GroupMean], keys: tuple[str, ...], fit: Fit) -> tuple[GroupMean, ...]:
    """The same levels with the model's means and their intervals; the raw means stay where they differ.

    Args:
        keys: of the effect's factors.
    """
    found = []
    for item in means:
        row = fit.model.row(dict(zip(keys, item.levels, strict=True)))
        estimate = fit.estimate(row)
        interval = fit.mean_interval(row) if len(means) <= _MOST_INTERVALS else None
        if math.isclose(estimate.value, item.mean, rel_tol=_BY_ROUNDING, abs_tol=_BY_ROUNDING):
            found.append(replace(item, interval=interval))
        else:
            found.append(replace(item, mean=estimate.value, interval=interval, raw_mean=item.mean))
    return tuple(found)


def largest_difference(means: Sequence[GroupMean], key: str, fit: Fit) -> LevelDifference | None:
    """The difference between the extreme levels of a factor; ``None`` if all means are equal."""
    high = max(means, key=lambda item: item.mean)
    low = min(means, key=lambda item: item.mean)
    if high.mean == low.mean:
        return None
    (first,), (second,) = high.levels, low.levels
    rows = (fit.model.row({key: first}), fit.model.row({key: second}))
    return LevelDifference(first, second, high.mean - low.mean, fit.difference_interval(*rows, levels=len(means)))
