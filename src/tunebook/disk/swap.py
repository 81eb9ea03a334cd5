"""Puts a new version of a file in the place of one that was read, and loses nothing that is saved meanwhile.

A signal that ends the process is held back between the steps that belong together.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

from tunebook.disk.atomic import write_bytes
from tunebook.disk.exchange import exchange, move_new
from tunebook.disk.interrupts import deferred
from tunebook.disk.versions import Mark, Version, look, mark_of

__all__ = ["swap_in", "write_in_place"]

_ROUNDS = 100
_REMOVED_S = 0.5  # so long an editor may take between removing a file and writing it again
_HELD = "held.part"

_State = tuple[Mark | None, bytes]


def swap_in(entry: Path, target: Path, expected: Version) -> bool:
    """Puts the file at ``entry`` at ``target``, if that still is the version that was read.

    Returns:
        Whether it did. Then the replaced version is at ``entry``, if the file system can keep it. Otherwise somebody
        saved: what is newest is at ``target``, and the rest at ``entry``.

    Raises:
        OSError: a directory cannot be changed.
    """
    put_in = _state(entry)
    if mark_of(target) != expected.mark:
        return False
    with deferred():
        return _swap(entry, target, expected, put_in)


def write_in_place(target: Path, expected: Version, content: bytes) -> bool:
    """Writes into a file that was read; returns whether it still was as it was read.

    Raises:
        OSError: the disk took only a part; then the file has its old content again, whose blocks it had.
    """
    handle = os.open(target, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(handle, "r+b", buffering=0) as file:
        if Mark.of(os.fstat(handle)) != expected.mark or file.read() != expected.content:
            return False
        with deferred():
            try:
                _overwrite(handle, content)
            except OSError:
                _overwrite(handle, expected.content)
                raise
        os.fsync(handle)
    return True


def _overwrite(handle: int, content: bytes) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(handle, content[written:], written)
    os.ftruncate(handle, len(content))


def _swap(entry: Path, target: Path, expected: Version, put_in: _State) -> bool:
    try:
        is_swapped = exchange(entry, target)
    except FileNotFoundError:
        return False  # an editor has just moved the plan away
    if not is_swapped:
        return _rename_onto(entry, target, expected)
    if _is(entry, expected):
        return True
    _settle(entry, target, put_in)
    return False


def _settle(entry: Path, target: Path, put_in: _State) -> None:
    """Exchanges until what comes out is what was put in last: whatever else comes out was saved after that."""
    begun = time.monotonic()
    for _ in range(_ROUNDS):
        came_out = _state(entry)
        try:
            exchange(entry, target)
        except FileNotFoundError:
            if time.monotonic() - begun > _REMOVED_S:
                with suppress(FileExistsError):
                    move_new(entry, target)
                    return
            time.sleep(0.01)
            continue
        if _state(entry) == put_in:
            return
        put_in = came_out


def _state(path: Path) -> _State:
    """What tells one version from another; a link, a pipe or a directory has no content."""
    try:
        version = look(path)
    except OSError:
        return mark_of(path), b""
    return (None, b"") if version is None else (version.mark, version.content)


def _is(path: Path, version: Version) -> bool:
    return _state(path) == (version.mark, version.content)


def _rename_onto(entry: Path, target: Path, expected: Version) -> bool:
    """Does the same where files cannot be exchanged, but for the moment between the last look and the rename."""
    held = entry.with_name(_HELD)
    held.unlink(missing_ok=True)
    try:
        os.link(target, held)
    except OSError:  # no hard links here, or another file system
        held = target
    is_as_read = _is(held, expected) and _replace(entry, target, expected)
    if held != target:
        if is_as_read:
            held.rename(entry)
        else:
            held.unlink()
    return is_as_read


def _replace(entry: Path, target: Path, expected: Version) -> bool:
    try:
        entry.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return True
    is_written = write_bytes(
        target, entry.read_bytes(), within=None, durable=True, only_if=lambda: _is(target, expected)
    )
    if is_written:
        entry.unlink()
    return is_written
