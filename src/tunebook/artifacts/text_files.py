"""Reads files that other programs wrote, of any size and with any bytes in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from tunebook.core.json_text import parse_json
from tunebook.disk.read import MOST_BYTES, open_regular, read_bytes

__all__ = ["MOST_DOCUMENT_BYTES", "newest_first", "read_document", "read_lines", "read_readable", "read_tail"]

MOST_DOCUMENT_BYTES = 1 << 24
"""The bytes of a JSON file in which a job sums something up."""


def read_readable(path: str | os.PathLike[str], *, most: int = MOST_BYTES) -> str | None:
    """Returns a file's text for tables and reports: every byte that is not UTF-8 becomes the replacement character.

    Returns ``None`` if there is no such file. (:func:`tunebook.disk.read.read_text` keeps the bytes instead.)
    """
    content = read_bytes(path, most=most)
    return None if content is None else content.decode("utf-8", "replace")


def read_document(path: str | os.PathLike[str]) -> Any:
    """Returns the value of a JSON file that a job wrote; ``None`` for a missing one.

    Raises:
        OSError: it cannot be read, is not a regular file, or has more bytes.
        ValueError: it is not JSON.
    """
    text = read_readable(path, most=MOST_DOCUMENT_BYTES)
    return None if text is None else parse_json(text)


def read_lines(path: Path, *, longest: int, newline: str | None = "\n") -> Iterator[str]:
    """Yields the lines of a file of any size, without their ends; bytes that are not UTF-8 are replaced.

    Args:
        longest: characters of a line that are kept; the rest of a longer one is skipped.
        newline: what ends a line; ``None`` for every usual end, also the carriage return of a progress bar.

    Raises:
        OSError: the file cannot be read.
    """
    with TextIOWrapper(open_regular(path), encoding="utf-8", errors="replace", newline=newline) as stream:
        while line := stream.readline(longest):
            rest = line
            while rest and not rest.endswith("\n"):
                rest = stream.readline(longest)
            yield line.removesuffix("\n")


def read_tail(path: str | os.PathLike[str], size: int) -> str:
    """Returns the last ``size`` bytes of a file as text, without the line that they cut in two.

    Raises:
        OSError: the file cannot be read.
    """
    with open_regular(path) as stream:
        start = max(0, stream.seek(0, os.SEEK_END) - size)
        stream.seek(start)
        data = stream.read(size)
    if start > 0:
        data = data.partition(b"\n")[2] or data
    return data.decode(errors="replace")


def newest_first(paths: Iterable[Path]) -> list[Path]:
    """Sorts files by their time of modification, the newest first."""
    return sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
