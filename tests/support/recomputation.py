"""What a report says, computed again from its table of samples by pandas, SciPy, statsmodels and scikit-learn.

Nothing here uses tunebook's statistics: formulas are written from their sources, or are those of another library.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

__all__ = [
    "CellMeans",
    "Limits",
    "SampleValues",
    "bootstrap_limits",
    "clustered_f",
    "hall_limits",
    "holm",
    "hotelling",
    "is_binary",
    "long_form",
    "mcnemar_p",
    "newcombe_limits",
    "sign_flip_p",
    "wilson_limits",
]

_DRAWS = 20_000


class Limits(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


class SampleValues:
    """The values of each evaluation's samples: means over their repeats."""

    def __init__(self, samples: pd.DataFrame) -> None:
        own = samples.assign(
            epoch=samples["epoch"].fillna(-1).astype(int), value=samples["value"].astype(float)
        ).dropna(subset="value")
        means = own.groupby(["task", "measure", "run", "epoch", "sample"])["value"].mean()
        self._values = {key: part.droplevel([0, 1, 2, 3]) for key, part in means.groupby(level=[0, 1, 2, 3])}

    def of(self, task: str, measure: str, run: str, epoch: float = 0) -> pd.Series:
        """Sample to value, without the samples that have none; the epoch of a base model is -1 or missing."""
        return self._values[task, measure, run, -1 if pd.isna(epoch) else int(epoch)]

    def table(self, task: str, measure: str, runs: Sequence[str], epoch: int = 0) -> pd.DataFrame:
        """Samples × runs, of the samples that all have."""
        return pd.DataFrame({run: self.of(task, measure, run, epoch) for run in runs}).dropna()


def is_binary(*columns: pd.Series) -> bool:
    """Whether all values are 0 and 1."""
    return all(set(column.dropna().unique()) <= {0.0, 1.0} for column in columns)


def wilson_limits(values: pd.Series, level: float = 0.95) -> Limits:
    """SciPy's Wilson interval."""
    right = int(values.sum())
    found = stats.binomtest(right, len(values)).proportion_ci(level, method="wilson")
    return Limits(float(found.low), float(found.high))


def bootstrap_limits(values: Any) -> Limits:
    """The percentile interval of bootstrap means, widened as Hesterberg (2015) does; drawn anew."""
    values = np.asarray(values, dtype=float)
    count = len(values)
    draws = _draws(count)
    outside = stats.norm.cdf(-math.sqrt(count / (count - 1)) * stats.t.ppf(0.975, count - 1))
    low, high = np.quantile(draws @ values / count, [outside, 1 - outside])
    return Limits(float(low), float(high))


@lru_cache
def _draws(count: int) -> Any:
    """How often each of ``count`` values is drawn."""
    return np.random.default_rng(987).multinomial(count, np.full(count, 1 / count), size=_DRAWS)


def newcombe_limits(first: pd.Series, second: pd.Series, level: float = 0.95) -> Limits:
    """Newcombe (1998), method 10, with the numbers of his table: e both, f first only, g second only, h neither."""
    one, other = first.to_numpy(dtype=bool), second.to_numpy(dtype=bool)
    e, f, g, h = (int(part.sum()) for part in (one & other, one & ~other, ~one & other, ~one & ~other))
    low1, high1 = wilson_limits(first, level)
    low2, high2 = wilson_limits(second, level)
    p1, p2 = first.mean(), second.mean()
    product = float(e * h - f * g)
    if product > 0:
        product = max(product - len(first) / 2, 0.0)
    margins = (e + f) * (g + h) * (e + g) * (f + h)
    phi = product / math.sqrt(margins) if margins else 0.0
    down = (p1 - low1) ** 2 - 2 * phi * (p1 - low1) * (high2 - p2) + (high2 - p2) ** 2
    up = (high1 - p1) ** 2 - 2 * phi * (high1 - p1) * (p2 - low2) + (p2 - low2) ** 2
    return Limits(p1 - p2 - math.sqrt(down), p1 - p2 + math.sqrt(up))


def mcnemar_p(first: pd.Series, second: pd.Series) -> float:
    """The exact test of statsmodels."""
    from statsmodels.stats.contingency_tables import mcnemar

    one, other = first.to_numpy(dtype=bool), second.to_numpy(dtype=bool)
    counts = [[(one & other).sum(), (one & ~other).sum()], [(~one & other).sum(), (~one & ~other).sum()]]
    if counts[0][1] + counts[1][0] == 0:
        return 1.0
    return float(mcnemar(counts, exact=True).pvalue)


def sign_flip_p(differences: Any) -> float:
    """The exact sign-flip p-value of multiples of 0.01: the distribution of the sum by convolution."""
    steps = np.rint(np.asarray(differences, dtype=float) * 1200).astype(int)  # repeats of 3 and 4 are whole too
    steps = steps[steps != 0]
    if not len(steps):
        return 1.0
    steps //= np.gcd.reduce(steps)
    reach = int(np.abs(steps).sum())
    chances = np.zeros(2 * reach + 1)
    chances[reach] = 1.0
    for step in np.abs(steps):
        moved = np.zeros_like(chances)
        moved[step:] += chances[:-step] / 2
        moved[:-step] += chances[step:] / 2
        chances = moved
    seen = abs(int(steps.sum()))
    return float(chances[: reach - seen + 1].sum() + chances[reach + seen :].sum()) if seen else 1.0


