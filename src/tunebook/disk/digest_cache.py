"""Remembers digests of files in ``.tunebook/digests.json``, so that unchanged files are not read again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tunebook.core.paths import DIGESTS
from tunebook.disk.atomic import write_text
from tunebook.disk.remembered import read_remembered

__all__ = ["Compute", "DigestCache", "FileIdentity", "file_identity"]

_VERSION = 1
_FRESH_NS = 2_000_000_000
"""A file that was written so recently may change again without another time stamp: it is read again next time."""

Compute = Callable[[str], str]
FileIdentity = tuple[int, int, int]
"""Size, time and inode."""


class DigestCache:
    """Digests by key, each with the size, the time and the inode of its file; a file that differs is read again."""

    def __init__(self, experiment: Path) -> None:
        self._experiment = experiment
        self._path = experiment / DIGESTS
        self._known: dict[str, tuple[FileIdentity, str]] | None = None
        self._used: dict[str, tuple[FileIdentity, str]] = {}
        self._is_changed = False

    def get(self, key: str, path: str, compute: Compute, identity: FileIdentity | None = None) -> str:
        """Returns what was computed for this key and this content of the file.

        Args:
            key: what is computed of the file, and how.
            compute: gets the path; called if the file has changed since the last call, or is new.
            identity: of the file, if it was looked at just before.

        Raises:
            OSError: the file cannot be read.
        """
        identity = identity or file_identity(path)
        known = self._used.get(key) or self._remembered().get(key)
        if known is not None and known[0] == identity:
            self._used[key] = known
            return known[1]
        value = compute(path)
        if file_identity(path) == identity and time.time_ns() - identity[1] > _FRESH_NS:
            self._used[key] = (identity, value)
            self._is_changed = True
        return value

    def save(self) -> None:
        """Writes what was used since this cache was made, if that is new; a directory without write access stays so."""
        if not self._is_changed:
            return
        files = {key: [*identity, value] for key, (identity, value) in self._used.items()}
        text = json.dumps({"version": _VERSION, "files": files}, separators=(",", ":"))
        with suppress(OSError):
            write_text(self._path, text, within=self._experiment)
        self._is_changed = False

    def _remembered(self) -> dict[str, tuple[FileIdentity, str]]:
        if self._known is None:
            self._known = read_remembered(self._path, _files, version=_VERSION) or {}
        return self._known


def file_identity(path: str) -> FileIdentity:
    """Size, time of the last change and inode: a file for which they are equal has the same content."""
    status = os.stat(path)  # noqa: PTH116  a sweep has thousands
    return status.st_size, status.st_mtime_ns, status.st_ino


def _files(document: Mapping[str, Any]) -> dict[str, tuple[FileIdentity, str]]:
    files = document["files"].items()
    return {key: ((int(size), int(mtime), int(inode)), str(value)) for key, (size, mtime, inode, value) in files}
