"""Reads files that anyone may have written: within bounds, and without a wait for a pipe."""

from __future__ import annotations

import errno
import os
import stat
from typing import Any, BinaryIO

from tunebook.core.json_text import parse_json
from tunebook.errors import NOT_REGULAR

__all__ = ["MOST_BYTES", "is_no_file", "open_regular", "read_bytes", "read_json", "read_text"]

MOST_BYTES = 1 << 28
"""No plan, manifest or configuration is as long; files of jobs are streamed instead."""
_PIECE = 1 << 20
_NO_FILE = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EINVAL,
        errno.EFBIG,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENXIO,
    }
)


def is_no_file(error: OSError) -> bool:
    """Whether there is no such file, or something that is not read as one.

    After any other error, as of a network or with too many open files, the file may be there and as it was.
    """
    return error.errno in _NO_FILE


def read_text(path: str | os.PathLike[str], *, most: int = MOST_BYTES) -> str | None:
    """Returns a file's text, byte for byte; ``None`` for a missing file.

    Args:
        most: bytes that the file may have.

    Raises:
        OSError: it cannot be read, is not a regular file, or is longer.
    """
    content = read_bytes(path, most=most)
    return None if content is None else content.decode("utf-8", "surrogateescape")


def read_json(path: str | os.PathLike[str], *, most: int = MOST_BYTES) -> Any:
    """Returns the value of a JSON file; ``None`` for a missing file.

    Raises:
        OSError: it cannot be read, is not a regular file, or is longer.
        ValueError: it is not JSON, or nested too deeply.
    """
    text = read_text(path, most=most)
    return None if text is None else parse_json(text)


def read_bytes(path: str | os.PathLike[str], *, most: int = MOST_BYTES) -> bytes | None:
    """Does what :func:`read_text` does, without decoding."""
    try:
        handle, size = _opened(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:  # without a stream: a sweep has thousands of small files
        if size > most:
            raise OSError(errno.EFBIG, f"it has {size} bytes, and at most {most} are read", os.fspath(path))
        content = os.read(handle, size + 1)
        while len(content) != size and (more := os.read(handle, _PIECE)):
            content += more
        return content
    finally:
        os.close(handle)


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a file for reading piece by piece.

    Raises:
        OSError: it is missing, cannot be read, or is not a regular file.
    """
    handle, _ = _opened(path)
    return os.fdopen(handle, "rb")


def _opened(path: str | os.PathLike[str]) -> tuple[int, int]:
    """A regular file's descriptor and its size."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe is not waited for
    except ValueError:  # a record can name what no file system has, such as a NUL or half of a surrogate pair
        raise OSError(errno.EINVAL, "no file can have this name", os.fspath(path)) from None
    status = os.fstat(handle)
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return handle, status.st_size
    os.close(handle)
    code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    raise OSError(code, NOT_REGULAR, os.fspath(path))
