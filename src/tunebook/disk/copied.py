"""Copies files piece by piece: removes secrets on the way, and computes size and digest of what was written."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from tunebook.core.secrets import REMOVED
from tunebook.disk.read import open_regular

__all__ = ["Copied", "copy_pieces", "file_pieces", "has_match", "without_matches"]

_PIECE = 1 << 20
_OVERLAP = 1 << 12  # bytes; no secret is longer


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
    rest = b""
    for piece in pieces:
        ready, rest = _parted(rest + piece, pattern)
        yield _replaced(ready, pattern, found)
    yield _replaced(rest, pattern, found)


def _parted(text: bytes, pattern: re.Pattern[bytes]) -> tuple[bytes, bytes]:
    """A text that ends in no match, and the rest, which may hold the beginning of one."""
    end = max(0, len(text) - _OVERLAP)
    for match in pattern.finditer(text, max(0, end - _OVERLAP)):
        if match.start() < end < match.end():
            end = match.start()
            break
    return text[:end], text[end:]


def _replaced(text: bytes, pattern: re.Pattern[bytes], found: Callable[[int], object]) -> bytes:
    changed, number = pattern.subn(REMOVED, text)
    if number:
        found(number)
    return changed


def has_match(path: str, pattern: re.Pattern[bytes]) -> bool | None:
    """Whether a file has a match in its bytes or, if it is a ZIP archive, in one of its members.

    Returns ``None`` if it has none in its bytes, but is packed in a way that cannot be unpacked here.

    Raises:
        OSError: it cannot be read.
    """
    if _matches(file_pieces(path), pattern):
        return True
    if not _begins_as_archive(path):
        return False
    with suppress(ImportError):
        import zipfile_zstd  # noqa: F401  teaches `zipfile` how inspect-ai packs
    try:
        with zipfile.ZipFile(path) as archive:
            return any(_member_matches(archive, member, pattern) for member in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, RuntimeError, zlib.error):
        return None


def _begins_as_archive(path: str) -> bool:
    with open_regular(path) as stream:
        return stream.read(2) == b"PK"


def _member_matches(archive: zipfile.ZipFile, member: zipfile.ZipInfo, pattern: re.Pattern[bytes]) -> bool:
    with archive.open(member) as stream:
        return _matches(_pieces(stream), pattern)


def _matches(pieces: Iterator[bytes], pattern: re.Pattern[bytes]) -> bool:
    rest = b""
    for piece in pieces:
        text = rest + piece
        if pattern.search(text):
            return True
        rest = text[-_OVERLAP:]
    return False
