"""The parts of a significant interaction: the effects of one factor at each level of the other, and reversals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from tunebook.analysis.records import FactorUse
from tunebook.analysis.statistics.fits import FactorTest, Fit
from tunebook.analysis.statistics.intervals import ALPHA

__all__ = ["Reversal", "SimpleEffect", "find_reversal", "simple_effects_of"]


@dataclass(frozen=True)
class SimpleEffect:
    """The effect of a factor among the runs at one level of another factor.

    Attributes:
        factor: its key; ``label`` its column in the plan.
        at: the key of the other factor; ``at_label`` its column, ``level`` its level.
        high: the level with the highest estimated mean there; ``low`` the one with the lowest.
        difference: between the means of these two.
        test: ``None`` if the design allows none.
    """

    factor: str
    label: str
    at: str
    at_label: str
    level: str
    high: str
    low: str
    difference: float
    test: FactorTest | None = None


@dataclass(frozen=True)
class Reversal:
    """Two levels of a factor whose order at one level of another factor is the opposite of that at another.

    Attributes:
        label: the factor's column in the plan; ``at_label`` that of the other factor.
        first: the level that is higher at ``here``; ``second`` is higher at ``there``.
        differences: first minus second, ``here`` and ``there``.
        is_significant: whether both differences are, over all pairs of levels and all levels of the other factor.
    """

    label: str
    at_label: str
    first: str
    second: str
    here: str
    there: str
    differences: tuple[float, float]
    is_significant: bool


def simple_effects_of(fit: Fit, one: FactorUse, two: FactorUse) -> list[SimpleEffect]:
    """The effects of the first factor at each level of the second, then those of the second; not corrected yet.

    Args:
        one: the interaction's factors, in its order; their interaction is in the model.
    """
    found = []
    for factor, other in ((one, two), (two, one)):
        rows = {level: _rows(one, two, factor, level, fit) for level in fit.model.codes[other.key]}
        found += [_simple_effect(factor, other, level, own, fit) for level, own in rows.items()]
    return found


def _rows(one: FactorUse, two: FactorUse, factor: FactorUse, fixed: str, fit: Fit) -> dict[str, Any]:
    """Each level of a factor to the row of its mean where the other factor has the fixed level."""
    rows = {}
    for level in fit.model.codes[factor.key]:
        first, second = (level, fixed) if factor is one else (fixed, level)
        rows[level] = fit.model.row({one.key: first, two.key: second})
    return rows


def _simple_effect(factor: FactorUse, other: FactorUse, level: str, rows: dict[str, Any], fit: Fit) -> SimpleEffect:
    means = {name: fit.estimate(row).value for name, row in rows.items()}
    high, low = max(means, key=lambda name: means[name]), min(means, key=lambda name: means[name])
    return SimpleEffect(
        factor=factor.key,
        label=factor.label,
        at=other.key,
        at_label=other.label,
        level=level,
        high=high,
        low=low,
        difference=means[high] - means[low],
        test=fit.test_equal(list(rows.values())),
    )


def find_reversal(fit: Fit, one: FactorUse, two: FactorUse) -> Reversal | None:
    """The clearest reversal: the one whose smaller difference is the largest; ``None`` if no levels change places."""
    found: list[Reversal] = []
    for factor, other in ((one, two), (two, one)):
        rows = {level: _rows(one, two, factor, level, fit) for level in fit.model.codes[other.key]}
        found += _reversals(factor, other, rows, fit)
    return max(found, key=_size, default=None)


def _size(reversal: Reversal) -> float:
    return min(map(abs, reversal.differences))


def _reversals(factor: FactorUse, other: FactorUse, rows: dict[str, dict[str, Any]], fit: Fit) -> Iterator[Reversal]:
    """The clearest reversal of each two levels of a factor over the levels of the other.

    Args:
        rows: the other factor's level and the factor's level to the row of the mean there.
    """
    means = {}
    for at, own in rows.items():
        means[at] = {level: fit.estimate(row).value for level, row in own.items()}
    pairs = list(combinations(fit.model.codes[factor.key], 2))
    for first, second in pairs:
        differences = {at: own[first] - own[second] for at, own in means.items()}
        here, there = max(differences, key=differences.__getitem__), min(differences, key=differences.__getitem__)
        rounding = 1e-9 * max(map(abs, differences.values()))
        if differences[here] > rounding and differences[there] < -rounding:
            tested = [rows[at][first] - rows[at][second] for at in (here, there)]
            yield Reversal(
                label=factor.label,
                at_label=other.label,
                first=first,
                second=second,
                here=here,
                there=there,
                differences=(differences[here], differences[there]),
                is_significant=_are_significant(tested, len(pairs) * len(rows), fit),
            )


def _are_significant(rows: Sequence[Any], tests: int, fit: Fit) -> bool:
    """Whether each of these differences is significant by Bonferroni's inequality."""
    found = [fit.test(row[None, :]) for row in rows]
    return all(test is not None and test.p * tests < ALPHA for test in found)
