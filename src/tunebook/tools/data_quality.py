"""Flaws of a data set that no training refuses, but that change the meaning of its results; each has its number."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.tools.datasets import DatasetFacts

__all__ = ["data_cautions", "overlap_cautions", "split_cautions"]


def data_cautions(path: str, facts: DatasetFacts) -> Iterator[tuple[str, str]]:
    """Each flaw as a sentence, and what to do about it."""
    yield from split_cautions(path, facts)
    yield from overlap_cautions(path, facts)


def split_cautions(path: str, facts: DatasetFacts) -> Iterator[tuple[str, str]]:
    """The flaws of single splits."""
    for split, part in facts.parts.items():
        if part.empty_answers:
            text = f"{part.empty_answers} of {part.examples} answers in the {split} split of {path} are empty"
            yield f"{text}: training on them teaches to say nothing", "remove them, unless they are intended"
        if part.duplicates:
            text = f"{part.duplicates} of {part.examples} examples in the {split} split of {path} repeat an earlier one"
            yield text, "remove the repetitions; otherwise these examples count several times"


def overlap_cautions(path: str, facts: DatasetFacts) -> Iterator[tuple[str, str]]:
    """Inputs that are in two splits."""
    for (first, second), count in facts.overlaps.items():
        inputs = "1 input" if count == 1 else f"{count} inputs"
        verb = "appears" if count == 1 else "appear"
        text = f"{inputs} of {path} {verb} in both {first} and {second}; scores on them are inflated"
        yield text, "remove them from one split"
