"""Reads files that anyone may have written: within bounds, and without a wait for a pipe."""

from __future__ import annotations

import errno
import os
import stat
from typing import Any, BinaryIO

from tunebook.core.json_text import parse_json

__all__ = ["MOST_BYTES", "open_regular", "read_bytes", "read_json", "read_text"]

MOST_BYTES = 1 << 28
"""No plan, manifest or configuration is as long; files of jobs are streamed instead."""


def read_text(path: str | os.PathLike[str], *, most: int = MOST_BYTES) -> str | None:
    """Returns a file's text, byte for byte; ``None`` for a missing file.

    Args:
        most: bytes that the file may have.

    Raises:
        OSError: it cannot be read, is no regular file, or is longer.
    """
    content = read_bytes(path, most=most)
    return None if content is None else content.decode("utf-8", "surrogateescape")


def read_json(path: str | os.PathLike[str], *, most: int = MOST_BYTES) -> Any:
    """Returns the value of a JSON file; ``None`` for a missing file.

    Raises:
        OSError: it cannot be read, is no regular file, or is longer.
        ValueError: it is no JSON, or nested too deeply.
    """
    text = read_text(path, most=most)
    return None if text is None else parse_json(text)


def read_bytes(path: str | os.PathLike[str], *, most: int = MOST_BYTES) -> bytes | None:
    """Does what :func:`read_text` does, without decoding."""
    try:
        file = open_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"it has {size} bytes, and at most {most} are read", os.fspath(path))
        return file.read()


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a file for reading piece by piece.

    Raises:
        OSError: it is missing, cannot be read, or is no regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe is not waited for
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    raise OSError(code, "it is not a regular file", os.fspath(path))
