"""Tests of two runs on the same samples, McNemar's or a sign-flip test, and Holm's correction for many tests."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from tunebook.analysis.records import Interval
from tunebook.analysis.statistics.intervals import (
    ALPHA,
    LEVEL,
    bootstrap_means,
    percentile_interval,
    skewed_interval,
    wilson_interval,
)
from tunebook.analysis.statistics.sign_flips import sign_flip_p_value

__all__ = [
    "PairedTest",
    "bonferroni",
    "holm",
    "mcnemar",
    "paired_difference_interval",
    "paired_test",
    "sign_flip_test",
]


@dataclass(frozen=True)
class PairedTest:
    """A two-sided test of the hypothesis that two runs have the same mean score.

    Attributes:
        difference: mean of the first minus mean of the second.
        n: the number of pairs.
        gained: pairs that only the first has right; ``lost`` only the second; ``None`` for scores that are not 0 or 1.
        both: pairs that both have right; only with ``gained``.
        deviation: the standard deviation (n - 1) of the differences; ``None`` if they do not vary.
        skewness: of the differences.
    """

    difference: float
    interval: Interval | None
    name: str
    p: float
    n: int
    gained: int | None = None
    lost: int | None = None
    both: int | None = None
    deviation: float | None = None
    skewness: float = 0.0

    def simultaneous(self, tests: int) -> Interval | None:
        """The interval that holds together with those of all tests of a family, by Bonferroni's inequality.

        Each interval has the level 1 - α/tests, so that all of them hold in at least 95 % of all cases. By Newcombe's
        method for right and wrong; otherwise by Student's t and Hall's limits, since a percentile of 9,999 bootstrap
        draws is noise at such a level. Simulated for families of independent comparisons (4,000 intervals each, by
        benchmarks/simulate_intervals.py), all intervals of a family hold in this share of all cases:

        ====================================  ===  ========  =========
        scores                                n    20 tests  200 tests
        ====================================  ===  ========  =========
        right and wrong                        30      0.96       0.95
        right and wrong                       100      0.95       1.00
        grades                                 30      0.98       1.00
        grades                                100      0.94       0.95
        normal                                 30      0.98       1.00
        normal                                100      0.96       0.95
        exponential                            30      0.94       0.82
        exponential                           100      0.97       0.95
        errors, one twice as large             30      0.89       0.74
        errors, one twice as large            100      0.96       0.91
        ====================================  ===  ========  =========
        """
        if tests <= 1:
            return self.interval
        alpha = ALPHA / tests
        if self.both is not None and self.gained is not None and self.lost is not None:
            interval = paired_difference_interval(self.both, self.gained, self.lost, self.n, alpha)
        elif self.deviation and self.interval is not None:
            standard_error = self.deviation / math.sqrt(self.n)
            interval = skewed_interval(self.difference, standard_error, self.skewness, self.n, alpha)
        else:
            return self.interval
        return bonferroni(interval)


def bonferroni(interval: Interval | None) -> Interval | None:
    """An interval at a Bonferroni level as one of a family that holds at the report's level."""
    if interval is None:
        return None
    return replace(interval, method=f"{interval.method}, Bonferroni", level=LEVEL)


