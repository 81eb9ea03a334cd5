"""Suggests a scorer for the answers of a data set, in words that say why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from statistics import median

from tunebook.core.scorers import Scorer
from tunebook.tools.answer_numbers import number_of
from tunebook.tools.answers import Answer

__all__ = ["MOST_CHOICES", "Suggestion", "ordered_options", "suggested_scorer"]

MOST_CHOICES = 12
"""Different answers that may be choices, as many as groups may be."""
_TWO = 2
_SHORT = 60  # characters of an answer that a model can be expected to repeat exactly
_OUTCOMES = {"no": "yes", "false": "true", "0": "1", "negative": "positive"}


@dataclass(frozen=True)
class Suggestion:
    """A scorer and the reason for it; ``None`` where none fits, and the reason says why.

    Attributes:
        also: another scorer that fits, as a sentence; empty without one.
    """

    scorer: Scorer | None
    reason: str
    also: str = ""


def suggested_scorer(answers: Sequence[Answer]) -> Suggestion:
    """The scorer that fits the answers: numbers, a few choices, or short texts.

    Args:
        answers: of the test split; at least one.
    """
    counts = Counter(answer.text.strip() for answer in answers)
    every = f"the {len(answers):,} answers of the test split are"
    shown = " or ".join(f"`{text}`" for text in counts)
    is_few = 1 < len(counts) <= MOST_CHOICES and len(counts) * 2 <= len(answers)
    if is_few and len(counts) == _TWO:
        also = "`--scorer risk` also gives the probability of the outcome, with AUC and calibration"
        return Suggestion(Scorer.CHOICE, f"{every} {shown}", also)
    if all(number_of(text) is not None for text in counts):
        return Suggestion(Scorer.NUMERIC, f"{every} numbers", "`--scorer choice` if they are labels" if is_few else "")
    if is_few:
        return Suggestion(Scorer.CHOICE, f"{every} {shown}")
    length = int(median(len(text) for text in counts))
    if length <= _SHORT and not any("\n" in text for text in counts):
        return Suggestion(Scorer.EXACT, f"{every} short texts (median {length} characters)")
    return Suggestion(None, f"{every} long texts (median {length} characters), which no model repeats exactly")


def ordered_options(answers: Sequence[Answer]) -> tuple[tuple[str, ...], bool]:
    """The different answers, and whether they are two whose words say which one is the outcome, which is then last."""
    found = tuple(sorted({answer.text.strip() for answer in answers}))
    for first, last in permutations(found, _TWO):
        if len(found) == _TWO and _OUTCOMES.get(first.casefold()) == last.casefold():
            return (first, last), True
    return found, False
