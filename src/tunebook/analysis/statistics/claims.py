"""Claims about the difference of two means, and evidence for and against them from runs that differ in their seed.

A claim is that the difference is above a margin, below it, not 0, or within a margin on both sides. Evidence is what
the data say: one-sided p-values for any margin, and intervals.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from statistics import fmean

from tunebook.analysis.records import Interval
from tunebook.analysis.statistics.intervals import t_interval, welch_error

__all__ = ["Claim", "ClaimKind", "Evidence", "NoEvidenceError", "RunEvidence", "StudentEvidence", "sided"]


class NoEvidenceError(ValueError):
    """The data cannot decide the claim; the message says why."""


class ClaimKind(Enum):
    """The claim about the difference."""

    ABOVE = "above"
    BELOW = "below"
    DIFFERENT = "different"
    WITHIN = "within"


class Evidence(ABC):
    """The evidence of the data about a difference of two means.

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


def sided(claim: Claim) -> str:
    """Whether the claim is tested one-sided or two-sided."""
    return "two-sided" if claim.kind is ClaimKind.DIFFERENT else "one-sided"


@dataclass(frozen=True)
class StudentEvidence(Evidence):
    """An estimate with a standard error and Student's distribution; ``title`` is the test's name."""

    difference: float
    error: float
    df: float
    title: str
    generalizes: str = "samples"

    def name(self, claim: Claim) -> str:
        """The test's title, and its sides."""
        if claim.kind is ClaimKind.WITHIN:
            return f"{self.title}, two one-sided tests"
        return f"{self.title}, {sided(claim)}"

    def p_above(self, margin: float) -> float:
        """The upper tail of Student's distribution."""
        from scipy.special import stdtr

        return float(stdtr(self.df, -(self.difference - margin) / self.error))

    def p_below(self, margin: float) -> float:
        """The lower tail of Student's distribution."""
        from scipy.special import stdtr

        return float(stdtr(self.df, (self.difference - margin) / self.error))

    def interval(self, claim: Claim) -> Interval:
        """The estimate ± t standard errors."""
        return replace(t_interval(self.difference, self.error, self.df, 1 - claim.level), level=claim.level)


class RunEvidence(StudentEvidence):
    """Scores of runs in cells that differ in other factors; the runs of a side of a cell differ in their seed only."""

    @classmethod
    def pooled(cls, cells: Sequence[tuple[Sequence[float], Sequence[float]]], spread: tuple[float, int]) -> RunEvidence:
        """Student's test of the mean of the cells' differences, by the spread between seeds of all settings together.

        It is the error that the ranking of settings and the analysis of variance have, so that the same contrast has
        the same verdict everywhere. With C cells the variance of the mean difference is s² Σ (1/n of each side of each
        cell) / C².

        Args:
            spread: the variance s² between runs of one setting, pooled over all settings, and its degrees of freedom.

        Raises:
            NoEvidenceError: a side of a cell has a single run, or no setting has any spread.
        """
        sides = [side for cell in cells for side in cell]
        if min(map(len, sides)) < 2:  # noqa: PLR2004  a single run has no spread
            raise NoEvidenceError("a setting was trained with a single seed")
        variance_of_runs, df = spread
        if not variance_of_runs:
            raise NoEvidenceError("the scores of all seeds of a setting are equal: their spread is not known")
        error = math.sqrt(variance_of_runs * sum(1 / len(side) for side in sides)) / len(cells)
        difference = fmean(fmean(left) - fmean(right) for left, right in cells)
        return cls(difference, error, df, "Student's t-test over runs, pooled between seeds", "seeds")

    @classmethod
    def of_same_runs(cls, cells: Sequence[tuple[Sequence[float], Sequence[float]]]) -> RunEvidence:
        """Student's paired test of two scores of each run, within cells: the error is the spread between seeds.

        Raises:
            NoEvidenceError: a cell has a single run, or the differences have no spread.
        """
        differences = [[one - other for one, other in zip(*cell, strict=True)] for cell in cells]
        if min(map(len, differences)) < 2:  # noqa: PLR2004  a single run has no spread
            raise NoEvidenceError("a setting was trained with a single seed")
        error, df = welch_error(differences)
        if error == 0:
            raise NoEvidenceError("the difference is the same for all seeds of a setting: its spread is not known")
        return cls(fmean(map(fmean, differences)), error / len(cells), df, "paired t-test over runs", "seeds")
