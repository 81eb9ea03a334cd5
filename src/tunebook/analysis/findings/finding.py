"""A finding, and phrases that several findings share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.statistics.seeds import Replicates

__all__ = [
    "COULD_BE_CHANCE",
    "TO_RETRAINING",
    "TO_SAMPLES",
    "Finding",
    "count_significant",
    "level_text",
]

TO_RETRAINING = "generalizes to retraining, not to new test samples"
TO_SAMPLES = "generalizes to new test samples, not to retraining"
COULD_BE_CHANCE = " This difference could be chance."
_LETTERS = 40  # of a level: a prompt may be one


@dataclass(frozen=True)
class Finding:
    """A statement with its numbers.

    Attributes:
        kind: ``hypothesis``, ``base``, ``best``, ``effect``, ``interaction``, ``trend``, ``seeds``, ``cost``,
            ``epochs``, ``training``, ``samples`` or ``caution``.
        text: plain text.
        significant: whether the test behind it was significant after correction; ``None`` without a test.
        task: the task that it is about; empty for all.
    """

    kind: str
    text: str
    significant: bool | None = None
    task: str = ""


def count_significant(items: Iterable[Comparison | Replicates]) -> tuple[int, int]:
    """How many differ significantly upwards, and how many downwards."""
    signs = Counter(item.difference > 0 for item in items if item.significant and item.difference)
    return signs[True], signs[False]


def level_text(text: str) -> str:
    """A factor's level, cut if it is long."""
    return text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…"
