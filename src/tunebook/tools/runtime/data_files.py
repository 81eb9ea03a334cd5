"""Finds the files of a data set's splits and reads their examples one by one, whatever their size.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.installing import install_here
from tunebook.tools.runtime.json_stream import LONGEST_VALUE, JsonStream, parse_json
from tunebook.tools.runtime.lfs import is_lfs_pointer

__all__ = ["SUFFIXES", "DataReader", "MissingReaderError", "RawExample", "split_name"]

SUFFIXES = (".json", ".jsonl", ".parquet")
_ALLOWED = ", ".join(SUFFIXES)
_SPLITS = {"val": "validation", "valid": "validation", "dev": "validation"}
_KNOWN = ("train", "validation", "test")
_SHARD = re.compile(r"(?P<split>.+?)[-_](?P<number>\d{5})-of-(?P<total>\d{5})(?:-[0-9a-f]{8,})?")
_NOT_DATA = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "metadata.json"}
_LONGEST_LINE = LONGEST_VALUE + 1
_BATCH = 1000
_BATCH_BYTES = 2**25
_READ_BYTES = 2**20


class MissingReaderError(ValueError):
    """The file may be correct, but the package that reads it is not installed here."""


@dataclass(frozen=True)
class RawExample:
    """An example as it is in its file; ``place`` is the file, with the line where it has lines."""

    split: str
    number: int
    place: str
    value: Any

    def __str__(self) -> str:
        return f"{self.place}, {self.split}, example {self.number}"


def split_name(name: str) -> str:
    """The split that a key or a file's stem names, in one spelling."""
    return _SPLITS.get(name.lower(), name.lower())


