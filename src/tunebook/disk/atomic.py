"""Writes files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

__all__ = ["write_bytes", "write_text"]


def write_text(
    path: Path,
    text: str,
    *,
    executable: bool = False,
    durable: bool = False,
    only_if: Callable[[], bool] | None = None,
) -> bool:
    """Replaces a file by renaming a temporary one; writes through a symbolic link, and keeps the file's mode.

    Only files that cannot be generated again are ``durable``: a synced write costs milliseconds, and a sweep has
    thousands of files.

    Args:
        only_if: asked at the last moment; ``False`` leaves the file as it is.

    Returns:
        Whether the file was replaced.
    """
    content = text.encode("utf-8", "surrogateescape")
    return _replace(path, content, executable=executable, durable=durable, only_if=only_if)


def write_bytes(path: Path, content: bytes) -> None:
    """Does what :func:`write_text` does, with bytes."""
    _replace(path, content, executable=False, durable=False, only_if=None)


def _replace(
    path: Path, content: bytes, *, executable: bool, durable: bool, only_if: Callable[[], bool] | None
) -> bool:
    target = os.path.realpath(path) if os.path.islink(path) else os.fspath(path)  # noqa: PTH114
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name[:100]}.{os.getpid()}.part")  # noqa: PTH118
    try:
        _fill(temporary, content, target, executable=executable, durable=durable)
        if only_if is not None and not only_if():
            os.unlink(temporary)  # noqa: PTH108
            return False
        os.replace(temporary, target)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise
    return True


def _fill(temporary: str, content: bytes, target: str, *, executable: bool, durable: bool) -> None:
    handle = _create(temporary, 0o777 if executable else 0o666)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        with contextlib.suppress(FileNotFoundError):
            os.fchmod(file.fileno(), stat.S_IMODE(os.stat(target).st_mode))  # noqa: PTH116
        if durable:
            file.flush()
            os.fsync(file.fileno())


def _create(temporary: str, mode: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        return os.open(temporary, flags, mode)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(temporary), exist_ok=True)  # noqa: PTH103, PTH120
        return os.open(temporary, flags, mode)
