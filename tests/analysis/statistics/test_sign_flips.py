"""P-values of flipped signs against SciPy, exact enumeration and many random draws."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

from support.tables import run_of, table_of
from tunebook.analysis.statistics import sign_flips
from tunebook.analysis.statistics.families import correct_family
from tunebook.analysis.statistics.paired_tests import mcnemar, sign_flip_test
from tunebook.analysis.statistics.pairwise import compare_runs
from tunebook.analysis.statistics.sign_flips import sign_flip_p_value


def enumerated(differences: Any) -> float:
    """The share of all patterns of signs whose sum is at least as far from 0."""
    count = len(differences)
    signs = 1 - 2 * ((np.arange(1 << count)[:, None] >> np.arange(count)) & 1)
    sums = np.abs(signs @ differences)
    return float((sums >= abs(differences.sum()) - 1e-9).mean())


@pytest.mark.parametrize("count", [1, 2, 5, 10, 16])
def test_few_differences_have_the_p_of_all_patterns(count: int) -> None:
    rng = np.random.default_rng(count)
    for differences in (rng.normal(0.5, 1, count), rng.integers(-2, 4, count) / 3):
        p, method = sign_flip_p_value(differences)
        assert method == "exact"
        assert p == pytest.approx(enumerated(differences[differences != 0]) if differences.any() else 1.0)


def test_few_differences_have_the_p_of_scipys_permutation_test() -> None:
    from scipy.stats import permutation_test

    differences = np.random.default_rng(1).normal(0.6, 1, 12)
    reference = permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=5000)
    assert sign_flip_p_value(differences)[0] == pytest.approx(reference.pvalue)


@pytest.mark.parametrize("unit", [1.0, 0.5, 1 / 3, 0.25 / 7, 100.0])
def test_differences_on_a_lattice_have_an_exact_p_in_every_tail(unit: float) -> None:
    """Equal differences are a binomial distribution, however small its tail."""
    from scipy.stats import binom

    gained, lost = 180, 20
    p, method = sign_flip_p_value(np.array([unit] * gained + [-unit] * lost + [0.0] * 30))
    assert method == "exact"
    assert p == pytest.approx(2 * binom.cdf(lost, gained + lost, 0.5), rel=1e-9)
    assert p < 1e-30
    first, second = [1.0] * gained + [0.0] * lost, [0.0] * gained + [1.0] * lost
    assert p == pytest.approx(mcnemar(first, second).p, rel=1e-9)


def test_a_lattice_of_several_sizes_agrees_with_enumeration() -> None:
    differences = np.random.default_rng(2).integers(-3, 6, 16) / 3
    differences = differences[differences != 0]
    lattice = sign_flips._lattice(np.sort(np.abs(differences))[::-1])
    assert lattice is not None
    steps = round(abs(differences.sum()) * 3)
    unit = round(float(np.abs(differences).sum() * 3) / int(lattice.sum()))
    share = sign_flips._share_by_convolution(tuple(lattice.tolist()), steps // unit)
    assert 2 * share == pytest.approx(enumerated(differences))


@pytest.mark.parametrize("shape", ["normal", "exponential", "lognormal", "dominated"])
def test_the_saddlepoint_is_within_a_few_percent_of_enumeration(shape: str) -> None:
    rng = np.random.default_rng(3)
    draws = {
        "normal": rng.normal(size=16),
        "exponential": rng.exponential(size=16),
        "lognormal": rng.lognormal(size=16),
    }
    draws["dominated"] = np.concatenate([10 * rng.normal(size=3), 0.1 * rng.normal(size=13)])
    sizes = np.sort(np.abs(draws[shape]))[::-1]
    signs = 1 - 2 * ((np.arange(1 << 16)[:, None] >> np.arange(16)) & 1)
    sums = signs @ sizes
    for deviations in (0.5, 1.0, 2.0, 2.5):
        observed = deviations * math.sqrt(float((sizes**2).sum()))
        exact = float((sums >= observed).mean())
        if exact > 1e-3:
            assert sign_flips._share_by_saddlepoint(sizes, observed) == pytest.approx(exact, rel=0.05)


def test_a_tail_of_many_differences_is_that_of_many_draws() -> None:
    rng = np.random.default_rng(4)
    differences = rng.gamma(1.0, size=60) * np.where(rng.random(60) < 0.7, 1, -1)
    differences *= 1 + 1e-3 * rng.random(60)
    p, method = sign_flip_p_value(differences)
    assert method == "saddlepoint"
    draws = 400_000
    sums = np.concatenate([(2 * rng.integers(0, 2, (50_000, 60), dtype=np.int8) - 1) @ differences for _ in range(8)])
    drawn = float((np.abs(sums) >= abs(differences.sum())).mean())
    assert 1e-4 < drawn < 1e-2
    assert p == pytest.approx(drawn, abs=4 * math.sqrt(drawn / draws) + 0.02 * drawn)


def test_a_p_is_never_zero() -> None:
    for count in (60, 3_000):
        same = np.full(count, 0.25)
        assert 0 < sign_flip_p_value(same)[0] < 1e-15
        assert 0 < mcnemar([1.0] * count, [0.0] * count).p < 1e-15
        assert 0 < sign_flip_p_value(same + 1e-3 * np.random.default_rng(5).random(count))[0] < 1e-15
    assert sign_flip_p_value(np.zeros(5)) == (1.0, "exact")
    assert sign_flip_p_value(np.array([0.3, -0.3] * 40)) == (1.0, "exact")


def test_two_hundred_runs_that_gain_58_points_are_all_significant() -> None:
    """Random draws gave no p below 1e-4, so that no test of 200 was significant after Holm's correction."""
    rng = random.Random(6)  # noqa: S311  no secret
    base = [0.2 * rng.random() for _ in range(40)]
    values = {"base": base}
    for number in range(200):
        values[f"r{number}"] = [value + 0.58 + 0.2 * (rng.random() - 0.5) for value in base]
    runs = [run_of(name, base=None if name == "base" else "base") for name in values]
    comparisons = compare_runs(table_of(values, runs), has_replicates=True)
    assert len(comparisons) == 200
    assert all(item.significant and item.family.size == 200 for item in comparisons)
    assert all(item.simultaneous is not None and item.simultaneous.low > 0 for item in comparisons)


def test_a_simultaneous_interval_is_wider_and_names_its_correction() -> None:
    test = sign_flip_test([0.1 * number for number in range(30)], [1.0] * 30)
    simultaneous = test.simultaneous(20)
    assert test.interval is not None
    assert simultaneous is not None
    assert simultaneous.low < test.interval.low
    assert simultaneous.high > test.interval.high
    assert (simultaneous.level, simultaneous.method.endswith("Bonferroni")) == (0.95, True)
    assert test.simultaneous(1) == test.interval
    right = mcnemar([1.0] * 20 + [0.0] * 20, [0.0] * 10 + [1.0] * 10 + [0.0] * 20)
    wide = right.simultaneous(20)
    assert right.interval is not None
    assert wide is not None
    assert (wide.low < right.interval.low, wide.high > right.interval.high) == (True, True)


def test_a_family_can_have_more_tests_than_are_shown() -> None:
    comparisons = compare_runs(table_of({"a": [1.0] * 9, "b": [0.0] * 9, "c": [1.0] * 8 + [0.0]}))
    one, two = comparisons
    assert one.family.size == two.family.size == 3
    assert one.p_holm == pytest.approx(3 * one.p)
    assert correct_family([one], "x")[0].p_holm == one.p
