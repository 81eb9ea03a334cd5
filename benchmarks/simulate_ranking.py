"""How far the best setting's value is from its true value: raw, and corrected for being chosen for it.

Prints for several designs the mean error of both, with the standard error of the second. The figures are in the
docstring of ``cross_fitted_value``. Takes about ten seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tunebook.analysis.records import Measure
from tunebook.analysis.statistics.ranking import cross_fitted_value
from tunebook.core.measures import Direction

_MEASURE = Measure("exact", Direction.HIGHER, is_share=True)
_REPETITIONS = 1_000
_HARDNESS = 1.5
_LUCK = 0.2


@dataclass(frozen=True)
class Design:
    """Settings that are equally good, but for the first, which is better by ``gain`` (in logits)."""

    settings: int
    seeds: int
    gain: float = 0.0
    samples: int = 100

    @property
    def luck(self) -> float:
        """The standard deviation between seeds, in logits."""
        return _LUCK if self.seeds > 1 else 0.0

    def true_value(self, setting: int) -> float:
        """The mean chance over all samples and seeds."""
        points, weights = np.polynomial.hermite_e.hermegauss(41)
        skill = self.gain if setting == 0 else 0.0
        chances = 1 / (1 + np.exp(points * np.hypot(_HARDNESS, self.luck) - skill))
        return float((weights * chances).sum() / weights.sum())


DESIGNS = (
    Design(10, 1),
    Design(50, 1),
    Design(10, 1, 0.5),
    Design(10, 1, 1.5),
    Design(6, 3),
    Design(6, 3, 0.5),
    Design(6, 3, 1.5),
)


def simulate(design: Design, random: Any) -> tuple[float, float]:
    """One experiment: the error of the best value, and of the corrected one."""
    runs = design.settings * design.seeds
    hardness = _HARDNESS * random.normal(size=design.samples)
    skills = design.luck * random.normal(size=runs)
    skills[: design.seeds] += design.gain
    chances = 1 / (1 + np.exp(hardness - skills[:, None]))
    matrix = (random.random(chances.shape) < chances).astype(float)
    places = [range(first, first + design.seeds) for first in range(0, runs, design.seeds)]
    values = [float(matrix[rows].mean()) for rows in places]
    best = int(np.argmax(values))
    true_value = design.true_value(best)
    return values[best] - true_value, cross_fitted_value(matrix, places, _MEASURE) - true_value


def main() -> None:
    """All designs."""
    for design in DESIGNS:
        random = np.random.default_rng(5)
        raw, corrected = np.array([simulate(design, random) for _ in range(_REPETITIONS)]).T
        error = corrected.std() / np.sqrt(_REPETITIONS)
        print(f"{design}: raw {raw.mean():+.4f}, corrected {corrected.mean():+.4f} ± {error:.4f}")


if __name__ == "__main__":
    main()
