"""Stamps: one digest of many files that is equal as long as none of them has changed; unchanged files are not read."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["NEVER_FRESH_NS", "FileState", "files_below", "stamp_of"]

_FRESH_NS = 2_000_000_000
"""A file that was written so shortly before it was looked at may change again without another time."""
NEVER_FRESH_NS = sys.maxsize
"""A moment for files that nobody else writes: they are compared by size, time and inode only."""
_MOST_READ = 64 << 20  # bytes of a fresh file; a larger one counts as changed
_CHUNK = 1 << 20

Ignored = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as the file system describes it; ``size`` is -1 for one that cannot be looked at."""

    path: str
    size: int = -1
    changed_ns: int = 0
    inode: int = 0


def files_below(place: Path, *, ignored: Ignored = lambda _: False) -> list[FileState]:
    """Every file below a directory, through symbolic links; of a file its own state; one that is missing has a state.

    Args:
        ignored: gets the path of a file or a directory relative to ``place``; nothing of these is looked at.
    """
    root = os.fspath(place)
    if not os.path.isdir(root):  # noqa: PTH112  a sweep has thousands
        return [_state(root)]
    return list(_walk(root, "", ignored, frozenset()))


def _walk(root: str, below: str, ignored: Ignored, above: frozenset[tuple[int, int]]) -> Iterator[FileState]:
    folder = os.path.join(root, below)  # noqa: PTH118
    try:
        own = os.stat(folder)  # noqa: PTH116
        entries = list(os.scandir(folder))
    except OSError:
        yield FileState(folder)
        return
    identity = (own.st_dev, own.st_ino)
    if identity in above:  # a link to a directory that contains it
        return
    for entry in entries:
        name = f"{below}/{entry.name}" if below else entry.name
        if ignored(name):
            continue
        if entry.is_dir():
            yield from _walk(root, name, ignored, above | {identity})
        else:
            yield _state(entry.path)


def _state(path: str) -> FileState:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return FileState(path)
    if not stat.S_ISREG(found.st_mode):
        return FileState(path, inode=found.st_ino)  # a pipe or a socket, which has no content to compare
    # The time of the last change of content or name: unlike that of the content, no program can set it back.
    return FileState(path, found.st_size, max(found.st_mtime_ns, found.st_ctime_ns), found.st_ino)


def stamp_of(files: Iterable[FileState], *, seen_ns: int) -> str:
    """One digest of the states of files, and of the contents of those that were written just before.

    Args:
        seen_ns: when the files were first looked at; a later call with the same moment can be compared.
    """
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path):
        line = f"{file.path}\0{file.size}\0{file.changed_ns}\0{file.inode}"
        if file.changed_ns > seen_ns - _FRESH_NS:
            line += f"\0{_content(file)}"
        digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()


def _content(file: FileState) -> str:
    """The digest of a file's content; of one that is too large a text that never comes again."""
    digest = hashlib.sha256()
    if file.size <= _MOST_READ:
        try:
            with open(file.path, "rb", buffering=0) as stream:  # noqa: PTH123
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
            return digest.hexdigest()
        except OSError:
            pass
    return f"not read, {time.time_ns()}"
