"""Numbers of proofs, for people."""

from __future__ import annotations

__all__ = ["magnitude"]


def magnitude(number: float) -> str:
    """The size of a difference: ``3e-07``, or ``0``."""
    return f"{number:.0e}" if number else "0"
