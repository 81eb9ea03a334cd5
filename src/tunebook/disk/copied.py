"""Copies files piece by piece: removes secrets on the way, and computes size and digest of what was written."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from tunebook.core.secrets import REMOVED
from tunebook.disk.read import open_regular

__all__ = ["PACKED", "Copied", "copy_pieces", "file_pieces", "has_match", "without_matches"]

_PIECE = 1 << 20
_OVERLAP = 1 << 12  # bytes; no secret is longer
_LONGEST = 1 << 16  # bytes that wait for the end of a match
_ROWS = 1 << 10  # of a Parquet file that are looked at together
_CONTEXT = 16  # bytes before a match that a pattern looks at
PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!", b"%PDF", b"PAR1", b"ARROW1")
"""How files begin whose content is packed: gzip, bzip2, xz, zstd, 7z, rar, PDF, Parquet and Arrow."""


@dataclass(frozen=True)
class Copied:
    """A copied file: its size in bytes, and the SHA-256 of its content in hexadecimal."""

    size: int
    sha256: str


def file_pieces(path: str) -> Iterator[bytes]:
    """The bytes of a regular file.

    Raises:
        OSError: it cannot be read.
    """
    with open_regular(path) as stream:
        yield from _pieces(stream)


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(_PIECE):
        yield piece


def copy_pieces(pieces: Iterator[bytes], write: Callable[[bytes], object]) -> Copied:
    """Writes all pieces in their order."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        write(piece)
        digest.update(piece)
        size += len(piece)
    return Copied(size, digest.hexdigest())


def without_matches(
    pieces: Iterator[bytes], pattern: re.Pattern[bytes], found: Callable[[int], object]
) -> Iterator[bytes]:
    """The pieces with ``REMOVED`` in place of every match, also of one that lies in two pieces.

    Args:
        found: gets the number of replacements, each time that there are some.
    """
    text, done = b"", 0  # what is done stays in the text as far as a pattern looks back
    for piece in pieces:
        text += piece
        cleaned, end = _cleaned(text, done, max(done, len(text) - _OVERLAP), pattern, found)
        yield cleaned
        kept = max(0, end - _CONTEXT)
        text, done = text[kept:], end - kept
    yield _cleaned(text, done, len(text), pattern, found)[0]


def _cleaned(
    text: bytes, start: int, end: int, pattern: re.Pattern[bytes], found: Callable[[int], object]
) -> tuple[bytes, int]:
    """The text between two places without matches, and where it really ends: before a match that goes on behind it."""
    parts: list[bytes] = []
    number = 0
    for match in pattern.finditer(text, start):
        if match.end() > end and len(text) - match.start() < _LONGEST:
            end = min(end, match.start())
            break
        parts += [text[start : match.start()], REMOVED]
        start = match.end()
        number += 1
    if number:
        found(number)
    end = max(start, end)
    return b"".join([*parts, text[start:end]]), end


def has_match(path: str, pattern: re.Pattern[bytes]) -> bool | None:
    """Whether a file has a match in its bytes, in a member of a ZIP archive, or in a row of a Parquet file.

    Returns ``None`` if it has none in its bytes, but is packed in a way that cannot be unpacked here.

    Raises:
        OSError: it cannot be read.
    """
    if _matches(file_pieces(path), pattern):
        return True
    with open_regular(path) as stream:
        beginning = stream.read(8)
    unpacked = next((read for start, read in _UNPACKED.items() if beginning.startswith(start)), None)
    if unpacked is None:
        return None if beginning.startswith(PACKED) else False
    try:
        return any(_matches(pieces, pattern) for pieces in unpacked(path))
    except OSError:
        raise
    except Exception:  # noqa: BLE001  each way of packing has errors of its own for what is damaged
        return None


def _members(path: str) -> Iterator[Iterator[bytes]]:
    """The members of a ZIP archive."""
    with suppress(ImportError):
        import zipfile_zstd  # noqa: F401  teaches `zipfile` how inspect-ai packs
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as stream:
                yield _pieces(stream)


def _rows(path: str) -> Iterator[Iterator[bytes]]:
    """The rows of a Parquet file as JSON.

    Raises:
        ImportError: the package that reads them is not installed here.
    """
    from pyarrow import parquet

    with open_regular(path) as stream:
        for batch in parquet.ParquetFile(stream).iter_batches(batch_size=_ROWS):
            text = json.dumps(batch.to_pylist(), ensure_ascii=False, default=str)
            yield iter((text.encode("utf-8", "surrogateescape"),))


_UNPACKED: Mapping[bytes, Callable[[str], Iterator[Iterator[bytes]]]] = {b"PK": _members, b"PAR1": _rows}
"""The readers of packed files, by how these begin."""


def _matches(pieces: Iterator[bytes], pattern: re.Pattern[bytes]) -> bool:
    rest = b""
    for piece in pieces:
        text = rest + piece
        if pattern.search(text):
            return True
        rest = text[-_OVERLAP:]
    return False
