"""Versions of one file: how two of them are distinguished, and how a new one gets the attributes of the old one."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tunebook.disk.read import MOST_BYTES

__all__ = ["Mark", "Version", "copy_attributes", "digest_of", "look", "mark_of"]

_LOOKS = 5


@dataclass(frozen=True)
class Mark:
    """What changes whenever a program writes a file, or puts another in its place."""

    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Mark:
        """The mark of a file by its status."""
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)

    @classmethod
    def read(cls, text: str) -> Mark:
        """Does the inverse of ``str``.

        Raises:
            ValueError: it is not a mark.
        """
        inode, size, mtime_ns = map(int, text.split("-"))
        return cls(inode, size, mtime_ns)

    def __str__(self) -> str:
        return f"{self.inode}-{self.size}-{self.mtime_ns}"


@dataclass(frozen=True)
class Version:
    """A file as it was at one moment. Two writes in one tick of the clock differ in their content alone."""

    mark: Mark
    content: bytes
    status: os.stat_result

    def is_same(self, other: Version | None) -> bool:
        """Whether nobody wrote the file, or replaced it, between the two."""
        return other is not None and self.mark == other.mark and self.content == other.content

    @property
    def digest(self) -> str:
        """Stands for the content in a file's name."""
        return digest_of(self.content)


def digest_of(content: bytes) -> str:
    """Stands for a content in a file's name."""
    return hashlib.sha256(content).hexdigest()[:16]


def mark_of(path: Path) -> Mark | None:
    """The mark of what has this path, which may be a link; ``None`` if nothing has."""
    try:
        return Mark.of(path.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return None


def look(path: Path) -> Version | None:
    """Reads a file that another program may be writing; ``None`` if it does not exist.

    Raises:
        OSError: it cannot be read, is a link or no regular file, or is very long.
    """
    for _ in range(_LOOKS):
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            return None
        with os.fdopen(handle, "rb", buffering=0) as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(f"{path} is not a regular file")
            if status.st_size > MOST_BYTES:
                raise OSError(f"{path} has {status.st_size} bytes, and at most {MOST_BYTES} are read")
            content = file.read()
            after = os.fstat(handle)
        mark = Mark.of(after)
        if mark == Mark.of(status):
            break
    return Version(mark, content, after)


def copy_attributes(handle: int, source: Path, status: os.stat_result) -> None:
    """Gives an open file the owner, group, mode, access list and extended attributes of another.

    Raises:
        OSError: the system does not allow that.
    """
    own = os.fstat(handle)
    if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(handle, status.st_uid, status.st_gid)
    os.fchmod(handle, stat.S_IMODE(status.st_mode))
    if not hasattr(os, "listxattr"):
        return
    names: list[str] = []
    with suppress(OSError):  # a file system without extended attributes has none to keep
        names = os.listxattr(source)
    for name in names:
        if not name.startswith("security."):  # the system sets its own
            os.setxattr(handle, name, os.getxattr(source, name))
