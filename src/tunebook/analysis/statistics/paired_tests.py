"""Tests of two runs on the same samples, McNemar's or a paired bootstrap, and Holm's correction for many tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Protocol, TypeVar

from tunebook.analysis.records import Interval
from tunebook.analysis.statistics.intervals import (
    ALPHA,
    LEVEL,
    bootstrap_means,
    percentile_interval,
    sign_flip_p_value,
    wilson_interval,
)

__all__ = [
    "PairedTest",
    "correct_by_holm",
    "holm",
    "mcnemar",
    "paired_bootstrap",
    "paired_difference_interval",
    "paired_test",
]


@dataclass(frozen=True)
class PairedTest:
    """A two-sided test of the hypothesis that two runs have the same mean score.

    Attributes:
        difference: mean of the first minus mean of the second.
        gained: pairs that only the first has right; ``lost`` only the second; ``None`` for scores that are not 0 or 1.
    """

    difference: float
    interval: Interval | None
    name: str
    p: float
    gained: int | None = None
    lost: int | None = None


def paired_test(first: Sequence[float], second: Sequence[float]) -> PairedTest:
    """Tests two runs' scores of the same samples, in the same order: McNemar for 0 and 1, otherwise paired bootstrap.

    Raises:
        ValueError: the two have different lengths, or are empty.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"{len(first)} and {len(second)} scores cannot be paired")
    if set(first) | set(second) <= {0.0, 1.0}:
        return mcnemar(first, second)
    return paired_bootstrap(first, second)


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
    return PairedTest((gained - lost) / n, interval, "McNemar, exact", _sign_test(gained, lost), gained, lost)


@lru_cache(maxsize=4_096)  # SciPy takes 0.5 ms, and a sweep of 1,000 runs asks 2,000 times for few different counts
def _sign_test(gained: int, lost: int) -> float:
    """The exact two-sided p-value of this many heads and tails of a fair coin."""
    from scipy.stats import binomtest

    return min(1.0, float(binomtest(gained, gained + lost, 0.5).pvalue)) if gained + lost else 1.0


def paired_difference_interval(both: int, gained: int, lost: int, n: int) -> Interval | None:
    """Newcombe's interval of the difference of two proportions on the same samples; ``None`` without samples.

    With Wilson's limits l₁, u₁ of p₁ = (both + gained)/n and l₂, u₂ of p₂ = (both + lost)/n, and the correlation ϕ of
    the fourfold table (0 where a margin is empty; a positive numerator is reduced by n/2 for continuity):
    δ² = (p₁ - l₁)² - 2ϕ(p₁ - l₁)(u₂ - p₂) + (u₂ - p₂)², ε² likewise with the other limits; the interval is
    (p₁ - p₂ - δ, p₁ - p₂ + ε). Our own because neither statsmodels nor SciPy has it for paired proportions.

    Source: R. G. Newcombe (1998), Improved confidence intervals for the difference between binomial proportions based
    on paired data, Statistics in Medicine 17:2635-2650, method 10.
    """
    first, second = wilson_interval(both + gained, n), wilson_interval(both + lost, n)
    if first is None or second is None:
        return None
    p1, p2 = (both + gained) / n, (both + lost) / n
    phi = _phi(both, gained, lost, n - both - gained - lost)
    delta = _combined(p1 - first.low, second.high - p2, phi)
    epsilon = _combined(first.high - p1, p2 - second.low, phi)
    difference = p1 - p2
    return Interval(max(-1.0, difference - delta), min(1.0, difference + epsilon), "Newcombe", LEVEL)


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


def paired_bootstrap(first: Sequence[float], second: Sequence[float]) -> PairedTest:
    """Bootstrap of the mean difference of paired scores: interval by drawn pairs, p-value by drawn signs.

    The differences d are drawn with replacement B = 9,999 times, with a fixed seed, for the interval (expanded
    percentiles). Under the hypothesis of no difference each d is as likely as -d (the wild bootstrap with
    Rademacher's weights, or sign-flip permutation test): p is the share of all 2ⁿ patterns of signs, or of B random
    ones and the observed one, whose |mean| is at least the |mean of d|. So no p is 0, the test keeps its level
    however few the samples, and for right and wrong it equals McNemar's exact test. If all differences are equal and
    not 0, or there is a single pair, a sign test is used: the spread is 0.

    Source: B. Efron and R. J. Tibshirani (1993), An Introduction to the Bootstrap, chapters 13 and 15; E. Mammen
    (1993), Annals of Statistics 21:255-285; the observed pattern counts: A. C. Davison and D. V. Hinkley (1997),
    Bootstrap Methods and their Application, section 4.2.
    """
    import numpy as np

    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    count, mean = len(differences), float(differences.mean())
    if np.ptp(differences) > 0:
        interval = percentile_interval(bootstrap_means(differences), count)
        return PairedTest(mean, interval, "paired bootstrap", sign_flip_p_value(differences))
    if mean == 0:
        return PairedTest(0.0, Interval(0.0, 0.0, "bootstrap", LEVEL), "paired bootstrap", 1.0)
    return PairedTest(mean, None, "sign test", _sign_test(count, 0))


class _Tested(Protocol):
    """A frozen dataclass with ``p``, ``p_holm`` and ``significant``."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def p(self) -> float | None: ...


_Test = TypeVar("_Test", bound=_Tested)


def correct_by_holm(family: Sequence[_Test]) -> list[_Test]:
    """The family with ``p_holm`` and ``significant``; what was not tested (``p`` is ``None``) stays as it is."""
    corrected = iter(holm([item.p for item in family if item.p is not None]))
    found = []
    for item in family:
        if item.p is None:
            found.append(item)
        else:
            p_holm = next(corrected)
            found.append(replace(item, p_holm=p_holm, significant=p_holm < ALPHA))
    return found


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down correction: it controls the family-wise error rate however the tests depend on each other.

    Source: S. Holm (1979), Scandinavian Journal of Statistics 6:65-70.
    """
    from statsmodels.stats.multitest import multipletests

    return tuple(multipletests(p_values, method="holm")[1].tolist()) if p_values else ()
