"""Reads what a command left for the next one, in a file that can be removed at any time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tunebook.core.json_text import UNFIT
from tunebook.disk.read import read_json

__all__ = ["read_remembered"]

_Value = TypeVar("_Value")


def read_remembered(path: Path, parse: Callable[[Any], _Value], *, version: int | None = None) -> _Value | None:
    """The value that ``parse`` makes of the document in a file.

    Args:
        version: the one that the document must name, if it names one.

    Returns:
        The value; ``None`` if the file is missing, unreadable, damaged or of another version.
    """
    try:
        document = read_json(path)
        if document is None or (version is not None and document["version"] != version):
            return None
        return parse(document)
    except (OSError, *UNFIT):
        return None
