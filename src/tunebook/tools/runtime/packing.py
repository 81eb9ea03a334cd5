"""Packs several examples into one sequence, in the way of torchtune 0.6.1: in their order, each with its own positions.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tunebook.tools.runtime.answer_loss import Example

__all__ = ["Pack", "packs"]


@dataclass
class Pack:
    """One sequence; positions start from zero where an example starts."""

    tokens: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    def part(self, start: int, end: int | None) -> Pack:
        """The tokens between two places."""
        return Pack(self.tokens[start:end], self.labels[start:end], self.positions[start:end])

    def add(self, example: Example) -> None:
        """Appends an example."""
        tokens, labels = example
        self.tokens += tokens
        self.labels += labels
        self.positions += range(len(tokens))


def packs(examples: Sequence[Example], limit: int, *, splits: bool) -> list[Pack]:
    """The packs of at most ``limit`` tokens.

    Args:
        splits: whether an example that does not fit is cut and continues in the next pack, as plain texts do; otherwise
            it begins the next pack. No example is longer than the limit.
    """
    found = []
    current = Pack()
    for example in examples:
        if not splits and current.tokens and len(current.tokens) + len(example[0]) > limit:
            found.append(current)
            current = Pack()
        current.add(example)
        while len(current.tokens) > limit:
            found.append(current.part(0, limit))
            current = current.part(limit, None)
    if current.tokens:
        found.append(current)
    return found
