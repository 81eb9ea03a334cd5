"""Paired tests, their intervals and Holm's correction, against published examples, SciPy and statsmodels."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.statistics.families import correct_family
from tunebook.analysis.statistics.paired_tests import (
    holm,
    mcnemar,
    paired_difference_interval,
    paired_test,
    sign_flip_test,
)

ZERO_ONE = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=60)


def test_mcnemars_test_is_agrestis_example_made_exact() -> None:
    """A. Agresti (2013), Categorical Data Analysis, table 11.1: approval of a leader, asked twice."""
    from scipy.stats import binomtest
    from statsmodels.stats.contingency_tables import mcnemar as reference

    first = [1.0] * (794 + 150) + [0.0] * (86 + 570)
    second = [1.0] * 794 + [0.0] * 150 + [1.0] * 86 + [0.0] * 570
    test = mcnemar(first, second)
    assert (test.gained, test.lost) == (150, 86)
    assert test.p == pytest.approx(reference([[794, 150], [86, 570]], exact=True).pvalue)
    assert test.p == pytest.approx(binomtest(86, 236).pvalue)
    assert test.p < 0.0001  # Agresti: z = -4.17
    assert test.difference == pytest.approx(0.04)
    assert test.interval is not None
    assert (test.interval.low, test.interval.high) == pytest.approx((0.02, 0.06), abs=0.002)  # Agresti: 0.02 to 0.06


@pytest.mark.parametrize(
    ("both", "gained", "lost", "neither", "expected"),
    [(36, 12, 2, 0, (0.0569, 0.3404)), (54, 0, 0, 0, (-0.0664, 0.0664))],
)
def test_the_interval_of_a_paired_difference_is_newcombes_method_10(
    both: int, gained: int, lost: int, neither: int, expected: tuple[float, float]
) -> None:
    """R. G. Newcombe (1998), Statistics in Medicine 17:2635-2650, table II, method 10."""
    n = both + gained + lost + neither
    interval = paired_difference_interval(both, gained, lost, n)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(expected, abs=5e-5)


@settings(max_examples=60, deadline=None)
@given(ZERO_ONE)
def test_mcnemar_is_statsmodels_for_any_table(pairs: list[tuple[float, float]]) -> None:
    from statsmodels.stats.contingency_tables import mcnemar as reference

    first, second = [one for one, _ in pairs], [two for _, two in pairs]
    counts = [[pairs.count((1.0, 1.0)), pairs.count((1.0, 0.0))], [pairs.count((0.0, 1.0)), pairs.count((0.0, 0.0))]]
    test = paired_test(first, second)
    assert test.name == "McNemar, exact"
    assert test.p == pytest.approx(min(1.0, reference(counts, exact=True).pvalue))
    assert test.interval is not None
    assert -1 <= test.interval.low <= test.difference + 1e-12
    assert test.difference - 1e-12 <= test.interval.high <= 1
    back = paired_test(second, first)
    assert (back.difference, back.p) == (-test.difference, test.p)
    assert back.interval is not None
    assert (back.interval.low, back.interval.high) == pytest.approx((-test.interval.high, -test.interval.low))


@pytest.mark.parametrize(
    ("first", "second", "p", "difference"),
    [
        ([1.0], [1.0], 1.0, 0.0),  # one sample
        ([1.0], [0.0], 1.0, 1.0),
        ([1.0] * 40, [1.0] * 40, 1.0, 0.0),  # all right
        ([0.0] * 40, [0.0] * 40, 1.0, 0.0),  # all wrong
        ([1.0] * 6, [0.0] * 6, 0.03125, 1.0),
    ],
)
def test_edges_of_right_and_wrong(first: list[float], second: list[float], p: float, difference: float) -> None:
    test = paired_test(first, second)
    assert test.p == pytest.approx(p)
    assert test.difference == pytest.approx(difference)


def test_the_sign_flip_test_agrees_with_scipys_permutation_test_and_t_test() -> None:
    from scipy.stats import permutation_test, ttest_rel

    rng = random.Random(3)  # noqa: S311
    first = [rng.gauss(0.6, 0.2) for _ in range(60)]
    second = [value - rng.gauss(0.04, 0.15) for value in first]
    test = sign_flip_test(first, second)
    assert test.name == "sign-flip, saddlepoint"
    reference = permutation_test(
        (first, second), lambda x, y, axis: (x - y).mean(axis=axis), permutation_type="samples", n_resamples=9999, rng=1
    )
    assert test.p == pytest.approx(reference.pvalue, abs=0.02)
    against = ttest_rel(first, second)
    assert test.p == pytest.approx(against.pvalue, abs=0.02)
    assert test.interval is not None
    limits = against.confidence_interval()
    assert (test.interval.low, test.interval.high) == pytest.approx((limits.low, limits.high), abs=0.01)


@pytest.mark.parametrize(
    ("first", "second", "p", "difference", "limits"),
    [
        ([0.5, 0.25], [0.5, 0.25], 1.0, 0.0, (0.0, 0.0)),  # all ties
        ([0.5], [0.25], 1.0, 0.25, None),  # one pair
        ([0.75] * 8, [0.5] * 8, 2 / 2**8, 0.25, None),  # all alike: nothing to draw from
    ],
)
def test_edges_of_other_scores(
    first: list[float], second: list[float], p: float, difference: float, limits: tuple[float, float] | None
) -> None:
    test = paired_test(first, second)
    assert test.p == pytest.approx(p)
    assert test.difference == difference
    assert (test.interval and (test.interval.low, test.interval.high)) == limits
    assert test.name == "sign-flip, exact"


def test_few_pairs_have_the_p_of_all_their_signs() -> None:
    """Two pairs that differ cannot be significant, whatever they are; five cannot be below 2/32."""
    from scipy.stats import permutation_test

    assert sign_flip_test([0.1, 0.2], [0.0, 0.0]).p == 0.5
    first, second = [0.3, 0.9, 0.4, 1.0, 0.5, 0.25, 0.75], [0.0, 0.5, 0.5, 0.25, 0.0, 0.25, 0.0]
    reference = permutation_test(
        (first, second),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=100_000,
    )
    assert sign_flip_test(first, second).p == pytest.approx(reference.pvalue)
    ones = ([1.0] * 9 + [0.0] * 31, [0.0] * 8 + [1.0] * 2 + [0.0] * 30)
    assert sign_flip_test(*ones).p == pytest.approx(mcnemar(*ones).p)


@pytest.mark.parametrize("count", [5, 10, 20])
def test_no_difference_is_found_no_more_often_than_the_level_says(count: int) -> None:
    """Under no difference p is below 0.05 in at most about 5 % of all data sets, and the interval holds 0 in 95 %."""
    import numpy as np

    rng = np.random.default_rng(4)
    tests = [sign_flip_test(rng.normal(size=count).tolist(), [0.0] * count) for _ in range(200)]
    assert sum(test.p < 0.05 for test in tests) <= 18
    held = sum(test.interval is not None and test.interval.low <= 0 <= test.interval.high for test in tests)
    assert 178 <= held <= 199


def test_scores_that_cannot_be_paired_are_an_error() -> None:
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_test([1.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="cannot be paired"):
        paired_test([], [])


def test_holms_correction_by_hand() -> None:
    """The step-down of S. Holm (1979): 0.005·4, 0.01·3, 0.03·2, 0.04·1 and never downwards."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=30))
def test_corrected_p_values_keep_their_order_and_are_at_least_as_large(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(p <= after <= 1 for p, after in zip(p_values, corrected, strict=True))
    by_p = [after for _, after in sorted(zip(p_values, corrected, strict=True))]
    assert by_p == sorted(by_p)
    if p_values:
        assert min(corrected) == pytest.approx(min(1.0, len(p_values) * min(p_values)))


def test_comparisons_without_a_test_stay_out_of_the_family() -> None:
    tested, untested = (
        Effect("t", "m", ("a",), ("A",), p=0.03),
        Effect("t", "m", ("b",), ("B",), note="too few samples"),
    )
    corrected = correct_family([tested, untested, replace(tested, p=0.01)], "effects")
    assert [(item.p_holm, item.significant) for item in corrected] == [(0.03, True), (None, None), (0.02, True)]
    assert corrected[1] == untested
