"""Evidence for and against claims: the same numbers as SciPy's and statsmodels' tests, and published examples."""

from __future__ import annotations

import math
import random

import pytest
from scipy import stats
from scipy.optimize import minimize_scalar
from statsmodels.stats.proportion import test_proportions_2indep as proportions
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

from tunebook.analysis.statistics.claims import (
    Claim,
    ClaimKind,
    NoEvidenceError,
    RunEvidence,
)
from tunebook.analysis.statistics.paired_tests import paired_test
from tunebook.analysis.statistics.sample_evidence import evidence_of_pairs, evidence_of_samples
from tunebook.analysis.statistics.settings import pooled_spread

ABOVE, BELOW, DIFFERENT = Claim(ClaimKind.ABOVE), Claim(ClaimKind.BELOW), Claim(ClaimKind.DIFFERENT)
DRAWN = random.Random(3)  # noqa: S311  no secret
FIRST = [DRAWN.gauss(0.4, 1) for _ in range(30)]
SECOND = [value + DRAWN.gauss(-0.3, 0.5) for value in FIRST]


def binary(both: int, gained: int, lost: int, neither: int) -> tuple[list[float], list[float]]:
    first = [1.0] * (both + gained) + [0.0] * (lost + neither)
    second = [1.0] * both + [0.0] * gained + [1.0] * lost + [0.0] * neither
    return first, second


def test_one_sided_tests_of_right_and_wrong_are_exact_binomial_tests() -> None:
    evidence = evidence_of_pairs(*binary(10, 9, 2, 10))
    above, below = (stats.binomtest(heads, 11, 0.5, alternative="greater").pvalue for heads in (9, 2))
    assert ABOVE.p(evidence) == pytest.approx(above)
    assert BELOW.p(evidence) == pytest.approx(below)
    assert DIFFERENT.p(evidence) == paired_test(*binary(10, 9, 2, 10)).p
    assert ABOVE.p_against(evidence) == pytest.approx(min(1, 2 * below))
    assert DIFFERENT.p_against(evidence) is None
    assert evidence.name(ABOVE) == "McNemar, exact, one-sided"
    assert ABOVE.p(evidence_of_pairs(*binary(5, 0, 0, 5))) == 1


def test_the_score_test_with_a_margin_gives_published_numbers() -> None:
    """Tango (1998): 43 pairs right in both, 0 and 1 discordant. Fagerland et al. (2013): 1, 1, 7 and 12 pairs."""
    tango = evidence_of_pairs(*binary(43, 0, 1, 0))
    assert stats.norm.isf(Claim(ClaimKind.ABOVE, -0.1).p(tango)) == pytest.approx(1.709, abs=1e-3)
    fagerland = evidence_of_pairs(*binary(1, 1, 7, 12)).interval(Claim(ClaimKind.ABOVE, -0.1))
    assert fagerland is not None
    assert (round(fagerland.low, 3), round(fagerland.high, 3), fagerland.level) == (-0.517, -0.026, 0.95)


