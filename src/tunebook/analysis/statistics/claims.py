"""Claims about the difference of two means, and the evidence for and against them.

A claim is that the difference is above a margin, below it, not 0, or within a margin on both sides. Evidence is what
the data say: one-sided p-values for any margin, and intervals. Four kinds are here: runs that differ in their seed,
the same samples twice (right or wrong, or numbers), and different samples.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import fmean, stdev, variance

from tunebook.analysis.records import Interval
from tunebook.analysis.statistics.paired_tests import PairedTest, paired_test

__all__ = [
    "Claim",
    "ClaimKind",
    "Evidence",
    "NoEvidenceError",
    "RunEvidence",
    "evidence_of_pairs",
    "evidence_of_samples",
]


_ALMOST_ONE = 1 - 1e-9  # a difference of 1 has no score


class NoEvidenceError(ValueError):
    """The data cannot decide the claim; the message says why."""


class ClaimKind(Enum):
    """What is said about the difference."""

    ABOVE = "above"
    BELOW = "below"
    DIFFERENT = "different"
    WITHIN = "within"


class Evidence(ABC):
    """What the data say about a difference of two means.

    Attributes:
        difference: the estimate, first minus second.
        generalizes: ``seeds`` (trainings with other seeds, on these samples) or ``samples`` (these trained models, on
            other samples).
    """

    difference: float
    generalizes = "samples"

    @abstractmethod
    def name(self, claim: Claim) -> str:
        """The test of a claim."""

    @abstractmethod
    def p_above(self, margin: float) -> float:
        """One-sided: a small value says that the difference is above the margin."""

    @abstractmethod
    def p_below(self, margin: float) -> float:
        """One-sided: a small value says that the difference is below the margin."""

    def p_different(self) -> float:
        """Two-sided: a small value says that the difference is not 0."""
        return min(1.0, 2 * self.p_above(0.0), 2 * self.p_below(0.0))

    @abstractmethod
    def interval(self, claim: Claim) -> Interval | None:
        """A two-sided interval of the difference at the claim's level."""


@dataclass(frozen=True)
class Claim:
    """A claim about a difference; ``margin`` may be negative for ``ABOVE`` (not much worse) and ``BELOW``."""

    kind: ClaimKind
    margin: float = 0.0

    @property
    def has_margin(self) -> bool:
        """Whether the difference is compared with something else than 0."""
        return self.margin != 0

    @property
    def level(self) -> float:
        """The level of the interval: that of 90 % lies within the margins if both one-sided tests are below 5 %."""
        return 0.9 if self.kind is ClaimKind.WITHIN else 0.95

    def p(self, evidence: Evidence) -> float:
        """A small value supports the claim; for equivalence it is the larger one of two one-sided tests.

        Source: D. J. Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15:657-680.
        """
        if self.kind is ClaimKind.ABOVE:
            return evidence.p_above(self.margin)
        if self.kind is ClaimKind.BELOW:
            return evidence.p_below(self.margin)
        if self.kind is ClaimKind.DIFFERENT:
            return evidence.p_different()
        return max(evidence.p_above(-self.margin), evidence.p_below(self.margin))

    def p_against(self, evidence: Evidence) -> float | None:
        """Two-sided: a small value contradicts the claim; ``None`` for claims that no result contradicts."""
        if self.kind is ClaimKind.DIFFERENT:
            return None
        if self.kind is ClaimKind.ABOVE:
            p = evidence.p_below(self.margin)
        elif self.kind is ClaimKind.BELOW:
            p = evidence.p_above(self.margin)
        else:
            p = min(evidence.p_above(self.margin), evidence.p_below(-self.margin))
        return min(1.0, 2 * p)


def _sided(claim: Claim) -> str:
    return "two-sided" if claim.kind is ClaimKind.DIFFERENT else "one-sided"


@dataclass(frozen=True)
class _Normal(Evidence):
    """An estimate with a standard error and Student's distribution; ``title`` is the test's name."""

    difference: float
    error: float
    df: float
    title: str
    generalizes: str = "samples"

    def name(self, claim: Claim) -> str:
        if claim.kind is ClaimKind.WITHIN:
            return f"{self.title}, two one-sided tests"
        return f"{self.title}, {_sided(claim)}"

    def p_above(self, margin: float) -> float:
        from scipy.special import stdtr

        return float(stdtr(self.df, -(self.difference - margin) / self.error))

    def p_below(self, margin: float) -> float:
        from scipy.special import stdtr

        return float(stdtr(self.df, (self.difference - margin) / self.error))

    def interval(self, claim: Claim) -> Interval:
        from scipy.special import stdtrit

        half_width = float(stdtrit(self.df, 0.5 + claim.level / 2)) * self.error
        return Interval(self.difference - half_width, self.difference + half_width, "Student t", claim.level)


