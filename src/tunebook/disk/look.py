"""Looks at the file system of a directory: space, locks, and whether it can be written.

Run as a process of its own, which is ended if it takes too long: a file server that has gone does not
answer, and whoever asks it waits for ever. Standard library only.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Place", "look", "main"]

_MOUNTS = "/proc/self/mounts"
_FILE_TYPE, _SOURCE, _POINT = 2, 0, 1  # fields of a line there


@dataclass(frozen=True)
class Place:
    """A directory's file system.

    Attributes:
        directory: the nearest directory that exists.
        file_system: its kind, such as ``ext4``, ``nfs4`` or ``lustre``; empty where the system does not say.
        source: the device or server that it comes from, and ``mount`` the directory that it is mounted at.
        free_bytes: free for this user; ``total_bytes``: of all.
        free_files: how many more files it can hold; ``None`` where there is no fixed number.
        unwritable: why no file can be made there, in the system's words; empty if one can.
        lockless: why files cannot be locked there; empty if they can.
    """

    directory: str
    file_system: str
    source: str
    mount: str
    free_bytes: int
    total_bytes: int
    free_files: int | None
    unwritable: str = ""
    lockless: str = ""


def look(path: Path) -> Place:
    """Looks at the nearest existing directory; makes a temporary file there and removes it.

    Raises:
        OSError: the file system does not answer.
    """
    directory = path
    while not directory.exists():
        directory = directory.parent
    if not directory.is_dir():
        directory = directory.parent
    facts = os.statvfs(directory)
    source, mount, kind = _mount_of(directory)
    unwritable, lockless = _try_file(directory)
    return Place(
        directory=str(directory),
        file_system=kind,
        source=source,
        mount=mount,
        free_bytes=facts.f_bavail * facts.f_frsize,
        total_bytes=facts.f_blocks * facts.f_frsize,
        free_files=facts.f_favail if facts.f_files else None,
        unwritable=unwritable,
        lockless=lockless,
    )


def _mount_of(directory: Path) -> tuple[str, str, str]:
    """The source, the mount point and the kind of a directory's file system; empty texts where they are not known."""
    real = os.path.realpath(directory)
    found, longest = ("", "", ""), -1
    with suppress(OSError):
        for line in Path(_MOUNTS).read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            fields = [field.replace("\\040", " ") for field in line.split()]
            point = fields[_POINT]
            is_above = real == point or real.startswith(point.rstrip("/") + "/")
            if is_above and len(point) >= longest:  # of two mounts at one place the last one counts
                found, longest = (fields[_SOURCE], point, fields[_FILE_TYPE]), len(point)
    return found


def _try_file(directory: Path) -> tuple[str, str]:
    """Why a file cannot be written there, and why it cannot be locked."""
    try:
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".tunebook-doctor-") as file:
            file.write(b"0" * 4096)
            file.flush()
            os.fsync(file.fileno())
            return "", _lock(file.fileno(), file.name)
    except OSError as error:
        return error.strerror or str(error), ""


def _lock(handle: int, name: str) -> str:
    """Locks a file twice: the second attempt must fail."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.strerror or str(error)
    second = os.open(name, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        is_held = error.errno in {errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK}
        return "" if is_held else error.strerror or str(error)
    finally:
        os.close(second)
    return "two locks of one file do not exclude each other"


def main() -> int:
    """``PATH``: prints what :func:`look` finds as JSON, or the reason why it finds nothing."""
    try:
        document: dict[str, object] = {"place": asdict(look(Path(sys.argv[1])))}
    except OSError as error:
        document = {"failed": error.strerror or str(error)}
    sys.stdout.write(json.dumps(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
