"""How often the tests of effects find what does not exist, and how often their intervals cover the truth.

Simulates designs whose true means are known, with right and wrong answers of samples that differ in difficulty (so that
the runs' answers are correlated), and with scores that vary between seeds. Prints, for each design, the share of data
sets in which a test is significant at 5 % under no effect, the share in which any corrected test of the family of main
effects and interactions is (the family-wise error rate), and the coverage of 95 % intervals under effects. The figures
of these tables are in the docstring of :class:`tunebook.analysis.statistics.fits.SampleFit`.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from tunebook.analysis.records import FactorUse, RunRecord
from tunebook.analysis.statistics.fits import FactorTest, SampleFit, SeedFit
from tunebook.analysis.statistics.linear_model import LinearModel, build_model
from tunebook.analysis.statistics.trends import estimate_trend
from tunebook.core.plan import RunType

_ALPHA = 0.05
_PERCENT = 100

_Draw = Callable[[np.random.Generator, int], Any]
"""Makes the scores of this many runs, runs × samples."""


@dataclass(frozen=True)
class Design:
    """A factorial design, and how its scores come about.

    Attributes:
        truth: the true mean of all runs.
    """

    name: str
    factors: tuple[FactorUse, ...]
    seeds: int
    draw: _Draw
    truth: float

    @property
    def model(self) -> LinearModel:
        """The model of its runs."""
        runs = []
        for cell in product(*(factor.levels for factor in self.factors)):
            levels = dict(zip((factor.key for factor in self.factors), cell, strict=True))
            runs += [RunRecord("run", "run", RunType.FINE_TUNED, "model", levels=levels)] * self.seeds
        model = build_model(runs, self.factors)
        if model is None:
            raise ValueError(f"the factors of {self.name} cannot be separated")
        return model


def factor(name: str, count: int) -> FactorUse:
    """A factor with this many levels, powers of two."""
    return FactorUse(name, name, tuple(str(2**number) for number in range(count)))


def answers(share: float, spread: float, samples: int) -> _Draw:
    """Right (1) and wrong (0): each sample has a difficulty of its own, the same for all runs."""

    def draw(rng: np.random.Generator, runs: int) -> Any:
        ease = np.clip(share + spread * (rng.random(samples) - 0.5) * 2, 0, 1)
        return (rng.random((runs, samples)) < ease).astype(float)

    return draw


def scores(samples: int) -> _Draw:
    """Skewed continuous scores (log-normal) with a part that all runs of a sample share."""

    def draw(rng: np.random.Generator, runs: int) -> Any:
        return rng.lognormal(size=(runs, samples)) + rng.lognormal(size=samples)

    return draw


def fitted(design: Design, matrix: Any, model: LinearModel) -> SampleFit | SeedFit:
    """The fit that the analysis uses for this design."""
    return SeedFit(matrix.mean(axis=1).tolist(), model) if design.seeds > 1 else SampleFit(matrix, model)


def rows_of(model: LinearModel, key: str) -> list[Any]:
    """The rows of the means of a factor's levels."""
    return [model.row({key: level}) for level in model.codes[key]]


def tests_of(design: Design, fit: SampleFit | SeedFit) -> Iterator[tuple[str, FactorTest | None]]:
    """Each test of the family with its kind."""
    for each in design.factors:
        rows = rows_of(fit.model, each.key)
        yield ("two levels" if len(rows) == 2 else "more levels"), fit.test_equal(rows)  # noqa: PLR2004
    for one, two in combinations(design.factors, 2):
        yield "interaction", fit.test(fit.model.restriction((one.key, two.key)))


def error_rates(design: Design, repetitions: int, rng: np.random.Generator) -> Counter[str]:
    """How many data sets without an effect have a significant test, by its kind; ``any`` is after correction."""
    found: Counter[str] = Counter()
    model = design.model
    for _ in range(repetitions):
        fit = fitted(design, design.draw(rng, len(model.columns)), model)
        p_values = []
        for kind, test in tests_of(design, fit):
            found[f"{kind}: tests"] += 1
            if test is not None:
                p_values.append(test.p)
                found[kind] += test.p < _ALPHA
        for each in design.factors:
            trend = estimate_trend(each.key, each.key, list(model.codes[each.key]), fit)
            found["trend: tests"] += trend is not None
            found["trend"] += trend is not None and trend.test.p < _ALPHA
        found["any"] += min(p_values, default=1.0) * len(p_values) < _ALPHA  # Holm's first step
    return found


def coverage(design: Design, repetitions: int, rng: np.random.Generator) -> tuple[float, float]:
    """How often the interval of a mean covers it, and how often all simultaneous intervals cover their differences.

    All runs have the same true mean, so that the true differences are 0.
    """
    model = design.model
    means = all_pairs = 0
    for _ in range(repetitions):
        fit = fitted(design, design.draw(rng, len(model.columns)), model)
        rows = rows_of(model, design.factors[-1].key)
        interval = fit.mean_interval(rows[0])
        means += interval is None or interval.low <= design.truth <= interval.high
        all_pairs += _covers_all(fit, rows)
    return means / repetitions, all_pairs / repetitions


def _covers_all(fit: SampleFit | SeedFit, rows: Sequence[Any]) -> bool:
    for one, other in combinations(rows, 2):
        interval = fit.difference_interval(one, other, levels=len(rows))
        if interval is not None and not interval.low <= 0 <= interval.high:
            return False
    return True


def designs() -> list[Design]:
    """The designs: few and many samples, chance and rare answers, equal and different samples, seeds."""
    found = []
    plain, wide = (factor("rate", 2), factor("rank", 3)), (factor("rank", 8),)
    for samples in (10, 20, 50, 200):
        found += [
            Design(f"2 × 3, {samples} samples, chance", plain, 1, answers(0.5, 0.0, samples), 0.5),
            Design(f"2 × 3, {samples} samples, correlated", plain, 1, answers(0.5, 0.5, samples), 0.5),
            Design(f"2 × 3, {samples} samples, 5 % right", plain, 1, answers(0.05, 0.05, samples), 0.05),
            Design(f"2 × 3, {samples} samples, skewed", plain, 1, scores(samples), 2 * math.exp(0.5)),
        ]
    for samples in (20, 100):
        found += [Design(f"8 levels, {samples} samples, correlated", wide, 1, answers(0.5, 0.5, samples), 0.5)]
    for seeds in (2, 3):
        found += [
            Design(f"2 × 3, {seeds} seeds, chance", plain, seeds, answers(0.5, 0.0, 100), 0.5),
            Design(f"2 × 3, {seeds} seeds, 5 % right", plain, seeds, answers(0.05, 0.0, 100), 0.05),
        ]
    return found


def main() -> None:
    """Prints a table, one row per design, in percent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2000)
    given = parser.parse_args()
    kinds = ("two levels", "more levels", "interaction", "trend")
    print(f"{'in %, ' + str(given.repetitions) + ' data sets':<34}", *(f"{kind:>12}" for kind in kinds), end="")
    print(f"{'any, Holm':>12}{'mean cov.':>12}{'pairs cov.':>12}")
    for number, design in enumerate(designs()):
        rng = np.random.default_rng(number)
        rates = error_rates(design, given.repetitions, rng)
        shown = [_PERCENT * rates[kind] / max(1, rates[f"{kind}: tests"]) for kind in kinds]
        shown.append(_PERCENT * rates["any"] / given.repetitions)
        shown += [_PERCENT * share for share in coverage(design, given.repetitions, rng)]
        print(f"{design.name:<34}", *(f"{share:12.1f}" for share in shown), flush=True)


if __name__ == "__main__":
    main()
