"""Tests and intervals of differences between groups of samples, which are independent of each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, variance

from tunebook.analysis.records import Interval
from tunebook.analysis.statistics.intervals import t_interval, welch_error

__all__ = ["Heterogeneity", "equal_changes", "equal_means", "gap_interval"]


@dataclass(frozen=True)
class Heterogeneity:
    """A test of equal values in all groups; ``p`` is ``None`` where the samples have no spread to test it with."""

    name: str
    p: float | None


def equal_means(groups: Sequence[Sequence[float]]) -> Heterogeneity:
    """Tests whether all groups have the same mean: of paired differences, whether a run gains equally everywhere.

    A sample has one difference, so that samples are independent. Welch's analysis of variance allows for groups with
    different spreads. A group without any spread would make it infinite: then the common spread of all groups is used
    or, if no group has any, the exact share of the ways to divide the samples that separate the groups as well.

    Source: B. L. Welch (1951), On the Comparison of Several Mean Values, Biometrika 38:330-336.
    """
    import numpy as np
    from scipy.stats import f_oneway

    spreads = [variance(group) for group in groups]
    if min(spreads) > 0:
        return Heterogeneity("Welch's F", _p(f_oneway(*map(np.asarray, groups), equal_var=False)))
    if max(spreads) > 0:
        return Heterogeneity("F, common spread", _p(f_oneway(*map(np.asarray, groups))))
    if len({group[0] for group in groups}) == 1:
        return Heterogeneity("none: all differences are equal", 1.0)
    sizes = [len(group) for group in groups]
    ways = math.lgamma(sum(sizes) + 1) - sum(math.lgamma(size + 1) for size in sizes)
    return Heterogeneity("permutation, exact", min(1.0, math.factorial(len(groups)) * math.exp(-ways)))


def _p(result: object) -> float | None:
    p = float(getattr(result, "pvalue", math.nan))
    return p if math.isfinite(p) else None


def equal_changes(changes: Sequence[float], variances: Sequence[float]) -> Heterogeneity:
    """Tests whether independent estimates are equal, by Cochran's Q: of differences of areas under the curve.

    Source: W. G. Cochran (1954), The Combination of Estimates from Different Experiments, Biometrics 10:101-129.
    """
    from scipy.special import chdtrc

    name = "Cochran's Q"
    if min(variances) <= 0:
        return Heterogeneity(name, None)
    weights = [1 / each for each in variances]
    mean = sum(weight * change for weight, change in zip(weights, changes, strict=True)) / sum(weights)
    q = sum(weight * (change - mean) ** 2 for weight, change in zip(weights, changes, strict=True))
    return Heterogeneity(name, float(chdtrc(len(changes) - 1, q)))


def gap_interval(first: Sequence[float], second: Sequence[float], level: float, *, is_share: bool) -> Interval | None:
    """The interval of the difference of two groups' means: Newcombe's for right and wrong, otherwise Welch's.

    Source: R. G. Newcombe (1998), Interval Estimation for the Difference Between Independent Proportions, Statistics in
    Medicine 17:873-890, method 10.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    sizes = len(first), len(second)
    if is_share:
        low, high = confint_proportions_2indep(
            sum(first), sizes[0], sum(second), sizes[1], method="newcomb", alpha=1 - level
        )
        return Interval(float(low), float(high), "Newcombe, independent", level)
    if min(sizes) < 2:  # noqa: PLR2004  a single value has no spread
        return None
    error, freedom = welch_error([first, second])
    if not error:
        return None
    found = t_interval(fmean(first) - fmean(second), error, freedom, 1 - level)
    return replace(found, method="Welch", level=level)
