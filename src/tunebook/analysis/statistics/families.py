"""Families of tests: the names of those about runs and settings, and the correction within each.

A decision is made on all tests of a family together, so each p-value is corrected for the number of tests in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol, TypeVar

from tunebook.analysis.records import Family
from tunebook.analysis.statistics.intervals import ALPHA
from tunebook.analysis.statistics.paired_tests import holm
from tunebook.analysis.statistics.scores import ScoreTable

__all__ = [
    "AGAINST_BASE",
    "AGAINST_BEST",
    "FIRST_AND_LAST_EPOCH",
    "INTERMEDIATE_EPOCHS",
    "SEEDS_AGAINST_BASE",
    "correct_family",
    "family_name",
    "pairs_among",
]

AGAINST_BASE = "final epoch against the base model"
INTERMEDIATE_EPOCHS = "intermediate epochs against the base model"
AGAINST_BEST = "against the best setting"
FIRST_AND_LAST_EPOCH = "first against last epoch"
SEEDS_AGAINST_BASE = "settings over seeds against the base model"


class _Tested(Protocol):
    """A frozen dataclass with ``p``, ``p_holm``, ``significant`` and ``family``."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def p(self) -> float | None: ...


_Test = TypeVar("_Test", bound=_Tested)


def family_name(name: str, table: ScoreTable) -> str:
    """The family's name, with the measure if it is not the task's headline measure."""
    return name if table.is_headline else f"{name}, {table.measure.name}"


def pairs_among(count: int) -> int:
    """The number of pairs of so many settings: the size of the family of tests against the best one.

    The best setting was chosen for its value, which makes the difference of every other one from it large. Corrected
    over the tests against it only, 10 equal settings would show a significant difference in 9 % of all cases (300
    simulations of 100 samples, right or wrong); a correction over all pairs holds whichever setting is chosen.
    """
    return count * (count - 1) // 2


def correct_family(items: Sequence[_Test], name: str, size: int = 0) -> list[_Test]:
    """The items with ``family``, ``p_holm`` and ``significant``; items without a ``p`` stay as they are.

    Args:
        size: the number of tests, if the family has more tests than these.
    """
    tested = [item.p for item in items if item.p is not None]
    size = max(size, len(tested))
    family = Family(name, size, "Holm" if size > 1 else "none")
    corrected = iter(holm(tested, size))
    found = []
    for item in items:
        if item.p is None:
            found.append(item)
        else:
            p_holm = next(corrected)
            found.append(replace(item, family=family, p_holm=p_holm, significant=p_holm < ALPHA))
    return found
