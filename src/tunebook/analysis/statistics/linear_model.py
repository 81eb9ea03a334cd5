"""A linear model of the runs' scores, with sum-coded columns for each factor, and its Wald test over samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from tunebook.analysis.records import FactorUse, RunRecord

__all__ = ["LinearModel", "Wald", "build_model", "clustered_wald"]

_MOST_COLUMNS = 400  # beyond it, interactions are left out


@dataclass(frozen=True)
class Wald:
    """A Wald test: F with its degrees of freedom."""

    f: float
    df: tuple[float, float]
    p: float


@dataclass
class LinearModel:
    """The model's columns, one row per run; each term has some of the columns.

    Attributes:
        columns: runs × columns, the first for the grand mean.
        terms: the keys of one or two factors to the places of their columns.
    """

    columns: Any
    terms: dict[tuple[str, ...], range] = field(default_factory=dict)

    def add(self, factors: tuple[str, ...], columns: Any) -> bool:
        """Adds a term, unless its columns depend on those of the model; returns whether it was added."""
        import numpy as np

        wider = np.column_stack([self.columns, columns])
        if np.linalg.matrix_rank(wider) < wider.shape[1]:
            return False
        self.terms[factors] = range(self.columns.shape[1], wider.shape[1])
        self.columns = wider
        return True

    def restriction(self, factors: tuple[str, ...]) -> Any:
        """The hypothesis that a term has no effect: one row per column of the term, with a 1 in its place."""
        import numpy as np

        return np.eye(self.columns.shape[1])[list(self.terms[factors])]


def build_model(runs: Sequence[RunRecord], treatments: Sequence[FactorUse]) -> LinearModel | None:
    """The model of all main effects, and of the interactions of two factors that the runs allow to estimate.

    Factors of which only one level has runs are left out, and so are interactions of which some combination of levels
    has no run. Returns ``None`` if the main effects cannot be separated.
    """
    import numpy as np

    model = LinearModel(np.ones((len(runs), 1)))
    mains = {}
    for factor in treatments:
        columns = _sum_coded(runs, factor)
        if columns.shape[1]:
            mains[factor.key] = columns
            if not model.add((factor.key,), columns):
                return None
    for one, two in combinations(mains, 2):
        products = np.einsum("ij,ik->ijk", mains[one], mains[two]).reshape(len(runs), -1)
        if model.columns.shape[1] + products.shape[1] <= _MOST_COLUMNS:
            model.add((one, two), products)
    return model


def _sum_coded(runs: Sequence[RunRecord], factor: FactorUse) -> Any:
    """One column per level but the last, which is -1 in all columns; so effects are deviations from the grand mean."""
    import numpy as np

    of_runs = [run.levels.get(factor.key) for run in runs]
    levels = [level for level in factor.levels if level in of_runs]
    columns = np.zeros((len(runs), len(levels) - 1))
    for row, level in enumerate(of_runs):
        if level == levels[-1]:
            columns[row] = -1
        elif level in levels:
            columns[row, levels.index(level)] = 1
    return columns


def clustered_wald(matrix: Any, columns: Any, restriction: Any) -> Wald | None:
    r"""Wald test of R β = 0 in y = Xβ + e by least squares, with errors that are correlated within each sample.

    ``matrix`` holds the scores, runs × samples; ``columns`` is X for the runs, the same for each sample, since every
    run answers every sample. Then β̂ = (X'X)⁻¹ X'ȳ with the runs' means ȳ; sample i contributes uᵢ = X'(yᵢ - Xβ̂) to the
    middle of the sandwich V = c (nX'X)⁻¹ (Σ uᵢuᵢ') (nX'X)⁻¹, with the usual c = n/(n - 1) · (N - 1)/(N - K) for N
    scores, K columns and n clusters. Since the q tested coefficients are means over the samples,
    W = (Rβ̂)'(RVR')⁻¹(Rβ̂) is Hotelling's T²: F = W (n - q)/(q (n - 1)) on q and n - q degrees of freedom. W/q on q and
    n - 1 would detect effects that do not exist: with 8 levels and 20 samples in 17 % of all cases, not in 5 %.

    Our own because statsmodels' ``OLS(...).fit(cov_type="cluster")``, which computes the same V, needs one row per
    score and does not have these degrees of freedom. Measured for 1,000 runs, 100 samples and 13 columns: 0.2 s and
    160 MB, here 1 ms and no copy of the columns, of which there may be 400.

    Source: H. Hotelling (1931), Annals of Mathematical Statistics 2:360-378; K.-Y. Liang and S. L. Zeger (1986),
    Biometrika 73:13-22; A. C. Cameron and D. L. Miller (2015), A Practitioner's Guide to Cluster-Robust Inference,
    Journal of Human Resources 50:317-372, equations 10 to 12.

    Returns:
        ``None`` with fewer samples than the test needs, or if the samples' scores do not vary in its direction.
    """
    import numpy as np
    from scipy.special import fdtrc

    runs, samples = matrix.shape
    scores, width, tested = runs * samples, columns.shape[1], len(restriction)
    if samples <= tested + 1 or scores <= width:
        return None
    bread = np.linalg.inv(columns.T @ columns)
    beta = bread @ columns.T @ matrix.mean(axis=1)
    contributions = columns.T @ (matrix - (columns @ beta)[:, None])
    correction = samples / (samples - 1) * (scores - 1) / (scores - width)
    covariance = correction * (bread @ (contributions @ contributions.T) @ bread) / samples**2
    middle = restriction @ covariance @ restriction.T
    scale = float(np.abs(middle).max())
    if scale < 1e-18 or np.linalg.matrix_rank(middle / scale, tol=1e-10) < tested:  # noqa: PLR2004  rounding
        return None
    effect = restriction @ beta
    wald = float(effect @ np.linalg.solve(middle, effect))
    f = wald * (samples - tested) / (tested * (samples - 1))
    df = (float(tested), float(samples - tested))
    return Wald(f, df, float(fdtrc(*df, f)))
