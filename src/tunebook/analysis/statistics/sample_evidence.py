"""Evidence about a difference of two means from samples: the same ones twice, right or wrong or numbers, or others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from tunebook.analysis.records import Interval
from tunebook.analysis.statistics.claims import (
    Claim,
    ClaimKind,
    Evidence,
    NoEvidenceError,
    StudentEvidence,
    sided,
)
from tunebook.analysis.statistics.intervals import welch_error
from tunebook.analysis.statistics.paired_tests import PairedTest, paired_test

__all__ = ["evidence_of_pairs", "evidence_of_samples"]

_ALMOST_ONE = 1 - 1e-9  # a difference of 1 has no score


def evidence_of_pairs(first: Sequence[float], second: Sequence[float]) -> Evidence:
    """Evidence from two values of each sample."""
    if set(first) | set(second) <= {0.0, 1.0}:
        return _BinaryPairs.of(first, second)
    return _NumberPairs.of(first, second)


@dataclass(frozen=True)
class _NumberPairs(Evidence):
    """Differences of numbers on the same samples.

    Without a margin the test is that of runs on the same samples, whose two-sided p-value counts patterns of signs. As
    these are symmetric, half of it is the one-sided p-value on the side of the estimate. With a margin it is Student's
    paired test.
    """

    difference: float
    differences: tuple[float, ...]
    test: PairedTest

    @classmethod
    def of(cls, first: Sequence[float], second: Sequence[float]) -> _NumberPairs:
        test = paired_test(first, second)
        differences = tuple(one - other for one, other in zip(first, second, strict=True))
        return cls(test.difference, differences, test)

    def name(self, claim: Claim) -> str:
        if claim.has_margin:
            return self._student().name(claim)
        return f"{self.test.name}, {sided(claim)}"

    def p_above(self, margin: float) -> float:
        if margin:
            return self._student().p_above(margin)
        return self._one_sided(is_seen=self.difference > 0)

    def p_below(self, margin: float) -> float:
        if margin:
            return self._student().p_below(margin)
        return self._one_sided(is_seen=self.difference < 0)

    def p_different(self) -> float:
        return self.test.p

    def _one_sided(self, *, is_seen: bool) -> float:
        if self.difference == 0:
            return 1.0
        return self.test.p / 2 if is_seen else 1 - self.test.p / 2

    def interval(self, claim: Claim) -> Interval | None:
        if claim.has_margin:
            return self._student().interval(claim)
        return self.test.interval

    def _student(self) -> StudentEvidence:
        n = len(self.differences)
        if n < 2 or max(self.differences) - min(self.differences) == 0:  # noqa: PLR2004  a single value has no spread
            raise NoEvidenceError("the difference is the same on all samples: its uncertainty is not known")
        error = stdev(self.differences) / math.sqrt(n)
        return StudentEvidence(self.difference, error, n - 1, "paired t-test over samples")


@dataclass(frozen=True)
class _BinaryPairs(Evidence):
    """Right and wrong on the same samples: exact tests of the discordant pairs, and Tango's score test for a margin.

    With b pairs that only the first has right, c that only the second has right, and n pairs, the score statistic for a
    difference δ is (b - c - nδ) / √(n (2q + δ(1 - δ))), where q, the probability of the second kind, is estimated under
    that δ: q = (√(B² - 4AC) - B)/(2A) with A = 2n, B = -b - c + (2n - b + c)δ, C = -cδ(1 - δ). Its sign is that of
    b - c - nδ. Our own because neither SciPy nor statsmodels has it.

    Source: T. Tango (1998), Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design, Statistics in Medicine 17:891-908; for equivalence J.-P. Liu, H.-M. Hsueh, E. Hsieh and
    J. J. Chen (2002), Statistics in Medicine 21:231-245.
    """

    difference: float
    gained: int
    lost: int
    n: int
    test: PairedTest

    @classmethod
    def of(cls, first: Sequence[float], second: Sequence[float]) -> _BinaryPairs:
        test = paired_test(first, second)
        return cls(test.difference, test.gained or 0, test.lost or 0, len(first), test)

    def name(self, claim: Claim) -> str:
        if claim.kind is ClaimKind.WITHIN:
            return "Tango's score test, two one-sided tests"
        if claim.has_margin:
            return "Tango's score test, one-sided"
        return f"{self.test.name}, {sided(claim)}"

    def p_above(self, margin: float) -> float:
        if margin:
            return _upper_tail(self._score(margin))
        return _heads(self.gained, self.lost)

    def p_below(self, margin: float) -> float:
        if margin:
            return _upper_tail(-self._score(margin))
        return _heads(self.lost, self.gained)

    def p_different(self) -> float:
        return self.test.p

    def _score(self, margin: float) -> float:
        b, c, n = self.gained, self.lost, self.n
        if not -1 < margin < 1:
            raise NoEvidenceError("the margin is 100 points or more, which no difference of shares reaches")
        linear = -b - c + (2 * n - b + c) * margin
        constant = -c * margin * (1 - margin)
        q = (math.sqrt(max(0.0, linear**2 - 8 * n * constant)) - linear) / (4 * n)
        spread = n * (2 * q + margin * (1 - margin))
        distance = b - c - n * margin
        if spread <= 0:
            return math.copysign(math.inf, distance) if distance else 0.0
        return distance / math.sqrt(spread)

    def interval(self, claim: Claim) -> Interval | None:
        if not claim.has_margin:
            return self.test.interval
        from scipy.optimize import brentq
        from scipy.special import ndtri

        z = float(ndtri(0.5 + claim.level / 2))
        middle = max(-_ALMOST_ONE, min(_ALMOST_ONE, self.difference))

        def limit(sign: float) -> float:
            """Where the score is z above (1) or below (-1) that of the estimate, which is 0."""
            end = -sign * _ALMOST_ONE

            def excess(margin: float) -> float:
                return sign * self._score(margin) - z

            return -sign if excess(end) <= 0 else float(brentq(excess, end, middle, xtol=1e-9))

        return Interval(limit(1.0), limit(-1.0), "Tango", claim.level)


def _upper_tail(z: float) -> float:
    from scipy.special import ndtr

    return float(ndtr(-z))


def _heads(heads: int, tails: int) -> float:
    """The probability of at least so many heads of a fair coin."""
    from scipy.special import bdtrc

    return 1.0 if heads == 0 else float(bdtrc(heads - 1, heads + tails, 0.5))


def evidence_of_samples(first: Sequence[float], second: Sequence[float]) -> Evidence:
    """Evidence from different samples, such as those of two tasks.

    Raises:
        NoEvidenceError: neither has any spread.
    """
    if set(first) | set(second) <= {0.0, 1.0}:
        return _Proportions(
            fmean(first) - fmean(second), (int(sum(first)), len(first)), (int(sum(second)), len(second))
        )
    error = df = 0.0
    if min(len(first), len(second)) > 1:
        error, df = welch_error([first, second])
    if error == 0:
        raise NoEvidenceError("the values are the same on all samples: their uncertainty is not known")
    return StudentEvidence(fmean(first) - fmean(second), error, df, "Welch's t-test over samples")


@dataclass(frozen=True)
class _Proportions(Evidence):
    """Right and wrong on different samples: the score test of two proportions, with the interval that goes with it.

    Source: O. S. Miettinen and M. Nurminen (1985), Statistics in Medicine 4:213-226.
    """

    difference: float
    one: tuple[int, int]
    other: tuple[int, int]

    def name(self, claim: Claim) -> str:
        sides = "two one-sided tests" if claim.kind is ClaimKind.WITHIN else sided(claim)
        return f"score test of two proportions, {sides}"

    def p_above(self, margin: float) -> float:
        return self._p(margin, "larger")

    def p_below(self, margin: float) -> float:
        return self._p(margin, "smaller")

    def p_different(self) -> float:
        return self._p(0.0, "two-sided")

    def _p(self, margin: float, alternative: str) -> float:
        from statsmodels.stats.proportion import test_proportions_2indep

        if self._is_certain and margin == 0:
            return 1.0
        found = test_proportions_2indep(
            *self.one, *self.other, value=margin, method="score", compare="diff", alternative=alternative
        )
        return float(found.pvalue)

    @property
    def _is_certain(self) -> bool:
        """Whether all samples of both are right, or all are wrong: there is no spread to test with."""
        return self.one[0] + self.other[0] in {0, self.one[1] + self.other[1]}

    def interval(self, claim: Claim) -> Interval:
        from statsmodels.stats.proportion import confint_proportions_2indep

        low, high = confint_proportions_2indep(
            *self.one, *self.other, method="score", compare="diff", alpha=1 - claim.level
        )
        return Interval(float(low), float(high), "score", claim.level)
