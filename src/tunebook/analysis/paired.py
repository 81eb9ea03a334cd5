"""Comparisons of two runs on the same samples, and the correction for many comparisons. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tunebook.analysis.collect.records import Interval
from tunebook.analysis.intervals import LEVEL, bootstrap_means, quantile_interval, sign_patterns, wilson_interval

__all__ = ["PairedTest", "holm", "mcnemar", "paired_bootstrap", "paired_difference_interval", "paired_test"]


@dataclass(frozen=True)
class PairedTest:
    """A two-sided test that two runs score alike.

    Attributes:
        difference: mean of the first less mean of the second.
        gained: pairs that only the first has right; ``lost`` only the second; ``None`` for scores that are not 0 or 1.
    """

    difference: float
    interval: Interval | None
    name: str
    p: float
    gained: int | None = None
    lost: int | None = None


def paired_test(first: Sequence[float], second: Sequence[float], *, level: float = LEVEL) -> PairedTest:
    """Tests two runs' scores of the same samples, in the same order: McNemar for 0 and 1, else paired bootstrap.

    Raises:
        ValueError: the two have different lengths, or no pairs.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"{len(first)} and {len(second)} scores cannot be paired")
    if set(first) | set(second) <= {0.0, 1.0}:
        return mcnemar(first, second, level=level)
    return paired_bootstrap(first, second, level=level)


def mcnemar(first: Sequence[float], second: Sequence[float], *, level: float = LEVEL) -> PairedTest:
    """McNemar's test of two proportions on the same samples, exact: a sign test of the discordant pairs.

    With b pairs that only the first has right and c that only the second has right, b is Binomial(b + c, 1/2) if both
    are right equally often: p = min(1, 2 P(X ≤ min(b, c))). No discordant pair gives p = 1.

    Source: Q. McNemar (1947), Psychometrika 12:153-157; the exact form in A. Agresti (2013), Categorical Data
    Analysis, 3rd edition, section 11.1.
    """
    pairs = list(zip(first, second, strict=True))
    gained = sum(1 for one, other in pairs if one > other)
    lost = sum(1 for one, other in pairs if one < other)
    p = _sign_test(gained, lost)
    interval = paired_difference_interval(
        sum(1 for one, other in pairs if one and other), gained, lost, len(pairs), level=level
    )
    return PairedTest((gained - lost) / len(pairs), interval, "McNemar, exact", min(1.0, p), gained, lost)


@lru_cache(maxsize=4_096)
def _sign_test(gained: int, lost: int) -> float:
    """The exact two-sided p-value of as many heads and tails; a sweep asks for the same ones again and again."""
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def paired_difference_interval(both: int, gained: int, lost: int, n: int, *, level: float = LEVEL) -> Interval | None:
    """Newcombe's interval of the difference of two proportions on the same samples: Wilson limits, and their ϕ.

    With Wilson's limits l₁, u₁ of p₁ = (both + gained)/n and l₂, u₂ of p₂ = (both + lost)/n, and the correlation ϕ of
    the fourfold table (0 where a margin is empty; its numerator, if positive, lessened by n/2 for continuity):
    δ² = (p₁ - l₁)² - 2ϕ(p₁ - l₁)(u₂ - p₂) + (u₂ - p₂)², ε² likewise with the other limits; the interval is
    (p₁ - p₂ - δ, p₁ - p₂ + ε).

    Source: R. G. Newcombe (1998), Improved confidence intervals for the difference between binomial proportions based
    on paired data, Statistics in Medicine 17:2635-2650, method 10.
    """
    neither = n - both - gained - lost
    first, second = wilson_interval(both + gained, n, level=level), wilson_interval(both + lost, n, level=level)
    if first is None or second is None:
        return None
    p1, p2 = (both + gained) / n, (both + lost) / n
    phi = _phi(both, gained, lost, neither)
    down, up = p1 - first.low, second.high - p2
    delta = math.sqrt(max(0.0, down * down - 2 * phi * down * up + up * up))
    up, down = first.high - p1, p2 - second.low
    epsilon = math.sqrt(max(0.0, up * up - 2 * phi * up * down + down * down))
    low, high = max(-1.0, p1 - p2 - delta), min(1.0, p1 - p2 + epsilon)
    return Interval(low, high, "Newcombe", level)


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


def paired_bootstrap(first: Sequence[float], second: Sequence[float], *, level: float = LEVEL) -> PairedTest:
    """Bootstrap of the mean difference of paired scores: interval by drawn pairs, p-value by drawn signs.

    The differences d are drawn with replacement B = 9,999 times, with a fixed seed, for the interval (expanded
    percentiles). Under the hypothesis of no difference each d could as well be -d (the wild bootstrap with
    Rademacher's weights, or sign-flip permutation test): p is the part of all 2ⁿ patterns of signs, or of B random
    ones and the one that was seen, whose |mean| is at least the |mean of d|. So no p is 0, it holds its level
    however few the samples, and of right and wrong it is McNemar's exact test. All differences alike and not 0, or a
    single pair, carry no spread to draw an interval from, and a sign test stands in.

    Source: B. Efron and R. J. Tibshirani (1993), An Introduction to the Bootstrap, chapters 13 and 15; E. Mammen
    (1993), Annals of Statistics 21:255-285; the pattern that was seen counts: A. C. Davison and D. V. Hinkley (1997),
    Bootstrap Methods and their Application, section 4.2.
    """
    import numpy as np

    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return _all_alike(differences.tolist(), mean, level)
    interval = quantile_interval(bootstrap_means(differences), len(differences), level=level)
    return PairedTest(mean, interval, "paired bootstrap", _sign_flips(differences))


def _sign_flips(differences: Any) -> float:
    """The part of the patterns of signs whose sum is at least as far from 0; pairs without a difference have no say."""
    import numpy as np

    differing = differences[differences != 0]
    sums = np.concatenate([rows.astype(float) @ differing for rows in sign_patterns(len(differing))])
    seen = abs(float(differing.sum()))
    return float(np.count_nonzero(np.abs(sums) >= seen - 1e-12 * max(1.0, float(np.abs(differing).sum())))) / len(sums)


def _all_alike(differences: Sequence[float], mean: float, level: float) -> PairedTest:
    """Every pair differs by the same: no spread, so only the signs speak."""
    if mean == 0:
        return PairedTest(0.0, Interval(0.0, 0.0, "bootstrap", level), "paired bootstrap", 1.0)
    return PairedTest(mean, None, "sign test", _sign_test(len(differences), 0))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down correction of a family of p-values, in their order.

    Sorted p(1) ≤ … ≤ p(m) become max over j ≤ i of min(1, (m - j + 1) p(j)): it holds the family-wise error rate
    whatever the dependence between the tests.

    Source: S. Holm (1979), Scandinavian Journal of Statistics 6:65-70.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return tuple(corrected)