def paired_test(first: Sequence[float], second: Sequence[float]) -> PairedTest:
    """Tests two runs' scores of the same samples, in the same order: McNemar for 0 and 1, otherwise by sign flips.

    Raises:
        ValueError: the two have different lengths, or are empty.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"{len(first)} and {len(second)} scores cannot be paired")
    if set(first) | set(second) <= {0.0, 1.0}:
        return mcnemar(first, second)
    return sign_flip_test(first, second)


def mcnemar(first: Sequence[float], second: Sequence[float]) -> PairedTest:
    """McNemar's test of two proportions on the same samples, exact: a sign test of the discordant pairs.

    With b pairs that only the first has right and c that only the second has right, b is Binomial(b + c, 1/2) if both
    are right equally often. Without a discordant pair p is 1.

    Source: Q. McNemar (1947), Psychometrika 12:153-157; the exact form in A. Agresti (2013), Categorical Data
    Analysis, 3rd edition, section 11.1.
    """
    both = gained = lost = 0
    for one, other in zip(first, second, strict=True):
        both += bool(one and other)
        gained += one > other
        lost += one < other
    n = len(first)
    interval = paired_difference_interval(both, gained, lost, n)
    p = _sign_test(gained, lost)
    return PairedTest((gained - lost) / n, interval, "McNemar, exact", p, n, gained, lost, both)


@lru_cache(maxsize=4_096)  # SciPy takes 0.5 ms, and a sweep of 1,000 runs asks 2,000 times for few different counts
def _sign_test(gained: int, lost: int) -> float:
    """The exact two-sided p-value of this many heads and tails of a fair coin; at least the smallest double."""
    from scipy.stats import binomtest

    if not gained + lost:
        return 1.0
    p = float(binomtest(gained, gained + lost, 0.5).pvalue)
    return min(1.0, max(p, sys.float_info.min))


def paired_difference_interval(both: int, gained: int, lost: int, n: int, alpha: float = ALPHA) -> Interval | None:
    """Newcombe's interval of the difference of two proportions on the same samples; ``None`` without samples.

    With Wilson's limits l₁, u₁ of p₁ = (both + gained)/n and l₂, u₂ of p₂ = (both + lost)/n, and the correlation ϕ of
    the fourfold table (0 where a margin is empty; a positive numerator is reduced by n/2 for continuity):
    δ² = (p₁ - l₁)² - 2ϕ(p₁ - l₁)(u₂ - p₂) + (u₂ - p₂)², ε² likewise with the other limits; the interval is
    (p₁ - p₂ - δ, p₁ - p₂ + ε). Our own because neither statsmodels nor SciPy has it for paired proportions.

    Source: R. G. Newcombe (1998), Improved confidence intervals for the difference between binomial proportions based
    on paired data, Statistics in Medicine 17:2635-2650, method 10.
    """
    first, second = wilson_interval(both + gained, n, alpha), wilson_interval(both + lost, n, alpha)
    if first is None or second is None:
        return None
    p1, p2 = (both + gained) / n, (both + lost) / n
    phi = _phi(both, gained, lost, n - both - gained - lost)
    delta = _combined(p1 - first.low, second.high - p2, phi)
    epsilon = _combined(first.high - p1, p2 - second.low, phi)
    difference = p1 - p2
    return Interval(max(-1.0, difference - delta), min(1.0, difference + epsilon), "Newcombe", 1 - alpha)


def _combined(one: float, other: float, phi: float) -> float:
    """The width of a limit of the difference, from those of the two proportions."""
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def _phi(both: int, gained: int, lost: int, neither: int) -> float:
    """The table's ϕ with Newcombe's continuity correction."""
    margins = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    if not margins:
        return 0.0
    n = both + gained + lost + neither
    numerator = float(both * neither - gained * lost)
    if numerator > 0:
        numerator = max(numerator - n / 2, 0.0)
    return numerator / math.sqrt(margins)


def sign_flip_test(first: Sequence[float], second: Sequence[float]) -> PairedTest:
    """Tests the mean difference of paired scores: p-value by flipped signs, interval by the bootstrap.

    Under the hypothesis of no difference each difference d is as likely as -d: p is the share of all 2ⁿ patterns of
    signs whose |mean| is at least the |mean of d|. The test keeps its level however few the samples, and for right and
    wrong it equals McNemar's exact test. The interval is the expanded percentile interval of the bootstrap; there is
    none for a single pair, or for differences that are all equal and not 0, which have no spread.

    Source: E. J. G. Pitman (1937), Supplement to the J. R. Statist. Soc. 4:119-130; the bootstrap: B. Efron and R. J.
    Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    import numpy as np

    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    count, mean = len(differences), float(differences.mean())
    p, method = sign_flip_p_value(differences)
    interval = deviation = None
    skewness = 0.0
    if np.ptp(differences) > 0:
        interval = percentile_interval(bootstrap_means(differences), count)
        deviation = float(differences.std(ddof=1))
        skewness = float((((differences - mean) / differences.std()) ** 3).mean())
    elif mean == 0:
        interval = Interval(0.0, 0.0, "bootstrap", LEVEL)
    return PairedTest(mean, interval, f"sign-flip, {method}", p, count, deviation=deviation, skewness=skewness)


def holm(p_values: Sequence[float], tests: int = 0) -> tuple[float, ...]:
    """Holm's step-down correction: it controls the family-wise error rate however the tests depend on each other.

    If there are more tests than these p-values, the others count as if their p were 1.

    Our own because statsmodels' ``multipletests`` collects garbage at every call, which took 0.45 s in a process with
    the analysis of a sweep; a report corrects some twenty families.

    Source: S. Holm (1979), Scandinavian Journal of Statistics 6:65-70.
    """
    size = max(tests, len(p_values))
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (size - rank) * p_values[place]))
        corrected[place] = largest
    return tuple(corrected)
