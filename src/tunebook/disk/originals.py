"""Names the copy of a file that a person edited and that is replaced."""

from __future__ import annotations

import os
from pathlib import Path

from tunebook.disk.read import read_text

__all__ = ["original_of"]


def original_of(path: Path, text: str | None = None) -> Path:
    """Returns ``NAME.orig``, or the first free ``NAME.orig.N``.

    Args:
        text: what the copy will have; one that has it already, after an interruption, is taken again.
    """
    first = path.with_name(f"{path.name}.orig")
    numbers = (path.with_name(f"{path.name}.orig.{number}") for number in range(1, 10_000))
    return next(candidate for candidate in (first, *numbers) if _is_free(candidate, text))


def _is_free(path: Path, text: str | None) -> bool:
    if not os.path.lexists(path):
        return True
    return text is not None and path.is_file() and read_text(path) == text
