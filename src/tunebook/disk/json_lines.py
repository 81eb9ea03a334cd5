"""Reads files with one JSON document per line, of any length, to which a crash may have left a torn line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from tunebook.core.json_text import parse_json
from tunebook.disk.append import append_lines
from tunebook.disk.read import open_regular
from tunebook.disk.schema import head_line, is_head

__all__ = ["LONGEST_LINE", "KeyedDocuments", "read_documents"]

LONGEST_LINE = 1 << 24
"""The bytes of a line that is read; a longer one is no document of tunebook's."""


def _whole_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yields each line with its place, without its end; lines that are longer are left out."""
    place = stream.tell()
    while piece := stream.readline(LONGEST_LINE):
        start = place
        place += len(piece)
        if piece.endswith(b"\n") or len(piece) < LONGEST_LINE:
            yield start, piece.removesuffix(b"\n")
            continue
        while piece and not piece.endswith(b"\n"):
            piece = stream.readline(LONGEST_LINE)
            place += len(piece)


def read_documents(path: Path) -> Iterator[Any]:
    """The documents in their order; lines that are no JSON are left out, and so is a file that cannot be read."""
    for _, document in _placed_documents(path):
        yield document


def _placed_documents(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        with open_regular(path) as stream:
            for place, line in _whole_lines(stream):
                try:
                    document = parse_json(line)
                except ValueError:
                    continue
                yield place, document
    except OSError:
        return


class KeyedDocuments:
    """The objects of a file by one of their values, the last one of each; only their places are kept in memory.

    Args:
        experiment: its directory.
        name: the file in it, which is only appended to; it is read when it is first needed.
        key: the name of the value.
        version: the format of the objects.
    """

    def __init__(self, experiment: Path, name: str, key: str, *, version: int) -> None:
        self._experiment = experiment
        self._name = name
        self._path = experiment / name
        self._key = key
        self._version = version
        self._known: dict[str, int] | None = None

    def __contains__(self, value: object) -> bool:
        """Whether there is an object with this value."""
        return value in self._places()

    def get(self, value: str) -> dict[str, Any] | None:
        """The object with this value."""
        place = self._places().get(value)
        if place is None:
            return None
        try:
            with open_regular(self._path) as stream:
                stream.seek(place)
                document = parse_json(stream.readline(LONGEST_LINE))
        except (OSError, ValueError):  # it was replaced since
            return None
        return document if isinstance(document, dict) and document.get(self._key) == value else None

    def append(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Adds objects at the file's end; a torn last line is closed first.

        Raises:
            LinkError: a symbolic link leads out of the experiment.
            OSError: the file cannot be written.
        """
        places = self._places()
        lines = {str(document[self._key]): json.dumps(document).encode() + b"\n" for document in documents}
        text, head = b"".join(lines.values()), head_line(self._version)
        place = append_lines(self._path, text, within=self._experiment, head=head)
        for value, line in lines.items():
            places[value] = place
            place += len(line)

    def _places(self) -> dict[str, int]:
        if self._known is None:
            self._known = {}
            for place, document in _placed_documents(self._path):
                if is_head(document, self._version, self._name):
                    continue
                value = document.get(self._key) if isinstance(document, dict) else None
                if isinstance(value, str):
                    self._known[value] = place
        return self._known