def holm(p_values: Sequence[float], tests: int = 0) -> list[float]:
    """Holm (1979), from its definition: the largest over the smaller p-values of their Bonferroni-corrected values.

    Args:
        tests: the size of the family, where it has more tests than these.
    """
    unseen = max(0, tests - len(p_values))
    values = np.array(p_values)
    steps = values * (unseen + (values[:, None] <= values).sum(axis=1))
    return [min(1.0, float(steps[values <= own].max())) for own in values]


def hall_limits(values: Any, level: float) -> Limits:
    """At each end the wider of Student's and Hall's (1992) limits, whose transformation removes the skewness."""
    count, mean, error = len(values), np.mean(values), stats.sem(values)
    t = stats.t.ppf(0.5 + level / 2, count - 1)
    a = stats.skew(values) / 3 / math.sqrt(count)
    b = stats.skew(values) / 6 / math.sqrt(count)

    def inverse(y: float) -> float:
        """The x of x + a x² + a² x³ / 3 + b = y."""
        return float((np.cbrt(1 + 3 * a * (y - b)) - 1) / a)

    low, high = (mean - inverse(sign * t) * error for sign in (1, -1))
    return Limits(min(low, mean - t * error), max(high, mean + t * error))


def long_form(values: pd.DataFrame, levels: pd.DataFrame) -> pd.DataFrame:
    """One row per run and sample: ``value``, ``sample``, and the run's levels.

    Args:
        values: samples × runs.
        levels: one row per run, its index.
    """
    rows = values.reset_index(names="sample").melt(id_vars="sample", var_name="run", value_name="value")
    return rows.merge(levels, left_on="run", right_index=True)


def clustered_f(rows: pd.DataFrame, formula: str, term: str) -> tuple[float, float]:
    """F and p of a term over samples: the Wald test of statsmodels, clustered by sample, with Hotelling's degrees."""
    from statsmodels.formula.api import ols

    codes = rows["sample"].astype("category").cat.codes
    fit = ols(formula, rows).fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)
    factors = [re.sub(r"\[[^]]*\]", "", name) for name in fit.model.exog_names]
    restriction = np.eye(len(factors))[[factor == term for factor in factors]]
    tested, samples = len(restriction), codes.nunique()
    wald = float(np.squeeze(fit.wald_test(restriction, use_f=False, scalar=True).statistic))
    f = wald * (samples - tested) / (tested * (samples - 1))
    return f, float(stats.f.sf(f, tested, samples - tested))


class CellMeans:
    """The means of the cells of two factors, with the variance within cells: contrasts of them need no model.

    Args:
        data: one row per run with ``rank``, ``rate`` and ``value``.
    """

    def __init__(self, data: pd.DataFrame) -> None:
        cells = data.groupby(["rank", "rate"])["value"]
        self.means = cells.mean()
        self._counts = cells.size()
        self.df = len(data) - len(self.means)
        self.variance = float(((data["value"] - cells.transform("mean")) ** 2).sum() / self.df)
        self.ranks = sorted(self.means.index.levels[0], key=float)
        self.rates = sorted(self.means.index.levels[1], key=float)

    def weights(self, rank: str | None = None, rate: str | None = None) -> pd.Series:
        """Equal weights of the cells with these levels: a marginal mean."""
        index = self.means.index
        own = np.ones(len(index), dtype=bool)
        for name, level in (("rank", rank), ("rate", rate)):
            if level is not None:
                own &= index.get_level_values(name) == level
        return pd.Series(own / own.sum(), index)

    def estimate(self, weights: pd.Series) -> tuple[float, float]:
        """A contrast of cells, and its standard error."""
        error = math.sqrt(self.variance * float((weights**2 / self._counts).sum()))
        return float((weights * self.means).sum()), error

    def limits(self, weights: pd.Series, quantile: float | None = None) -> Limits:
        """The interval of a contrast: Student's without a quantile."""
        value, error = self.estimate(weights)
        width = error * (stats.t.ppf(0.975, self.df) if quantile is None else quantile)
        return Limits(value - width, value + width)

    def f_test(self, contrasts: Sequence[pd.Series]) -> tuple[float, float]:
        """F and p of the hypothesis that all contrasts are 0."""
        rows = np.array([contrast.to_numpy() for contrast in contrasts])
        effect = rows @ self.means.to_numpy()
        covariance = self.variance * rows @ np.diag(1 / self._counts.to_numpy()) @ rows.T
        f = float(effect @ np.linalg.solve(covariance, effect)) / len(rows)
        return f, float(stats.f.sf(f, len(rows), self.df))


def hotelling(contrasts: pd.DataFrame, runs: int) -> tuple[float, float]:
    """F and p of the hypothesis that the means of columns are 0, one row per sample, by Hotelling's T².

    Args:
        runs: of a model with one column per run; the covariance has the small-sample factor of clustered errors.
    """
    values = contrasts.to_numpy()
    samples, tested = values.shape
    factor = (runs * samples - 1) / (runs * samples - runs)
    covariance = factor * np.atleast_2d(np.cov(values, rowvar=False)) / samples
    mean = values.mean(axis=0)
    f = float(mean @ np.linalg.solve(covariance, mean)) * (samples - tested) / (tested * (samples - 1))
    return f, float(stats.f.sf(f, tested, samples - tested))
