"""Trends over the levels of a factor that are numbers, and what such a trend leaves unexplained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any

from tunebook.analysis.formatting import is_number
from tunebook.analysis.records import Interval
from tunebook.analysis.statistics.fits import FactorTest, Fit
from tunebook.analysis.statistics.intervals import t_interval

__all__ = ["Trend", "Unit", "estimate_trend", "unit_of"]

_FEWEST_LEVELS = 3  # two levels have a difference, not a trend
_WIDE = 10  # ratio of the last level to the first


@dataclass(frozen=True)
class Unit:
    """The step of a factor that a slope is about.

    Attributes:
        name: ``doubling``, ``tenfold increase``, or ``increase by 100``.
        size: the step on the trend's scale.
    """

    name: str
    size: float
    is_logarithmic: bool

    def place(self, level: float) -> float:
        """A level's place on the trend's scale, in steps."""
        return (math.log(level) if self.is_logarithmic else level) / self.size


@dataclass(frozen=True)
class Trend:
    """The straight line through the estimated means of a factor's levels.

    Attributes:
        factor: its key; ``label`` its column in the plan.
        slope: the change of the mean with each step of the factor, averaged over the levels of the other factors.
        unit: the step.
        interval: of the slope by itself.
        departure: the test that the means lie on a straight line; ``None`` if the design allows none.
    """

    factor: str
    label: str
    unit: Unit
    slope: float
    interval: Interval | None
    test: FactorTest
    departure: FactorTest | None = None


def unit_of(levels: Sequence[float]) -> Unit:
    """The scale on which the levels are more evenly spaced, and a step that people use.

    Levels with equal ratios, such as 4, 16, 64 or 1e-5, 3e-5, 1e-4, are so on the logarithmic scale. The step is a
    doubling if every ratio is a power of two, or if the levels span less than a factor of ten.

    Args:
        levels: at least two, in increasing order.
    """
    steps = [after - before for before, after in pairwise(levels)]
    if levels[0] > 0:
        ratios = [math.log2(after / before) for before, after in pairwise(levels)]
        if _unevenness(ratios) < _unevenness(steps):
            are_doublings = all(math.isclose(ratio, round(ratio), abs_tol=1e-6) for ratio in ratios)
            if are_doublings or levels[-1] / levels[0] < _WIDE:
                return Unit("doubling", math.log(2), is_logarithmic=True)
            return Unit("tenfold increase", math.log(10), is_logarithmic=True)
    return Unit(f"increase by {min(steps):g}", min(steps), is_logarithmic=False)


def _unevenness(steps: Sequence[float]) -> float:
    """The coefficient of variation of steps; 0 for equal ones, whatever the rounding."""
    return round(pstdev(steps) / fmean(steps), 9)


def estimate_trend(factor: str, label: str, levels: Sequence[str], fit: Fit) -> Trend | None:
    """The linear contrast of the estimated means; ``None`` unless three or more levels are different numbers.

    With places x and means m of the levels, the slope is Σ(x - x̄)m / Σ(x - x̄)². The departure is a test of all
    contrasts that are orthogonal to the constant and to x. With seeds, both are tested over runs, otherwise over
    samples.

    Source: H. Scheffé (1959), The Analysis of Variance, section 3.4; contrasts for unequally spaced levels as in
    patsy's ``Poly``.
    """
    import numpy as np
    from scipy.linalg import null_space

    numbers = _numbers(levels)
    if len(numbers) < _FEWEST_LEVELS:
        return None
    ordered, values = list(numbers), list(numbers.values())
    unit = unit_of(values)
    places = np.array([unit.place(value) for value in values])
    rows = np.array([fit.model.row({factor: level}) for level in ordered])
    centred = places - places.mean()
    slope = (centred / (centred @ centred)) @ rows
    test = fit.test(slope[None, :])
    if test is None:
        return None
    left = null_space(np.vstack([np.ones_like(centred), centred / np.abs(centred).max()])).T
    return _trend(Trend(factor, label, unit, 0.0, None, test), slope, fit.test(left @ rows), fit)


def _numbers(levels: Sequence[str]) -> dict[str, float]:
    """The levels with their values in increasing order; empty unless all are different finite numbers."""
    if not all(map(is_number, levels)):
        return {}
    numbers = {level: float(level) for level in levels}
    if not all(map(math.isfinite, numbers.values())) or len(set(numbers.values())) < len(numbers):
        return {}
    return dict(sorted(numbers.items(), key=lambda item: item[1]))


def _trend(trend: Trend, row: Any, departure: FactorTest | None, fit: Fit) -> Trend:
    """The trend with its slope and interval."""
    found = fit.estimate(row)
    interval = t_interval(found.value, found.standard_error, found.df)
    return replace(trend, slope=found.value, interval=interval, departure=departure)
