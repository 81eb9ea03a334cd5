"""Refuses logs whose parts take more memory than an analysis may use; inspect-ai itself reads any."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tunebook.disk.read import open_regular

__all__ = ["MOST_JSON_BYTES", "MOST_SAMPLE_BYTES", "check_bounds", "read_member"]

MOST_JSON_BYTES = 1 << 27
"""The bytes of a log that is one JSON document, which is read whole."""
MOST_SAMPLE_BYTES = 1 << 27
"""The bytes of one full sample, unpacked."""
_MOST_DIRECTORY_BYTES = 1 << 26
_MOST_MEMBER_BYTES = {"header.json": 1 << 25, "summaries.json": 1 << 27, "reductions.json": 1 << 27}
_MOST_JOURNAL_BYTES = 1 << 27  # of the parts of a log that is still written, all together
_JOURNAL = "_journal/"
_CHUNK = 1 << 20
_DIRECTORY_END = b"PK\x05\x06"
_DIRECTORY_END_64 = b"PK\x06\x06"
_END_BYTES = 1 << 17  # an archive's comment has at most 64 KiB
_NOT_HERE = 0xFFFFFFFF  # the size is in the other record


def check_bounds(log: Path) -> None:
    """Checks what is read of a log before its samples.

    Raises:
        ValueError: a part of it is too long.
        OSError: it cannot be read.
    """
    if log.suffix == ".json":
        size = log.stat().st_size
        if size > MOST_JSON_BYTES:
            raise ValueError(
                f"it has {size:,} bytes, and at most {MOST_JSON_BYTES:,} of a log in JSON are read: "
                "convert it with `inspect log convert --to eval`"
            )
        return
    size = _directory_size(log)
    if size > _MOST_DIRECTORY_BYTES:
        raise ValueError(f"its list of files has {size:,} bytes, and at most {_MOST_DIRECTORY_BYTES:,} are read")
    try:
        with zipfile.ZipFile(log) as archive:
            members = archive.infolist()
            journal = 0
            for member in members:
                if member.filename in _MOST_MEMBER_BYTES:
                    _check_member(archive, member, most=_MOST_MEMBER_BYTES[member.filename])
                elif member.filename.startswith(_JOURNAL):
                    _check_number(member.filename, len(members))
                    journal += _check_member(archive, member, most=_MOST_JOURNAL_BYTES - journal)
    except (zipfile.BadZipFile, NotImplementedError):
        return  # inspect-ai says what is wrong with it


def _check_number(name: str, most: int) -> None:
    """Checks a part's number: inspect-ai counts to the highest one."""
    number = PurePosixPath(name).stem
    if number.isdecimal() and (len(number) > len(str(most)) or int(number) > most):
        raise ValueError(f"its `{name:.100}` has a number that is higher than the number of its files")


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, most: int) -> bytes:
    """Returns a file in the archive, unpacked.

    Raises:
        ValueError: it is longer; the size that the archive gives may be wrong.
    """
    return b"".join(_pieces(archive, member, most))


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, most: int) -> int:
    """Returns the size of a file in the archive, unpacked.

    Raises:
        ValueError: it is longer.
    """
    return sum(map(len, _pieces(archive, member, most)))


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> Iterator[bytes]:
    """Unpacks it piece by piece, as far as the bound."""
    stated, total = member.file_size, 0
    member.file_size = most + 2 * _CHUNK  # otherwise reading ends at the stated size, at which inspect-ai does not stop
    try:
        if stated <= most:
            with archive.open(member) as stream:
                while total <= most and (piece := stream.read(_CHUNK)):
                    total += len(piece)
                    yield piece
    finally:
        member.file_size = stated
    if max(stated, total) > most:
        raise ValueError(f"its `{member.filename}` has more than {most:,} bytes, and an analysis reads no more")


def _directory_size(log: Path) -> int:
    """The bytes of the archive's list of its files, which ``zipfile`` reads whole; 0 if there is none."""
    with open_regular(log) as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _END_BYTES))
        end = stream.read(_END_BYTES)
    place = end.rfind(_DIRECTORY_END)
    if place < 0 or place + 22 > len(end):
        return 0
    size: int = struct.unpack_from("<I", end, place + 12)[0]
    other = end.rfind(_DIRECTORY_END_64, 0, place)
    if size == _NOT_HERE and other >= 0:
        size = struct.unpack_from("<Q", end, other + 40)[0]
    return size
