"""How often all simultaneous intervals of a family of comparisons contain the true difference: 95 % is wanted.

Prints one row per kind of scores and number of samples, for families of 20 and of 200 independent comparisons. The
figures are in the docstring of ``PairedTest.simultaneous``. Takes about a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tunebook.analysis.statistics.paired_tests import PairedTest, paired_test

_FAMILIES = (20, 200)
_REPETITIONS = 4_000


def _right_and_wrong(random: Any, n: int) -> tuple[Any, Any]:
    """Two runs that answer the same samples; each sample is as hard for both."""
    chances = random.beta(2, 1, size=n)
    return (random.random(n) < chances).astype(float), (random.random(n) < chances).astype(float)


def _grades(random: Any, n: int) -> tuple[Any, Any]:
    return tuple(random.choice([0, 0.5, 1], p=[0.2, 0.3, 0.5], size=(2, n)))


def _normal(random: Any, n: int) -> tuple[Any, Any]:
    return tuple(random.normal(size=(2, n)))


def _exponential(random: Any, n: int) -> tuple[Any, Any]:
    return random.exponential(size=n), np.ones(n)


def _errors(random: Any, n: int) -> tuple[Any, Any]:
    """Errors of two runs on the same samples, one twice as large as the other on average."""
    sizes = random.exponential(size=n)
    return sizes * random.uniform(1, 3, size=n) - 1, sizes * random.uniform(0.5, 1.5, size=n)


_KINDS: dict[str, Callable[[Any, int], tuple[Any, Any]]] = {
    "right and wrong": _right_and_wrong,
    "grades": _grades,
    "normal": _normal,
    "skewed (exponential)": _exponential,
    "skewed (errors, one twice as large)": _errors,
}


def main() -> None:
    """Every difference is 0 on average."""
    for name, draw in _KINDS.items():
        for n in (30, 100):
            random = np.random.default_rng(5)
            tests = [paired_test(*map(list, draw(random, n))) for _ in range(_REPETITIONS)]
            shares = [f"{_held(tests, size):.3f}" for size in _FAMILIES]
            print(f"{name:36} n = {n:4}  {'  '.join(shares)}")


def _held(tests: list[PairedTest], size: int) -> float:
    """The chance that all of so many independent intervals contain 0."""
    intervals = [test.simultaneous(size) for test in tests]
    held = sum(each is not None and each.low <= 0 <= each.high for each in intervals)
    return float((held / len(tests)) ** size)


if __name__ == "__main__":
    main()
