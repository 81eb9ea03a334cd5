"""The balance of a design: how many scored runs each combination of the treatments' levels has."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

from tunebook.analysis.records import FactorUse, RunRecord

__all__ = ["Balance", "balance_of", "treatments_of"]


def treatments_of(factors: Sequence[FactorUse]) -> list[FactorUse]:
    """The factors that are not repetitions."""
    return [factor for factor in factors if not factor.is_seed]


@dataclass(frozen=True)
class Balance:
    """How many runs each combination of levels has; combinations without a run are not among the ``counts``.

    Attributes:
        treatments: the factors that are not repetitions.
    """

    treatments: tuple[FactorUse, ...]
    counts: dict[tuple[str | None, ...], int]

    @property
    def cells(self) -> int:
        """How many combinations of levels there are."""
        return math.prod(len(factor.levels) for factor in self.treatments)

    @property
    def missing(self) -> int:
        """How many combinations have no run."""
        return self.cells - len(self.counts)

    @property
    def is_balanced(self) -> bool:
        """Whether every combination has the same number of runs, and at least one."""
        return bool(self.treatments) and self.missing == 0 and len(set(self.counts.values())) == 1

    def missing_cells(self, most: int) -> list[tuple[str, ...]]:
        """The first combinations without a run."""
        return list(islice(self._missing_cells(), most))

    def _missing_cells(self) -> Iterator[tuple[str, ...]]:
        for cell in product(*(factor.levels for factor in self.treatments)):
            if cell not in self.counts:
                yield cell


def balance_of(runs: Iterable[RunRecord], factors: Sequence[FactorUse]) -> Balance:
    """The balance of these runs over the treatments.

    Args:
        runs: those that have a score: a planned run without one is missing from every mean and every test.
        factors: the varied ones, with all planned levels.
    """
    treatments = treatments_of(factors)
    counts: Counter[tuple[str | None, ...]] = Counter()
    for run in runs:
        counts[tuple(run.levels.get(factor.key) for factor in treatments)] += 1
    return Balance(tuple(treatments), dict(counts))
