"""Writes files whole or not at all, and only inside the experiment that they belong to."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import platform
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path

from tunebook.core.paths import PARTS
from tunebook.disk.inside import place_inside
from tunebook.disk.read import read_text
from tunebook.disk.this_machine import process_space
from tunebook.errors import ConflictError

__all__ = [
    "named",
    "open_in_folder",
    "own_host",
    "part_owner",
    "part_path",
    "replace_text",
    "replaced",
    "sync_directory",
    "write_bytes",
    "write_text",
]

_COUNTER = itertools.count()
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_PART = re.compile(r"\..*\.(\d+)-\d+@(.*)\.part", re.DOTALL)


def write_text(
    path: Path,
    text: str,
    *,
    within: Path | None,
    executable: bool = False,
    durable: bool = False,
    only_if: Callable[[], bool] | None = None,
) -> bool:
    """Replaces a file by renaming a temporary one; writes through a symbolic link, and keeps the file's mode.

    Only files that cannot be generated again are ``durable``: a synced write costs milliseconds, and a sweep has
    thousands of files.

    Args:
        within: the experiment's directory, which no link may lead out of; ``None`` for a file that a person owns and
            may keep elsewhere.
        only_if: asked at the last moment; ``False`` leaves the file as it is.

    Returns:
        Whether the file was replaced.

    Raises:
        LinkError: a symbolic link leads out of the experiment.
        OSError: it could not be written; the error names the file.
    """
    content = text.encode("utf-8", "surrogateescape")
    return write_bytes(path, content, within=within, executable=executable, durable=durable, only_if=only_if)


def replace_text(path: Path, before: str | None, text: str, *, within: Path | None) -> None:
    """Replaces a file that still has the text that was read, or that is still missing (``None``).

    Args:
        within: as in :func:`write_text`.

    Raises:
        ConflictError: somebody saved another text meanwhile, which is kept.
        LinkError, OSError: as :func:`write_text`.
    """
    if not write_text(path, text, within=within, only_if=lambda: read_text(path) == before):
        raise ConflictError(f"{path} was changed while this ran, and is kept", hint="repeat the command")


def write_bytes(
    path: Path,
    content: bytes,
    *,
    within: Path | None,
    executable: bool = False,
    durable: bool = False,
    only_if: Callable[[], bool] | None = None,
) -> bool:
    """Does what :func:`write_text` does, with bytes."""
    if within is not None:
        target = place_inside(path, within)
    else:
        target = os.path.realpath(path) if os.path.islink(path) else os.fspath(path)  # noqa: PTH114
    replace = partial(_replace, target, content, executable=executable, durable=durable, only_if=only_if)
    try:
        try:
            return replace(part_path(target, within))
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return replace(part_path(target, None))  # a part of the experiment is on another file system
    except OSError as error:
        raise named(error, target) from error


@contextmanager
def replaced(path: Path, *, within: Path) -> Iterator[str]:
    """Gives the path of a temporary file, which replaces the file once the block has filled it.

    Raises:
        LinkError: a symbolic link leads out of the experiment.
        OSError: it could not be written.
    """
    target = place_inside(path, within)
    temporary = part_path(target, within)
    try:
        for folder in {os.path.dirname(temporary), os.path.dirname(target)}:  # noqa: PTH120
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        yield temporary
        _move(temporary, target)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), target) from error  # libraries have other words
    finally:
        _remove(temporary)


def _move(temporary: str, target: str) -> None:
    try:
        os.replace(temporary, target)  # noqa: PTH105
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = part_path(target, None)  # a part of the experiment is on another file system
        try:
            shutil.copyfile(temporary, beside)
            os.replace(beside, target)  # noqa: PTH105
        finally:
            _remove(beside)


def part_owner(name: str) -> tuple[int, str] | None:
    """Returns the process and the host that write a temporary file; ``None`` for other files."""
    found = _PART.fullmatch(name)
    if found is None:
        return None
    return int(found[1]), found[2]


def named(error: OSError, path: str) -> OSError:
    """The error with the file that a person knows: a full disk names none, and a temporary file says nothing."""
    if error.errno is None:
        return error
    return OSError(error.errno, error.strerror, path)


def sync_directory(folder: str) -> None:
    """Returns when the names in a directory are on the disk; some file systems cannot say."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def part_path(target: str, within: Path | None) -> str:
    """The temporary file: those of an experiment are in one directory, where a later command finds what was left."""
    folder, name = os.path.split(target)
    if within is not None:
        folder = _parts(os.fspath(within))
    short = os.fsdecode(os.fsencode(name)[:100])  # a name has at most 255 bytes, not characters
    return f"{folder}/.{short}.{os.getpid()}-{next(_COUNTER)}@{own_host()}.part"


@lru_cache
def own_host() -> str:
    """This host's name and the space in which its processes are numbered: containers may share the name."""
    space = process_space().removeprefix("pid:[").removesuffix("]")
    return f"{platform.node()[:64]}.{space}"


@lru_cache
def _parts(within: str) -> str:
    return place_inside(f"{within}/{PARTS}", within)


def _replace(
    target: str,
    content: bytes,
    temporary: str,
    *,
    executable: bool,
    durable: bool,
    only_if: Callable[[], bool] | None,
) -> bool:
    try:
        _fill(temporary, content, target, executable=executable, durable=durable)
        if only_if is not None and not only_if():
            _remove(temporary)
            return False
        try:
            os.replace(temporary, target)  # noqa: PTH105
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
            os.replace(temporary, target)  # noqa: PTH105
    except BaseException:
        _remove(temporary)
        raise
    if durable:
        sync_directory(os.path.dirname(target))  # noqa: PTH120
    return True


def _remove(temporary: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(temporary)  # noqa: PTH108


def _fill(temporary: str, content: bytes, target: str, *, executable: bool, durable: bool) -> None:
    handle = open_in_folder(temporary, _FLAGS, 0o777 if executable else 0o666)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.fchmod(file.fileno(), stat.S_IMODE(os.stat(target).st_mode))  # noqa: PTH116
        if durable:
            file.flush()
            os.fsync(file.fileno())


def open_in_folder(path: str, flags: int, mode: int) -> int:
    """Opens a file, and makes its folder where it is missing: nearly always it is there."""
    try:
        return os.open(path, flags, mode)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        return os.open(path, flags, mode)
