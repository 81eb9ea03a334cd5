"""Intervals against published examples, SciPy and statsmodels."""

from __future__ import annotations

import math

import pytest

from tunebook.analysis.records import Interval
from tunebook.analysis.statistics import intervals
from tunebook.analysis.statistics.intervals import (
    bootstrap_interval,
    bootstrap_means,
    mean_interval,
    student_interval,
    wilson_interval,
)


def rounded(interval: Interval | None, digits: int = 4) -> tuple[float, float]:
    assert interval is not None
    return round(interval.low, digits), round(interval.high, digits)


@pytest.mark.parametrize(
    ("successes", "n", "expected"),
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilsons_interval_is_newcombes_method_3(successes: int, n: int, expected: tuple[float, float]) -> None:
    """R. G. Newcombe (1998), Statistics in Medicine 17:857-872, table I, method 3."""
    assert rounded(wilson_interval(successes, n)) == expected


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 40), (40, 40), (7, 40), (500, 1000)])
def test_wilsons_interval_is_scipys(successes: int, n: int) -> None:
    from scipy.stats import binomtest

    interval = wilson_interval(successes, n)
    assert interval is not None
    other = binomtest(successes, n).proportion_ci(0.95, "wilson")
    assert (interval.low, interval.high) == pytest.approx((other.low, other.high), abs=1e-12)


def test_no_observation_has_no_interval() -> None:
    assert wilson_interval(0, 0) is None
    assert mean_interval([], is_binary=True) is None
    assert mean_interval([], is_binary=False) is None
    assert bootstrap_interval([0.5]) is None
    assert student_interval([0.5]) is None


def test_the_bootstraps_interval_is_scipys_but_for_chance() -> None:
    from scipy.stats import bootstrap

    values = [math.sin(number) ** 2 for number in range(80)]
    ours = bootstrap_interval(values)
    theirs = bootstrap((values,), lambda x, axis: x.mean(axis=axis), method="percentile", n_resamples=9999, rng=1)
    assert ours is not None
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.005)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.005)


def test_the_bootstrap_draws_the_same_every_time_and_for_every_size() -> None:
    import numpy as np

    values = [float(number) for number in range(50)]
    first = bootstrap_means(values)
    intervals._kept_draws.cache_clear()
    assert np.array_equal(first, bootstrap_means(values))
    assert first.shape == (9_999,)
    large = bootstrap_means([0.0, 1.0] * 1_500)
    assert large.mean() == pytest.approx(0.5, abs=0.001)
    assert large.std() == pytest.approx(0.5 / math.sqrt(3_000), rel=0.03)


def test_students_interval_is_students_own_example() -> None:
    """Student (1908), Biometrika 6, the additional hours of sleep with laevo-hyoscyamine: mean 2.33, s 2.002, n 10."""
    sleep = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    assert rounded(student_interval(sleep)) == (0.8977, 3.7623)


def test_equal_values_have_a_students_interval_of_width_zero() -> None:
    assert student_interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5, "Student t")
