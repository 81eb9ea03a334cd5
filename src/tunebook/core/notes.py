"""Notes on what was verified, and those on what could not be: only the first ones get a tick."""

from __future__ import annotations

__all__ = ["UNCHECKED", "is_checked", "with_sign"]

UNCHECKED = "not checked: "
"""How a note begins that says what could not be verified, and why."""
_SIGNS = {True: "✓", False: "–"}


def is_checked(note: str) -> bool:
    """Whether a note says what was verified."""
    return not note.startswith(UNCHECKED)


def with_sign(note: str) -> str:
    """The note behind a tick, or behind a dash if it says what could not be verified."""
    return f"{_SIGNS[is_checked(note)]} {note}"
