"""Files as text that tables and pages can hold: what is not UTF-8 is replaced, where the rest of tunebook keeps it."""

from __future__ import annotations

import os

from tunebook.disk.atomic import read_text

__all__ = ["read_readable"]


def read_readable(path: str | os.PathLike[str]) -> str | None:
    """A file's text with every byte that is not UTF-8 as the replacement character; ``None`` if there is no file."""
    text = read_text(path)
    return None if text is None else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
