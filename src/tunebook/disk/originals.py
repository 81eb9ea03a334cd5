"""Names the copy of a file that a person edited and that is replaced."""

from __future__ import annotations

from pathlib import Path

__all__ = ["original_of"]


def original_of(path: Path) -> Path:
    """Returns ``NAME.orig``, or the first free ``NAME.orig.N``."""
    first = path.with_name(f"{path.name}.orig")
    numbers = (path.with_name(f"{path.name}.orig.{number}") for number in range(1, 10_000))
    return next(candidate for candidate in (first, *numbers) if not candidate.exists())
