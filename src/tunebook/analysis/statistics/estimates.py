"""Estimates of measures that only all samples together have, and the test of two of them on the same samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tunebook.analysis.records import Interval
from tunebook.analysis.statistics.intervals import LEVEL

__all__ = ["Difference", "Estimate", "difference_of", "normal_interval"]


@dataclass(frozen=True)
class Estimate:
    """A measure's value over all samples.

    Attributes:
        value: ``None`` where it is undefined; ``undefined`` says why.
        influences: how much each sample moved the value; the sum of their squares is the value's variance.
        draws: the value in every bootstrap draw, for a measure whose influences are not known.
        expected: the value that perfectly calibrated predictions would have on average; for calibration errors.
    """

    value: float | None
    undefined: str = ""
    interval: Interval | None = None
    influences: Any = None
    draws: Any = None
    expected: float | None = None


@dataclass(frozen=True)
class Difference:
    """A difference of two estimates; ``p`` is ``None`` where the samples have no spread to test it with."""

    difference: float
    interval: Interval | None
    test: str
    p: float | None
    variance: float = 0.0


def difference_of(one: Estimate, other: Estimate) -> Difference | None:
    """The difference of two estimates of the same samples, with a test of no difference; ``None`` if one is undefined.

    The statistic is the difference, divided by its standard error over samples, against the normal distribution. The
    standard error comes from the differences of the samples' influences or, without these, of the values in the same
    bootstrap draws. Both respect that the two runs answered the same samples, and no number of draws limits how small p
    can be.

    Source: E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson (1988), Comparing the Areas Under Two or More Correlated
    Receiver Operating Characteristic Curves, Biometrics 44:837-845, for the area under the curve; A. C. Davison and
    D. V. Hinkley (1997), Bootstrap Methods and their Application, sections 2.7 and 5.2, for influences and draws.
    """
    import numpy as np

    if one.value is None or other.value is None:
        return None
    difference = one.value - other.value
    if one.influences is not None and other.influences is not None:
        test, variance = "DeLong, paired", float(np.sum((one.influences - other.influences) ** 2))
    else:
        test, variance = "paired bootstrap, normal", _variance(one.draws - other.draws)
    error = math.sqrt(variance)
    if error > 0:
        return Difference(
            difference, normal_interval(difference, error), test, _two_sided(difference / error), variance
        )
    # Nothing can be said of other samples, unless the two runs are equal in every one.
    return Difference(difference, None, test, 1.0 if difference == 0 else None)


def _variance(draws: Any) -> float:
    import numpy as np

    finite = draws[np.isfinite(draws)]
    return float(np.var(finite, ddof=1)) if len(finite) > 1 else 0.0


def _two_sided(z: float) -> float:
    from scipy.special import ndtr

    return 2 * float(ndtr(-abs(z)))


def normal_interval(value: float, error: float, *, level: float = LEVEL, method: str = "normal") -> Interval:
    """The interval value ± z · standard error."""
    from scipy.special import ndtri

    half_width = float(ndtri((1 + level) / 2)) * error
    return Interval(value - half_width, value + half_width, method, level)
