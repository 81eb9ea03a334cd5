"""Short forms of long lists and values: how many there are, the first names, the first lines, the first characters."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["counted", "first_lines", "named", "shortened", "shortened_values"]

_MOST_NAMES = 3
_LONGEST = 1_000  # paths may have hundreds of characters
_BEGINNING = 200
_VALUES = re.compile(r"`[^`]*`|\S+")


def counted(number: int, noun: str) -> str:
    """``1 training``, ``1,000 trainings``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}s"


def named(names: Sequence[str]) -> str:
    """``a, b, c`` or ``a, b and 8 more``."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[: _MOST_NAMES - 1])} and {len(names) - _MOST_NAMES + 1:,} more"


def first_lines(lines: Sequence[str], most: int | None, *, more: str, shown: int | None = None) -> list[str]:
    """All lines if there are at most ``most`` (``None`` means no limit); otherwise the first ones and how many follow.

    Args:
        more: what the other lines are and how to see them, such as ``runs: `--all` lists them``.
        shown: how many lines are shown if they are too many; ``None`` for as many as fit.
    """
    if most is None or len(lines) <= most:
        return list(lines)
    if shown is None:
        shown = max(1, most - 1)
    return [*lines[:shown], f"… and {len(lines) - shown:,} more {more}"]


def shortened(value: str) -> str:
    """A value as it is, or the beginning of a very long one and how long it is."""
    if len(value) <= _LONGEST:
        return value
    return f"{value[:_BEGINNING]}… ({len(value):,} characters)"


def shortened_values(text: str) -> str:
    """A message in which very long words and values between backticks are shortened."""
    if len(text) <= _LONGEST:
        return text
    return _VALUES.sub(lambda found: shortened(found[0]), text)
