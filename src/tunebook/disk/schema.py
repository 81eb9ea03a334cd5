"""Refuses files whose format is newer than this tunebook reads; every file of records says which format it has."""

from __future__ import annotations

import json
from typing import Any

from tunebook.errors import NewerFormatError

__all__ = ["head_line", "is_head", "refuse_newer"]

_KEY = "format"


def refuse_newer(version: Any, known: int, file: str) -> None:
    """Accepts any version up to the known one.

    Raises:
        NewerFormatError: a newer tunebook wrote the file.
    """
    if isinstance(version, int) and version > known:
        message = f"was written by a newer tunebook: it has format {version}, and this one reads formats up to {known}"
        raise NewerFormatError(message, file=file, hint="update tunebook, or work in a copy of the experiment")


def head_line(version: int) -> bytes:
    """The first line of a file with a JSON document per line."""
    return json.dumps({_KEY: version}).encode() + b"\n"


def is_head(document: Any, known: int, file: str) -> bool:
    """Whether a document is the first line of such a file.

    Raises:
        NewerFormatError: a newer tunebook wrote the file.
    """
    if not isinstance(document, dict) or list(document) != [_KEY]:
        return False
    refuse_newer(document[_KEY], known, file)
    return True
