"""Finds questions of an evaluation among the inputs of a training split, as they are and apart from case and spaces."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.core.paths import STATE_DIRECTORY, expanded
from tunebook.disk.atomic import write_text
from tunebook.disk.remembered import read_remembered
from tunebook.tools.data_record import files_state
from tunebook.tools.hash_counts import HashCounts
from tunebook.tools.runtime.data_files import DataReader
from tunebook.tools.runtime.data_formats import DATASET_TYPES, FormatReader, Record

__all__ = ["Overlap", "Overlaps"]

_CACHE = f"{STATE_DIRECTORY}/analysis/overlaps.json"
_VERSION = 1
_MOST = 100  # numbers that are remembered
_LONGEST = 1000  # the prompts in logs are cut there
_TRAIN = "train"
_EVALUATED = ("test", "validation")  # the splits of a task's file, the one to prefer first


@dataclass(frozen=True)
class Overlap:
    """How many questions are inputs of training examples.

    Attributes:
        asked: how many questions were compared.
        equal: how many are such an input; ``alike`` differ from one in case or white space only.
    """

    asked: int = 0
    equal: int = 0
    alike: int = 0

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self.equal or self.alike)


@dataclass
class Overlaps:
    """Compares questions with training data, and remembers the numbers until the data or the questions change.

    Attributes:
        experiment: the directory, which paths of data sets are relative to.
        use_cache: whether to remember them between two analyses.
    """

    experiment: Path
    use_cache: bool = True

    def of_questions(self, path: str, kind: str | None, questions: Sequence[str]) -> Overlap:
        """The questions of an evaluation, as its log has them, among the inputs of a data set's training split."""
        identity = ["questions", path, kind, files_state(self.experiment, path), *questions]
        return self._remembered(identity, lambda: self._compared(path, kind, _Texts(questions)))

    def of_file(self, path: str, kind: str | None, file: str) -> Overlap:
        """The questions in a task's own file, of the split that an evaluation asks."""
        states = [files_state(self.experiment, path), files_state(self.experiment, file)]

        def compared() -> Overlap:
            return self._compared(path, kind, _questions_in(self.experiment / expanded(file), kind))

        return self._remembered(["file", path, kind, file, states], compared)

    def _compared(self, path: str, kind: str | None, questions: _Texts) -> Overlap:
        if not files_state(self.experiment, path) or not questions.count:
            return Overlap()
        return _compared(self.experiment / expanded(path), kind, questions)

    def _remembered(self, identity: list[Any], compute: Callable[[], Overlap]) -> Overlap:
        text = json.dumps([_VERSION, *identity])
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        known = self._known()
        if key in known:
            return Overlap(*known[key])
        found = compute()
        if self.use_cache:
            recent = dict(list(known.items())[-_MOST:]) | {key: [found.asked, found.equal, found.alike]}
            with suppress(OSError):
                write_text(self.experiment / _CACHE, json.dumps(recent) + "\n", within=self.experiment)
        return found

    def _known(self) -> dict[str, list[int]]:
        if not self.use_cache:
            return {}
        return read_remembered(self.experiment / _CACHE, dict) or {}


class _Texts:
    """Texts as far as they are compared, which may be those of millions of examples: only their hashes are kept."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.equal = HashCounts()
        self.alike = HashCounts()
        self.count = 0
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        cut = text[:_LONGEST]
        self.equal.add(cut)
        self.alike.add(_plain(cut))
        self.count += 1


def _questions_in(path: Path, kind: str | None) -> _Texts:
    """The inputs of a file's test split, of its validation split, or of its only one; empty if it cannot be read."""
    by_split: dict[str, _Texts] = {}
    with suppress(ValueError, OSError):
        for split, text in _inputs(path, kind):
            by_split.setdefault(split, _Texts()).add(text)
    for split in _EVALUATED:
        if split in by_split:
            return by_split[split]
    return next(iter(by_split.values())) if len(by_split) == 1 else _Texts()


def _compared(path: Path, kind: str | None, questions: _Texts) -> Overlap:
    trained = _Texts()
    with suppress(ValueError, OSError):
        for split, text in _inputs(path, kind):
            if split == _TRAIN:
                trained.add(text)
    equal = questions.equal.found_in(trained.equal)
    return Overlap(questions.count, equal, questions.alike.found_in(trained.alike) - equal)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _inputs(path: Path, kind: str | None) -> Iterator[tuple[str, str]]:
    """Each example's split and input; examples that the training cannot read by their own field, if they have one."""
    formats = FormatReader(kind) if kind is not None and kind in DATASET_TYPES else None
    for example in DataReader(path).examples():
        text = ""
        if formats is not None:
            with suppress(ValueError):
                text = _input_of(formats.read(example))
        if not text and isinstance(example.value, dict):
            text = str(example.value.get("input") or example.value.get("question") or "")
        if text:
            yield example.split, text


def _input_of(record: Record) -> str:
    """The words of the user; empty for a conversation of several turns, and for plain texts."""
    if "messages" not in record:
        return str(record.get("input", ""))
    asked = [message["content"] for message in record["messages"] if message["role"] == "user"]
    return str(asked[0]) if len(asked) == 1 else ""