@pytest.mark.parametrize(("gained", "lost", "n", "margin"), [(9, 2, 31, 0.1), (5, 5, 50, -0.2), (12, 2, 50, 0.05)])
def test_the_score_test_uses_the_likeliest_table_with_that_margin(
    gained: int, lost: int, n: int, margin: float
) -> None:
    def unlikelihood(q: float) -> float:
        same = n - gained - lost
        return -(gained * math.log(q + margin) + lost * math.log(q) + same * math.log(1 - 2 * q - margin))

    bounds = (max(0.0, -margin) + 1e-12, (1 - margin) / 2 - 1e-12)
    q = float(minimize_scalar(unlikelihood, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x)
    score = (gained - lost - n * margin) / math.sqrt(n * (2 * q + margin * (1 - margin)))
    evidence = evidence_of_pairs(*binary(n - gained - lost, gained, lost, 0))
    assert evidence.p_above(margin) == pytest.approx(stats.norm.sf(score), abs=1e-6)


@pytest.mark.parametrize("table", [(20, 5, 5, 20), (40, 0, 0, 10), (0, 30, 0, 0), (0, 0, 30, 0), (3, 9, 0, 1)])
def test_an_interval_ends_where_the_test_of_its_end_decides(table: tuple[int, int, int, int]) -> None:
    evidence = evidence_of_pairs(*binary(*table))
    interval = evidence.interval(Claim(ClaimKind.WITHIN, 0.1))
    assert interval is not None
    assert interval.low <= evidence.difference <= interval.high
    if interval.low > -0.999:
        assert evidence.p_above(interval.low) == pytest.approx(0.05, abs=1e-6)
    if interval.high < 0.999:
        assert evidence.p_below(interval.high) == pytest.approx(0.05, abs=1e-6)


def test_equivalence_of_numbers_on_the_same_samples_is_that_of_statsmodels() -> None:
    evidence = evidence_of_pairs(FIRST, SECOND)
    import numpy as np

    for margin in (0.2, 0.5, 0.9):
        expected = ttost_paired(np.array(FIRST), np.array(SECOND), -margin, margin)[0]
        assert Claim(ClaimKind.WITHIN, margin).p(evidence) == pytest.approx(expected)
    claim = Claim(ClaimKind.WITHIN, 0.5)
    interval = evidence.interval(claim)
    assert interval is not None
    expected_interval = stats.ttest_rel(FIRST, SECOND).confidence_interval(0.9)
    assert (interval.low, interval.high) == pytest.approx(tuple(expected_interval))
    against = stats.ttest_1samp([one - other for one, other in zip(FIRST, SECOND, strict=True)], 0.1)
    assert Claim(ClaimKind.WITHIN, 0.1).p_against(evidence) == pytest.approx(against.pvalue)
    assert evidence.name(claim) == "paired t-test over samples, two one-sided tests"


def test_one_sided_tests_of_numbers_are_half_of_the_two_sided_one() -> None:
    evidence, two_sided = evidence_of_pairs(FIRST, SECOND), paired_test(FIRST, SECOND).p
    assert evidence.difference > 0
    assert (ABOVE.p(evidence), BELOW.p(evidence)) == (two_sided / 2, 1 - two_sided / 2)
    assert BELOW.p_against(evidence) == pytest.approx(two_sided)


def test_numbers_of_different_samples_are_compared_by_welchs_test() -> None:
    one, other = [0.7, 0.74, 0.8], [0.6, 0.66, 0.61, 0.65]
    evidence = evidence_of_samples(one, other)
    expected = stats.ttest_ind(one, other, equal_var=False)
    assert DIFFERENT.p(evidence) == pytest.approx(expected.pvalue)
    greater = stats.ttest_ind(one, other, equal_var=False, alternative="greater").pvalue
    assert ABOVE.p(evidence) == pytest.approx(greater)
    interval = evidence.interval(ABOVE)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    tost = ttost_ind(one, other, -0.2, 0.2, usevar="unequal")[0]
    assert Claim(ClaimKind.WITHIN, 0.2).p(evidence) == pytest.approx(tost)
    assert (evidence.generalizes, evidence.name(ABOVE)) == ("samples", "Welch's t-test over samples, one-sided")


def test_runs_of_two_settings_are_compared_by_students_test_if_there_are_no_others() -> None:
    one, other = [0.7, 0.74, 0.8], [0.6, 0.66, 0.61, 0.65]
    evidence = RunEvidence.pooled([(one, other)], pooled_spread([one, other]))
    assert DIFFERENT.p(evidence) == pytest.approx(stats.ttest_ind(one, other).pvalue)
    with pytest.raises(NoEvidenceError, match="single seed"):
        RunEvidence.pooled([([0.5], other)], (0.01, 3))


def test_several_combinations_of_other_factors_are_a_contrast_of_means() -> None:
    """Two equal cells are one cell's difference with half its variance, and with twice its degrees of freedom."""
    cell = ([0.7, 0.74, 0.8], [0.6, 0.66, 0.61])
    one, two = RunEvidence.of_same_runs([cell]), RunEvidence.of_same_runs([cell, cell])
    assert two.difference == pytest.approx(one.difference)
    assert (two.error, two.df) == pytest.approx((one.error / math.sqrt(2), 2 * one.df))


def test_two_scores_of_the_same_runs_are_a_paired_test() -> None:
    one, other = [0.7, 0.74, 0.8], [0.6, 0.66, 0.61]
    evidence = RunEvidence.of_same_runs([(one, other)])
    assert DIFFERENT.p(evidence) == pytest.approx(stats.ttest_rel(one, other).pvalue)


def test_different_samples_are_compared_by_score_tests_and_welchs_test() -> None:
    first, second = [1.0] * 30 + [0.0] * 10, [1.0] * 20 + [0.0] * 30
    evidence = evidence_of_samples(first, second)
    for margin in (0.0, 0.1):
        expected = proportions(30, 40, 20, 50, value=margin, method="score", compare="diff", alternative="larger")
        assert Claim(ClaimKind.ABOVE, margin).p(evidence) == pytest.approx(expected.pvalue)
    interval = evidence.interval(ABOVE)
    assert interval is not None
    assert evidence.difference == pytest.approx(0.35)
    assert interval.low < 0.35 < interval.high
    numbers = evidence_of_samples(FIRST, SECOND[:20])
    assert DIFFERENT.p(numbers) == pytest.approx(stats.ttest_ind(FIRST, SECOND[:20], equal_var=False).pvalue)
    assert DIFFERENT.p(evidence_of_samples([1.0] * 9, [1.0] * 8)) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RunEvidence.pooled([([0.5], [0.4, 0.5])], (0.1, 1)), "a single seed"),
        (
            lambda: RunEvidence.pooled([([0.5, 0.5], [0.4, 0.4])], (0.0, 2)),
            "scores of all seeds of a setting are equal",
        ),
        (lambda: RunEvidence.of_same_runs([([0.5, 0.6], [0.5, 0.6])]), "the same for all seeds"),
        (lambda: Claim(ClaimKind.WITHIN, 0.3).p(evidence_of_pairs([0.5, 0.6], [0.5, 0.6])), "same on all samples"),
        (lambda: evidence_of_samples([0.5, 0.5], [0.4, 0.4]), "the same on all samples"),
    ],
)
def test_data_without_spread_decide_nothing(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(NoEvidenceError, match=message):
        make()
