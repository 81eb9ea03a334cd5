"""The linear model fitted over runs or over samples: tests of hypotheses, estimates and their intervals.

Two questions can be asked of a sweep, and the design decides which one has an answer:

* Several runs per setting (seeds): would the effect appear after training again? The runs are the unit, the variation
  between seeds is the error, and an analysis of variance of the runs' scores answers (:class:`SeedFit`).
* One run per setting: would these trained models show the effect on other samples? The samples are the unit; every run
  answers the same ones, so that standard errors are clustered by sample (:class:`SampleFit`). Nothing is known about
  training again; the report states this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from tunebook.analysis.records import Family, Interval
from tunebook.analysis.statistics.intervals import ALPHA, LEVEL, mean_interval, t_interval
from tunebook.analysis.statistics.linear_model import LinearModel
from tunebook.analysis.statistics.paired_tests import PairedTest, paired_test

__all__ = ["Estimate", "FactorTest", "Fit", "SampleFit", "SeedFit"]

_BY_ROUNDING = 1e-9  # of weights of runs


@dataclass(frozen=True)
class FactorTest:
    """A test of a hypothesis about factors.

    Attributes:
        name: the test's name.
        statistic: the test's F; ``df`` its degrees of freedom; ``None`` for exact tests.
    """

    name: str
    p: float
    statistic: float | None = None
    df: tuple[float, float] | None = None
    p_holm: float | None = None
    significant: bool | None = None
    family: Family | None = None


@dataclass(frozen=True)
class Estimate:
    """An estimate with its standard error and degrees of freedom."""

    value: float
    standard_error: float
    df: float

    def interval(self, quantile: float, method: str) -> Interval:
        """The interval value ± quantile · standard error."""
        half_width = quantile * self.standard_error
        return Interval(self.value - half_width, self.value + half_width, method, LEVEL)


class Fit(Protocol):
    """A fitted model. Rows are combinations of its coefficients, as :meth:`LinearModel.row` gives them."""

    @property
    def generalizes(self) -> str:
        """What p-values generalize to: ``seeds`` or ``samples``."""

    @property
    def model(self) -> LinearModel:
        """The model."""

    def test(self, restriction: Any) -> FactorTest | None:
        """The test that all these combinations of coefficients are 0; ``None`` if there is no test."""

    def test_equal(self, rows: Sequence[Any]) -> FactorTest | None:
        """The test that these means are equal; ``None`` if there is no test."""

    def estimate(self, row: Any) -> Estimate:
        """The estimate of a combination of coefficients."""

    def mean_interval(self, row: Any) -> Interval | None:
        """The interval of a mean, by itself."""

    def difference_interval(self, first: Any, second: Any, levels: int) -> Interval | None:
        """The interval of the difference of two means, simultaneous over all pairs of this many means."""


def _differences(rows: Sequence[Any]) -> Any:
    """The hypothesis that means are equal: each of them but the last, minus the last."""
    import numpy as np

    return np.array(rows[:-1]) - rows[-1]


class SeedFit:
    """Type III analysis of variance of the runs' scores; with equally many runs per cell it is the classical one.

    F = (SS of the hypothesis / its rows) / (residual SS / residual degrees of freedom). Means and differences have
    Student's t intervals from the residual variance; differences of more than two levels are by Tukey and Kramer.

    Simulated with 40,000 data sets of 2 × 3 settings with 2 and 3 seeds of 100 samples that are right by chance or in
    5 %: each test is significant in 4.8 to 5.1 % without an effect, any corrected one of a family in 4.2 to 4.6 %.

    Source: H. Scheffé (1959), The Analysis of Variance, chapter 4; computed by statsmodels' OLS and its F test. C. Y.
    Kramer (1956), Biometrics 12:307-310; the quantile by statsmodels' ``qsturng``, because SciPy's
    ``studentized_range.ppf`` takes 0.3 s.
    """

    generalizes = "seeds"

    def __init__(self, scores: Sequence[float], model: LinearModel) -> None:
        import numpy as np
        from statsmodels.regression.linear_model import OLS  # statsmodels.api would take 1.3 s longer to import

        self.model = model
        self._fit = OLS(np.array(scores), model.columns).fit()

    @cached_property
    def why_not(self) -> str:
        """Why the runs allow no test; empty if they do."""
        if self._fit.df_resid < 1:
            return "too few runs differ only in their seed to estimate the variation by chance"
        if self._fit.ssr <= 1e-12 * max(1.0, float(self._fit.centered_tss)):
            return "runs that differ only in their seed have identical scores, so there is no variance to test against"
        return ""

    @cached_property
    def _covariance(self) -> Any:
        return self._fit.cov_params()

    def test(self, restriction: Any) -> FactorTest | None:
        """The F test; ``None`` without a variance."""
        import numpy as np

        if self.why_not:
            return None
        test = self._fit.f_test(restriction)
        df = (float(test.df_num), float(test.df_denom))
        f, p = float(np.squeeze(test.fvalue)), float(np.squeeze(test.pvalue))
        return FactorTest("analysis of variance over runs", p, f, df)

    def test_equal(self, rows: Sequence[Any]) -> FactorTest | None:
        """The F test of equal means."""
        return self.test(_differences(rows))

    def partial_eta_squared(self, test: FactorTest) -> float | None:
        """SS of the hypothesis / (that + residual SS): its share of the variance that the other effects leave."""
        if test.statistic is None or test.df is None:
            return None
        explained = test.statistic * test.df[0] * float(self._fit.mse_resid)
        return explained / (explained + float(self._fit.ssr))

    def estimate(self, row: Any) -> Estimate:
        """The estimate, with the standard error from the residual variance."""
        variance = 0.0
        if not self.why_not:
            variance = float(row @ self._covariance @ row)
        return Estimate(float(row @ self._fit.params), math.sqrt(variance), float(self._fit.df_resid))

    def mean_interval(self, row: Any) -> Interval | None:
        """Student's t interval; ``None`` without a variance."""
        if self.why_not:
            return None
        found = self.estimate(row)
        return t_interval(found.value, found.standard_error, found.df)

    def difference_interval(self, first: Any, second: Any, levels: int) -> Interval | None:
        """Tukey's interval; of two levels it is Student's."""
        from statsmodels.stats.libqsturng import qsturng

        if self.why_not:
            return None
        found = self.estimate(first - second)
        if levels <= 2:  # noqa: PLR2004  a single pair
            return t_interval(found.value, found.standard_error, found.df)
        quantile = float(qsturng(LEVEL, levels, found.df)) / math.sqrt(2)
        return found.interval(quantile, "Tukey")


