"""Reads files that other programs wrote, of any size and with any bytes in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tunebook.disk.read import read_text

__all__ = ["newest_first", "read_lines", "read_readable", "read_tail"]


def read_readable(path: str | os.PathLike[str]) -> str | None:
    """Returns a file's text for tables and reports: every byte that is not UTF-8 becomes the replacement character.

    Returns ``None`` if there is no such file. (:func:`tunebook.disk.read.read_text` keeps the bytes instead.)
    """
    text = read_text(path)
    return None if text is None else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def read_lines(path: Path, *, longest: int, newline: str | None = "\n") -> Iterator[str]:
    """Yields the lines of a file of any size, without their ends; bytes that are not UTF-8 are replaced.

    Args:
        longest: characters of a line that are kept; the rest of a longer one is skipped.
        newline: what ends a line; ``None`` for every usual end, also the carriage return of a progress bar.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open(encoding="utf-8", errors="replace", newline=newline) as stream:
        while line := stream.readline(longest):
            rest = line
            while rest and not rest.endswith("\n"):
                rest = stream.readline(longest)
            yield line.removesuffix("\n")


def read_tail(path: Path, size: int) -> str:
    """Returns the last ``size`` bytes of a file as text, without the line that they cut in two.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        start = max(0, stream.seek(0, os.SEEK_END) - size)
        stream.seek(start)
        data = stream.read(size)
    if start > 0:
        data = data.partition(b"\n")[2] or data
    return data.decode(errors="replace")


def newest_first(paths: Iterable[Path]) -> list[Path]:
    """Sorts files by their time of modification, the newest first."""
    return sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