class DataReader:
    """A data set: a JSON file, with splits as keys or without; a JSONL or Parquet file; a directory of such files.

    All of a file without splits is training data.

    Attributes:
        counts: split to the number of its examples that were read; complete once :meth:`examples` has ended.
        keys: the names of the splits as they are written; ``has_splits`` is false for a file that names none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.counts: dict[str, int] = {}
        self.keys: list[str] = []
        self.has_splits = True

    def examples(self, only: str | None = None) -> Iterator[RawExample]:
        """The examples of all splits, or of one.

        Raises:
            ValueError: the data set cannot be read; the message names the file and, where it has lines, the line.
        """
        try:
            if self._path.is_dir():
                yield from self._of_directory(only)
            elif self._path.exists():
                yield from self._of_file(only)
            else:
                raise ValueError(f"the data set {self._path} was not found")
        except OSError as error:
            raise ValueError(f"{error.filename or self._path} cannot be read: {error.strerror or error}") from error

    def _of_directory(self, only: str | None) -> Iterator[RawExample]:
        for split, files in _files_by_split(self._path).items():
            self.counts[split] = 0
            self.keys.append(split)
            if only not in (None, split):
                continue
            for file in files:
                for key, line, value in _contents(file):
                    if key is not None:
                        raise ValueError(f"{file} has top-level keys; a file of one split is a list of examples")
                    if value is _NOTHING:
                        continue
                    yield self._next(split, file, line, value)

    def _of_file(self, only: str | None) -> Iterator[RawExample]:
        shard = _SHARD.fullmatch(self._path.stem)
        if shard and int(shard["total"]) > 1:
            raise ValueError(f"{self._path} is one of {int(shard['total'])} parts: give the directory with all of them")
        spelling: dict[str, str] = {}
        for key, line, value in _contents(self._path):
            split = "train"
            if key is not None:
                split = split_name(key)
            written = spelling.setdefault(split, key or "")
            if written != (key or ""):
                raise ValueError(f"{self._path} has both `{written}` and `{key}`: write one {split} split")
            if value is _NOTHING:
                self.counts[split] = 0
                if key:
                    self.keys.append(key)
                self.has_splits = key is not None
            elif only in (None, split):
                yield self._next(split, self._path, line, value)

    def _next(self, split: str, file: Path, line: int | None, value: Any) -> RawExample:
        number = self.counts[split]
        self.counts[split] = number + 1
        place = str(file)
        if line is not None:
            place += f":{line}"
        return RawExample(split, number, place, value)


_NOTHING = object()
"""A marker in place of a value: the split exists, even if it is empty."""

_Content = tuple[str | None, int | None, Any]
"""The top-level key (``None`` in a list), the line, and the value."""


def _files_by_split(directory: Path) -> Mapping[str, tuple[Path, ...]]:
    """The files of each split: one, or all the parts that their names announce."""
    files = _data_files(directory) or _data_files(directory / "data")
    if not files:
        names = ", ".join(sorted(file.name for file in islice(directory.iterdir(), 5))) or "nothing"
        raise ValueError(f"{directory} holds no data file ({_ALLOWED}); it holds: {names}")
    found: dict[str, list[Path]] = {}
    for file in files:
        shard = _SHARD.fullmatch(file.stem)
        name = file.stem
        if shard:
            name = shard["split"]
        found.setdefault(split_name(name), []).append(file)
    return {split: _whole(split, tuple(parts)) for split, parts in found.items()}


def _data_files(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    files = (file for file in sorted(directory.iterdir()) if file.suffix.lower() in SUFFIXES)
    return [file for file in files if file.name not in _NOT_DATA and not file.name.startswith(".")]


def _whole(split: str, files: tuple[Path, ...]) -> tuple[Path, ...]:
    """The files of one split, if they are the only ones and complete."""
    parts = _shards(files)
    if not parts and len(files) == 1:
        return files
    kinds = {(shard["split"], shard["total"]) for shard in parts}
    suffixes = {file.suffix for file in files}
    if len(parts) != len(files) or len(kinds) != 1 or len(suffixes) != 1:
        names = ", ".join(file.name for file in files)
        raise ValueError(f"{files[0].parent} has several files of the {split} split: {names}; keep one")
    total = int(parts[0]["total"])
    missing = set(range(total)) - {int(shard["number"]) for shard in parts}
    if missing:
        numbers = ", ".join(map(str, sorted(missing)))
        raise ValueError(f"{files[0].parent} lacks parts {numbers} of {total} of the {split} split")
    return files


def _shards(files: Iterable[Path]) -> list[re.Match[str]]:
    """The names of those files that are parts of a split."""
    found = []
    for file in files:
        shard = _SHARD.fullmatch(file.stem)
        if shard is not None:
            found.append(shard)
    return found


def _contents(file: Path) -> Iterator[_Content]:
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{file} is not a data file that can be read: write one of {_ALLOWED}")
    if not file.is_file():  # a pipe would never end
        raise ValueError(f"{file} is not a file: a data set is a file, or a directory of files")
    if is_lfs_pointer(file):
        raise ValueError(f"{file} is a Git LFS pointer, not the data: run `git lfs pull` there")
    if suffix == ".parquet":
        yield None, None, _NOTHING
        yield from _parquet(file)
    elif suffix == ".jsonl":
        yield None, None, _NOTHING
        yield from _json_lines(file)
    else:
        yield from _json(file)


def _json_lines(file: Path) -> Iterator[_Content]:
    """One value per line; only a line feed ends a line, since JSON strings may hold U+2028 and other line ends."""
    for number, raw in _lines(file):
        text = _decoded(raw, file, number)
        if not text.strip(" \t\r\n"):
            continue
        try:
            value = parse_json(text)
        except ValueError as error:
            raise ValueError(f"{file}:{number}: {error}") from None
        yield None, number, value


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    with file.open("rb") as lines:
        number = 0
        while raw := lines.readline(_LONGEST_LINE):
            number += 1
            if len(raw) == _LONGEST_LINE:
                raise ValueError(f"{file}:{number}: the line has more than {LONGEST_VALUE:,} bytes")
            yield number, raw


def _decoded(raw: bytes, file: Path, number: int) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte {error.start + 1} of the line is 0x{raw[error.start]:02x}"
        raise ValueError(f"{file}:{number}: not UTF-8: {byte}; save the file as UTF-8") from None


def _json(file: Path) -> Iterator[_Content]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        stream = JsonStream(text)
        try:
            first = stream.next_character()
            if first == "[":
                yield None, None, _NOTHING
                yield from ((None, line, value) for line, value in stream.items())
            elif first == "{":
                yield from _splits(stream)
            problem = _wrong_end(stream, first)
        except UnicodeDecodeError:
            raise ValueError(_undecodable(file)) from None
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
    if problem:
        raise ValueError(f"{file}: {problem}")


def _wrong_end(stream: JsonStream, first: str) -> str:
    """Why a document is not a data set, although its first value can be read; empty for a data set."""
    if first not in ("[", "{"):
        return "holds neither a list of examples nor splits as top-level keys"
    if stream.next_character():
        hint = "give a file with one value per line the ending .jsonl"
        return f"text follows the JSON value (line {stream.line}): {hint}"
    return ""


def _splits(stream: JsonStream) -> Iterator[_Content]:
    seen: set[str] = set()
    for key in stream.keys():  # noqa: SIM118  not a mapping
        if key in seen:
            raise ValueError(f"the key `{key}` appears twice (line {stream.line})")
        seen.add(key)
        if stream.next_character() == "[":
            yield key, None, _NOTHING
            yield from ((key, line, value) for line, value in stream.items())
            continue
        line = stream.line
        stream.value()
        if split_name(key) in _KNOWN:
            raise ValueError(f"`{key}` must be a list of examples (line {line})")


def _undecodable(file: Path) -> str:
    """The message on the first line that is not UTF-8."""
    try:
        for number, raw in _lines(file):
            _decoded(raw, file, number)
    except ValueError as error:
        return str(error)
    return f"{file}: not UTF-8; save the file as UTF-8"


def _parquet(file: Path) -> Iterator[_Content]:
    try:
        from pyarrow import parquet
    except ImportError:
        message = f"{file} can be read only where pyarrow is installed: {install_here('pyarrow')}"
        raise MissingReaderError(message) from None
    try:
        with parquet.ParquetFile(file, buffer_size=_READ_BYTES) as table:
            for batch in table.iter_batches(batch_size=_rows_at_once(table.metadata)):
                for value in batch.to_pylist():
                    yield None, None, value
    except (ValueError, NotImplementedError) as error:  # pyarrow's ArrowInvalid and ArrowNotImplementedError
        raise ValueError(f"{file} is not a whole Parquet file: {error}") from error
    except OSError as error:  # damaged pages
        raise ValueError(f"{file} cannot be read: {error}") from error


def _rows_at_once(metadata: Any) -> int:
    """As many rows as fit into the bytes that are in memory at a time."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    row_bytes = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
    return max(1, min(_BATCH, _BATCH_BYTES // max(1, row_bytes)))
