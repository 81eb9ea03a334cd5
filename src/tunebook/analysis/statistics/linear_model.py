"""The linear model of the varied factors: columns of main effects and interactions of two, and rows for their means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from tunebook.analysis.records import FactorUse, RunRecord

__all__ = ["LinearModel", "build_model"]

_MOST_COLUMNS = 400  # beyond it, interactions are left out


@dataclass
class LinearModel:
    """The model's columns, one row per run; each term has some of the columns.

    Attributes:
        columns: runs × columns, the first for the grand mean.
        terms: the keys of one or two factors to the places of their columns.
        codes: a factor's key to its levels that have runs, each with its values in the columns of the main effect.
    """

    columns: Any
    terms: dict[tuple[str, ...], range] = field(default_factory=dict)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)

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

    def row(self, levels: Mapping[str, str]) -> Any:
        """The combination of coefficients that is the estimated marginal mean at these levels of one or two factors.

        The levels of every other factor have equal weight, however many runs they have. Deviations from the grand mean
        sum to 0 over the levels of a factor, so that the columns of the other factors drop out.

        Source: S. R. Searle, F. M. Speed and G. A. Milliken (1980), Population Marginal Means in the Linear Model: An
        Alternative to Least Squares Means, The American Statistician 34:216-221.
        """
        import numpy as np

        row = np.zeros(self.columns.shape[1])
        row[0] = 1
        for key, level in levels.items():
            row[list(self.terms[key,])] = self.codes[key][level]
        for one, two in combinations(levels, 2):
            if (one, two) in self.terms:
                products = np.outer(self.codes[one][levels[one]], self.codes[two][levels[two]])
                row[list(self.terms[one, two])] = products.ravel()
        return row


def build_model(runs: Sequence[RunRecord], treatments: Sequence[FactorUse]) -> LinearModel | None:
    """The model of all main effects, and of the interactions of two factors that the runs allow to estimate.

    Factors of which only one level has runs are left out, and so are interactions of which some combination of levels
    has no run. Returns ``None`` if the main effects cannot be separated.
    """
    import numpy as np

    model = LinearModel(np.ones((len(runs), 1)))
    mains = {}
    for factor in treatments:
        codes = _sum_codes(runs, factor)
        if len(codes) > 1:
            columns = _columns(runs, factor, codes)
            model.codes[factor.key] = codes
            mains[factor.key] = columns
            if not model.add((factor.key,), columns):
                return None
    for one, two in combinations(mains, 2):
        products = np.einsum("ij,ik->ijk", mains[one], mains[two]).reshape(len(runs), -1)
        if model.columns.shape[1] + products.shape[1] <= _MOST_COLUMNS:
            model.add((one, two), products)
    return model


def _sum_codes(runs: Sequence[RunRecord], factor: FactorUse) -> dict[str, Any]:
    """Each level that has runs: a 1 in its own column; the last level has no column and is -1 in all of them."""
    import numpy as np

    of_runs = {run.levels.get(factor.key) for run in runs}
    levels = [level for level in factor.levels if level in of_runs]
    width = max(0, len(levels) - 1)
    codes = dict(zip(levels, np.eye(width), strict=False))
    if levels:
        codes[levels[-1]] = -np.ones(width)
    return codes


def _columns(runs: Sequence[RunRecord], factor: FactorUse, codes: Mapping[str, Any]) -> Any:
    """One row per run; a run without a level of the factor counts as the mean of all levels."""
    import numpy as np

    without = np.zeros(len(codes) - 1)
    return np.array([codes.get(run.levels.get(factor.key, ""), without) for run in runs])