class RunEvidence(_Normal):
    """Scores of runs in cells that differ in other factors; the runs of a side of a cell differ in their seed only."""

    @classmethod
    def of(cls, cells: Sequence[tuple[Sequence[float], Sequence[float]]]) -> RunEvidence:
        """Welch's test, for one cell as in textbooks, for several of the mean of their differences.

        With C cells the variance of the mean difference is Σ (s²/n of each side of each cell) / C², and the degrees of
        freedom are Satterthwaite's: (Σ v)² / Σ (v²/(n - 1)) over all v = s²/n.

        Source: B. L. Welch (1947), Biometrika 34:28-35; for a contrast of several means F. E. Satterthwaite (1946),
        Biometrics Bulletin 2:110-114.

        Raises:
            NoEvidenceError: a side of a cell has a single run, or no side has any spread.
        """
        sides = [side for cell in cells for side in cell]
        if min(map(len, sides)) < 2:  # noqa: PLR2004  a single run has no spread
            raise NoEvidenceError("a setting was trained with a single seed")
        parts = [variance(side) / len(side) for side in sides]
        if sum(parts) == 0:
            raise NoEvidenceError("the scores of all seeds of a setting are equal: their spread is not known")
        df = sum(parts) ** 2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
        difference = fmean(fmean(left) - fmean(right) for left, right in cells)
        return cls(difference, math.sqrt(sum(parts)) / len(cells), df, "Welch's t-test over runs", "seeds")

    @classmethod
    def of_same_runs(cls, cells: Sequence[tuple[Sequence[float], Sequence[float]]]) -> RunEvidence:
        """Student's paired test of two scores of each run, within cells: the error is the spread between seeds.

        Raises:
            NoEvidenceError: a cell has a single run, or the differences have no spread.
        """
        differences = [[one - other for one, other in zip(*cell, strict=True)] for cell in cells]
        if min(map(len, differences)) < 2:  # noqa: PLR2004  a single run has no spread
            raise NoEvidenceError("a setting was trained with a single seed")
        parts = [variance(own) / len(own) for own in differences]
        if sum(parts) == 0:
            raise NoEvidenceError("the difference is the same for all seeds of a setting: its spread is not known")
        df = sum(parts) ** 2 / sum(part**2 / (len(own) - 1) for part, own in zip(parts, differences, strict=True))
        error = math.sqrt(sum(parts)) / len(cells)
        return cls(fmean(map(fmean, differences)), error, df, "paired t-test over runs", "seeds")


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
        return f"{self.test.name}, {_sided(claim)}"

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

    def _student(self) -> _Normal:
        n = len(self.differences)
        if n < 2 or max(self.differences) - min(self.differences) == 0:  # noqa: PLR2004  a single value has no spread
            raise NoEvidenceError("the difference is the same on all samples: its uncertainty is not known")
        return _Normal(self.difference, stdev(self.differences) / math.sqrt(n), n - 1, "paired t-test over samples")


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
        return f"{self.test.name}, {_sided(claim)}"

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
    if min(len(first), len(second)) < 2 or variance(first) + variance(second) == 0:  # noqa: PLR2004
        raise NoEvidenceError("the values are the same on all samples: their uncertainty is not known")
    welch = RunEvidence.of([(first, second)])
    return _Normal(welch.difference, welch.error, welch.df, "Welch's t-test over samples")


@dataclass(frozen=True)
class _Proportions(Evidence):
    """Right and wrong on different samples: the score test of two proportions, with the interval that goes with it.

    Source: O. S. Miettinen and M. Nurminen (1985), Statistics in Medicine 4:213-226.
    """

    difference: float
    one: tuple[int, int]
    other: tuple[int, int]

    def name(self, claim: Claim) -> str:
        sides = "two one-sided tests" if claim.kind is ClaimKind.WITHIN else _sided(claim)
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
