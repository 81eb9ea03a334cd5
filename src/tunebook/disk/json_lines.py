"""Reads files with one JSON document per line, of any length, to which a crash may have left a torn line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from tunebook.core.json_text import UNFIT, parse_json
from tunebook.disk.append import append_lines
from tunebook.disk.read import open_regular
from tunebook.disk.schema import LineSchema

__all__ = ["LONGEST_LINE", "KeyedDocuments", "read_documents"]

LONGEST_LINE = 1 << 24
"""The bytes of a line that is read; a longer one is not a document of tunebook's."""


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
    """The documents in their order; lines that are not JSON are left out, and so is a file that cannot be read."""
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
        schema: the format of the file, which is only appended to; it is read when it is first needed.
        key: the name of the value.
    """

    def __init__(self, experiment: Path, schema: LineSchema, key: str) -> None:
        self._experiment = experiment
        self._schema = schema
        self._path = experiment / schema.file
        self._key = key
        self._known: dict[str, tuple[int, int]] | None = None  # the place of each line, and its format

    def __contains__(self, value: object) -> bool:
        """Whether there is an object with this value."""
        return value in self._places()

    def get(self, value: str) -> dict[str, Any] | None:
        """The object with this value."""
        place, version = self._places().get(value, (-1, 0))
        if place < 0:
            return None
        try:
            with open_regular(self._path) as stream:
                stream.seek(place)
                document = self._schema.upgraded(parse_json(stream.readline(LONGEST_LINE)), version)
        except (OSError, *UNFIT):  # it was replaced since
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
        text = b"".join(lines.values())
        place = append_lines(self._path, text, within=self._experiment, head=self._schema.head)
        for value, line in lines.items():
            places[value] = place, self._schema.version
            place += len(line)

    def _places(self) -> dict[str, tuple[int, int]]:
        if self._known is None:
            self._known = {}
            version = self._schema.version
            for place, document in _placed_documents(self._path):
                named = self._schema.named_by(document)
                if named is not None:
                    version = named
                    continue
                value = document.get(self._key) if isinstance(document, dict) else None
                if isinstance(value, str):
                    self._known[value] = place, version
        return self._known