class SampleFit:
    r"""Tests over the samples of R β = 0 in y = Xβ + e, with errors that are correlated within each sample.

    ``matrix`` holds the scores, runs × samples; ``columns`` is X for the runs, the same for each sample, since every
    run answers every sample. So sample i has coefficients β̂ᵢ = (X'X)⁻¹X'yᵢ of its own; β̂ is their mean, and
    V = c Σ (β̂ᵢ - β̂)(β̂ᵢ - β̂)'/n² is the sandwich that is clustered by sample, with the usual
    c = n/(n - 1) · (N - 1)/(N - K) for N scores, K columns and n clusters. Since the q tested coefficients are means
    over the samples, W = (Rβ̂)'(RVR')⁻¹(Rβ̂) is Hotelling's T²: F = W (n - q)/(q (n - 1)) on q and n - q degrees of
    freedom. W/q on q and n - 1 would detect effects that do not exist: with 8 levels and 20 samples in 17 % of all
    cases, not in 5 %.

    Two means are compared by the paired test of each sample's two means: with one run for each, it is the same test as
    that of the two runs.

    Simulated with ``benchmarks/effects_level.py``: 1,000 data sets of 2 × 3 runs without an effect, with 10 to 200
    samples that are right by chance, right with a probability of their own, right in 5 %, or log-normal. Each test is
    significant at 5 % in 0 to 5.9 % of the data sets (few samples or rare right answers make the tests careful, not
    wrong), and any corrected one of a family in 0 to 5.0 %; of 8 levels and 20 samples in 4.1 %. All Bonferroni
    intervals of three and of eight levels cover together in 95 to 100 %. Intervals of means cover in 94 to 100 %, but
    of log-normal scores of 10 to 200 samples in 90 to 92 %.

    Our own because statsmodels' ``OLS(...).fit(cov_type="cluster")``, which computes the same V, needs one row per
    score and does not have these degrees of freedom. Measured for 1,000 runs, 100 samples and 13 columns: 0.2 s and
    160 MB, here 1 ms and no copy of the columns, of which there may be 400.

    Source: H. Hotelling (1931), Annals of Mathematical Statistics 2:360-378; K.-Y. Liang and S. L. Zeger (1986),
    Biometrika 73:13-22; A. C. Cameron and D. L. Miller (2015), A Practitioner's Guide to Cluster-Robust Inference,
    Journal of Human Resources 50:317-372, equations 10 to 12.
    """

    generalizes = "samples"

    def __init__(self, matrix: Any, model: LinearModel) -> None:
        import numpy as np

        columns = model.columns
        self.model = model
        self._matrix = matrix
        self._weights = np.linalg.inv(columns.T @ columns) @ columns.T  # coefficients × runs

    @cached_property
    def is_constant(self) -> bool:
        """Whether every run has the same score on every sample."""
        return bool((self._matrix == self._matrix[0]).all())

    @cached_property
    def _covariance(self) -> Any:
        """V, and 0 without enough scores."""
        import numpy as np

        runs, samples = self._matrix.shape
        scores, width = runs * samples, len(self._weights)
        coefficients = self._weights @ self._matrix
        deviations = coefficients - coefficients.mean(axis=1)[:, None]
        if samples < 2 or scores <= width:  # noqa: PLR2004  a single sample has no spread
            return np.zeros((width, width))
        correction = samples / (samples - 1) * (scores - 1) / (scores - width)
        return correction * (deviations @ deviations.T) / samples**2

    def test(self, restriction: Any) -> FactorTest | None:
        """Hotelling's test.

        Returns:
            ``None`` with fewer samples than the test needs, or if the samples' scores do not vary in its direction.
        """
        import numpy as np
        from scipy.special import fdtrc

        samples, tested = self._matrix.shape[1], len(restriction)
        if samples <= tested + 1:
            return None
        middle = restriction @ self._covariance @ restriction.T
        scale = float(np.abs(middle).max())
        if scale < 1e-18 or np.linalg.matrix_rank(middle / scale, tol=1e-10) < tested:  # noqa: PLR2004  rounding
            return None
        effect = restriction @ (self._weights @ self._matrix.mean(axis=1))
        wald = float(effect @ np.linalg.solve(middle, effect))
        f = wald * (samples - tested) / (tested * (samples - 1))
        df = (float(tested), float(samples - tested))
        return FactorTest("Wald test, standard errors clustered by sample", float(fdtrc(*df, f)), f, df)

    def test_equal(self, rows: Sequence[Any]) -> FactorTest | None:
        """The paired test of two means, and Hotelling's test of more."""
        if len(rows) > 2:  # noqa: PLR2004
            return self.test(_differences(rows))
        paired = self._paired(rows[0], rows[1])
        return FactorTest(paired.name, paired.p)

    def _paired(self, first: Any, second: Any) -> PairedTest:
        return paired_test(self.values(first), self.values(second))

    def values(self, row: Any) -> list[float]:
        """Each sample's own mean."""
        import numpy as np

        weights = row @ self._weights
        used = np.abs(weights) > _BY_ROUNDING
        if np.ptp(weights[used]) < _BY_ROUNDING:  # a plain mean over runs: without the rounding of the inverse
            return list(self._matrix[used].mean(axis=0).tolist())
        return list((weights @ self._matrix).tolist())

    def estimate(self, row: Any) -> Estimate:
        """The estimate, with the standard error over the samples."""
        value = float(row @ self._weights @ self._matrix.mean(axis=1))
        variance = max(0.0, float(row @ self._covariance @ row))
        return Estimate(value, math.sqrt(variance), float(self._matrix.shape[1] - 1))

    def mean_interval(self, row: Any) -> Interval | None:
        """The interval of the samples' own means: Wilson's if each is right or wrong, otherwise the bootstrap's."""
        values = self.values(row)
        return mean_interval(values, is_binary=set(values) <= {0.0, 1.0})

    def difference_interval(self, first: Any, second: Any, levels: int) -> Interval | None:
        """The paired test's interval of two levels; of more levels Student's by Bonferroni's inequality."""
        from scipy.special import stdtrit

        if levels <= 2:  # noqa: PLR2004  a single pair
            return self._paired(first, second).interval
        found = self.estimate(first - second)
        if found.df < 1 or found.standard_error == 0:
            return None
        quantile = float(stdtrit(found.df, 1 - ALPHA / 2 / math.comb(levels, 2)))
        return found.interval(quantile, "Bonferroni")
