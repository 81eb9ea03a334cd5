"""Reads files with one JSON document per line, to which a crash may have left a torn line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunebook.core.json_text import parse_json

__all__ = ["read_documents"]


def read_documents(path: Path) -> Iterator[Any]:
    """The documents in their order; lines that are no JSON are left out, and so is a file that cannot be read."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return
    for line in lines:
        try:
            yield parse_json(line)
        except ValueError:
            continue
