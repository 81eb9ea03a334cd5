"""Short forms of long lists: how many there are, the first names, the first lines."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["counted", "first_lines", "named"]

_MOST_NAMES = 3


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
    """All lines if there are at most ``most`` (``None`` is no limit); otherwise the first ones and how many follow.

    Args:
        more: what the other lines are and how to see them, such as ``runs: `--all` lists them``.
        shown: how many lines are shown if they are too many; ``None`` for as many as fit.
    """
    if most is None or len(lines) <= most:
        return list(lines)
    if shown is None:
        shown = max(1, most - 1)
    return [*lines[:shown], f"… and {len(lines) - shown:,} more {more}"]
