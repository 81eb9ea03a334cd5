"""Appends lines to files that only grow, inside the experiment that they belong to."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from tunebook.disk.atomic import named, open_in_folder, sync_directory
from tunebook.disk.inside import place_inside
from tunebook.disk.schema import HEAD_START
from tunebook.errors import NOT_REGULAR

__all__ = ["append_lines"]

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def append_lines(path: Path, lines: bytes, *, within: Path, head: bytes = b"", durable: bool = False) -> int:
    """Appends whole lines; a last line that a crash has torn is closed first.

    Args:
        within: the experiment's directory.
        head: the first line of a new file; in a file of another format it comes before the lines.
        durable: whether to return only when the lines are on the disk.

    Returns:
        The place of the first of these lines in the file, if nobody else appended to it at the same moment.

    Raises:
        LinkError: a symbolic link leads out of the experiment.
        OSError: they could not be written; the error names the file.
    """
    target = place_inside(path, within)
    try:
        return _append(target, lines, head=head, durable=durable)
    except OSError as error:
        raise named(error, os.fspath(path)) from error


def _append(target: str, lines: bytes, *, head: bytes, durable: bool) -> int:
    handle = open_in_folder(target, _FLAGS, 0o666)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, NOT_REGULAR)
        before = b""
        is_new = status.st_size == 0
        if is_new:
            before = head
        else:
            if os.pread(handle, 1, status.st_size - 1) != b"\n":
                before = b"\n"
            if _is_of_another_format(handle, head):
                before += head
        _write_all(handle, before + lines)
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)
    if durable and is_new:
        sync_directory(os.path.dirname(target))  # noqa: PTH120
    return status.st_size + len(before)


def _is_of_another_format(handle: int, head: bytes) -> bool:
    """Whether the file's first line names another format than the lines have that are appended."""
    first = os.pread(handle, len(head), 0) if head else b""
    return first.startswith(HEAD_START) and first != head


def _write_all(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:  # a disk that becomes full takes a part
        rest = rest[os.write(handle, rest) :]
