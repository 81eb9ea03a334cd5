"""The format of each record that tunebook keeps: newer ones are refused, older ones upgraded when they are read.

A record names its format: a document in one of its keys, a file with one document per line in its first line. The
reader knows one format. For each older format that a released tunebook wrote, the record's schema has one step that
makes a document of the next format. The file itself is in the new format as soon as it is written again; lines that are
appended to an older file begin with a first line of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tunebook.errors import DamagedError, NewerFormatError

__all__ = ["HEAD_START", "LineSchema", "Schema", "Upgrade"]

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
_LINES_KEY = "format"
HEAD_START = f'{{"{_LINES_KEY}": '.encode()
"""How the first line of a file with one document per line begins."""


@dataclass(frozen=True)
class Schema:
    """The format of a record that is one document.

    Attributes:
        file: the record, relative to the experiment's directory.
        version: the format that is read and written here.
        key: where a document names its format.
        steps: an older format to what makes a document of the next format.
    """

    file: str
    version: int
    key: str = "version"
    steps: Mapping[int, Upgrade] = field(default_factory=lambda: MappingProxyType({}))

    def upgraded(self, document: Any, *, file: str = "") -> Any:
        """A document in the format that is read here.

        Args:
            file: the file that it comes from, if there are several such records.

        Raises:
            NewerFormatError: a newer tunebook wrote it.
            DamagedError: it has a format that no tunebook wrote.
            LookupError, TypeError: it names no format.
        """
        version = document[self.key]
        return {**_stepped(document, version, self.version, self.steps, file or self.file), self.key: self.version}


@dataclass(frozen=True)
class LineSchema:
    """The format of a record with one document per line; a line that names a format applies to those below it.

    Attributes:
        file: the record, relative to the experiment's directory.
        version: the format that is read and written here.
        steps: an older format to what makes a line's document of the next format.
    """

    file: str
    version: int
    steps: Mapping[int, Upgrade] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def head(self) -> bytes:
        """The line that names the format that is written here."""
        return json.dumps({_LINES_KEY: self.version}).encode() + b"\n"

    def named_by(self, document: Any) -> int | None:
        """The format that a line names for those below it; ``None`` for other lines.

        Raises:
            NewerFormatError: a newer tunebook wrote the lines.
            DamagedError: no tunebook wrote this format.
        """
        if not isinstance(document, dict) or list(document) != [_LINES_KEY]:
            return None
        version = document[_LINES_KEY]
        _refuse_unknown(version, self.version, self.steps, self.file)
        return int(version)

    def upgraded(self, document: Any, version: int) -> Any:
        """A line's document in the format that is read here."""
        return document if version == self.version else _stepped(document, version, self.version, self.steps, self.file)


def _stepped(document: Any, version: Any, known: int, steps: Mapping[int, Upgrade], file: str) -> Any:
    _refuse_unknown(version, known, steps, file)
    while version < known:
        document = steps[version](dict(document))
        version += 1
    return document


def _refuse_unknown(version: Any, known: int, steps: Mapping[int, Upgrade], file: str) -> None:
    if not isinstance(version, int) or isinstance(version, bool):
        raise DamagedError(f"names no format, but {version!r}", file=file, hint="restore it from a backup")
    if version > known:
        message = f"was written by a newer tunebook: it has format {version}, and this one reads formats up to {known}"
        raise NewerFormatError(message, file=file, hint="update tunebook, or work in a copy of the experiment")
    if not all(older in steps for older in range(version, known)):
        message = (
            f"has format {version}, which no tunebook wrote; the oldest one that is read is {min(steps, default=known)}"
        )
        raise DamagedError(message, file=file, hint="restore it from a backup")
