"""Writes many files as one archive, a directory or a ZIP file: it has its name only once it is whole."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import time
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tunebook.disk.atomic import named, own_host, part_owner, part_path, sync_directory
from tunebook.disk.copied import Copied, copy_pieces
from tunebook.disk.exchange import exchange, move_new
from tunebook.disk.this_machine import has_process
from tunebook.errors import ConflictError

__all__ = ["ZIP_SUFFIX", "ArchiveOutput", "archive_output", "taken"]

ZIP_SUFFIX = ".zip"
_PACKED = frozenset({".eval", ".png", ".parquet", ".safetensors", ".zip", ".gz", ".pdf", ".pt", ".bin"})
"""Suffixes of files that packing makes no smaller."""
_OLDEST, _NEWEST = 315_619_200.0, 4_354_732_800.0  # seconds: ZIP has dates from 1980 to 2107


class ArchiveOutput(ABC):
    """An archive that is being written; each path is added once."""

    @abstractmethod
    def add(self, path: str, pieces: Iterator[bytes], *, modified_s: float) -> Copied:
        """Adds a file.

        Args:
            path: relative, with slashes.
            modified_s: the time of its last change, in seconds since 1970.

        Raises:
            OSError: it cannot be read or written.
        """


class _Directory(ArchiveOutput):
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def add(self, path: str, pieces: Iterator[bytes], *, modified_s: float) -> Copied:
        place = f"{self._folder}/{path}"
        os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
        with open(place, "xb") as file:  # noqa: PTH123
            copied = copy_pieces(pieces, file.write)
        os.utime(place, (modified_s, modified_s))
        return copied


class _Zip(ArchiveOutput):
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def add(self, path: str, pieces: Iterator[bytes], *, modified_s: float) -> Copied:
        member = zipfile.ZipInfo(path, time.localtime(min(max(modified_s, _OLDEST), _NEWEST))[:6])
        member.external_attr = 0o644 << 16
        is_packed = os.path.splitext(path)[1] in _PACKED  # noqa: PTH122
        member.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
        with self._archive.open(member, "w", force_zip64=True) as file:
            return copy_pieces(pieces, file.write)


@contextmanager
def archive_output(target: Path, *, overwrite: Callable[[Path], object] | None) -> Iterator[ArchiveOutput]:
    """Gives an archive to fill, which takes its name when the block ends; if the block fails, nothing is left.

    A name that ends in ``.zip`` is a ZIP file, any other a directory.

    Args:
        overwrite: replaces what has the name already, unless this, called at the last moment, raises an error.

    Raises:
        ConflictError: something has the name, and ``overwrite`` is not set.
        OSError: the archive cannot be written.
    """
    _remove_left(target)
    temporary = part_path(os.fspath(target), None)
    try:
        yield from _filled(target, temporary)
        _move(Path(temporary), target, overwrite=overwrite)
    except OSError as error:
        if error.filename is not None and not str(error.filename).startswith(temporary):
            raise
        raise named(error, os.fspath(target)) from error
    finally:
        _remove(temporary)


def _filled(target: Path, temporary: str) -> Iterator[ArchiveOutput]:
    if target.suffix.lower() == ZIP_SUFFIX:
        with open(temporary, "xb") as file:  # noqa: PTH123
            with zipfile.ZipFile(file, "w") as archive:
                yield _Zip(archive)
            file.flush()
            os.fsync(file.fileno())
    else:
        Path(temporary).mkdir()
        yield _Directory(temporary)
        os.sync()  # thousands of files: one by one would take minutes


def _move(temporary: Path, target: Path, *, overwrite: Callable[[Path], object] | None) -> None:
    if not os.path.lexists(target):
        _move_new(temporary, target)
    elif overwrite is None:
        raise taken(target)
    else:
        overwrite(target)
        _replace(temporary, target)
    sync_directory(os.fspath(target.parent))


def _replace(temporary: Path, target: Path) -> None:
    if not temporary.is_dir():
        temporary.replace(target)
    elif not exchange(temporary, target):
        aside = _free(target)  # not a temporary name: if this process is killed now, the earlier archive stays
        target.rename(aside)
        try:
            temporary.rename(target)
        except OSError:
            aside.rename(target)
            raise
        _remove(os.fspath(aside))


def _free(target: Path) -> Path:
    names = (target.with_name(f"{target.name}.earlier{number or ''}") for number in itertools.count())
    return next(name for name in names if not os.path.lexists(name))


def _move_new(temporary: Path, target: Path) -> None:
    try:
        if temporary.is_dir():
            temporary.rename(target)  # fails for a directory that holds something
        else:
            move_new(temporary, target)
    except OSError as error:
        if error.errno not in {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}:
            raise
        raise taken(target) from None


def taken(target: Path) -> ConflictError:
    """The error of a name that something has already."""
    return ConflictError(f"{target} exists", hint="name another place with `--to PATH`, or replace it: `--overwrite`")


def _remove_left(target: Path) -> None:
    """Removes what ended processes of this machine have left of an archive of this name."""
    with suppress(OSError):
        for name in os.listdir(target.parent):  # noqa: PTH208
            owner = part_owner(name)
            is_of_target = name.startswith(f".{os.fsdecode(os.fsencode(target.name)[:100])}.")
            if owner is not None and is_of_target and owner[1] == own_host() and not has_process(owner[0]):
                _remove(f"{target.parent}/{name}")


def _remove(path: str) -> None:
    if os.path.isdir(path):  # noqa: PTH112
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108
