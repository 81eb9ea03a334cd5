"""Facts about a data set, read once with the readers of the training: splits, formats, and flaws with their numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import combinations, count
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tunebook.errors import os_problem
from tunebook.tools.hash_counts import HashCounts
from tunebook.tools.runtime.data_files import DataReader, MissingReaderError, RawExample, split_name
from tunebook.tools.runtime.data_formats import DATASET_TYPES, FormatReader, Record, answer_of, question_of

__all__ = ["DatasetFacts", "SplitFacts", "is_split_file", "read_dataset_facts"]

_SPLITS = {"train", "validation", "test"}

_FIRST = 2000
_LONGEST = 100
_MOST_CHARACTERS = 2**24


@dataclass(frozen=True)
class SplitFacts:
    """One split of a data set.

    Attributes:
        refused: examples that the training cannot use; ``refusal`` names the first one and says why.
        empty_answers: examples with nothing but white space to learn.
        duplicates: examples that are equal to an earlier one.
        questions: how many different prompts there are; 0 for plain texts, which have none.
        own_system: chats that begin with a system message of their own.
        sample: the first examples and the longest of the others, each with its place.
    """

    examples: int = 0
    refused: int = 0
    refusal: str = ""
    empty_answers: int = 0
    duplicates: int = 0
    questions: int = 0
    own_system: int = 0
    sample: tuple[tuple[str, Record], ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True)
class DatasetFacts:
    """The facts that could be read of a data set.

    Attributes:
        parts: split to its facts.
        overlaps: pairs of splits to the number of prompts that appear in both.
        form: the name of the examples' format; empty if it was not asked for.
        joins: whether the format joins several fields to one prompt.
        unused: field to the number of examples that have it, although no training reads it.
        problem: why the data set cannot be read; empty if it can.
        unread: why it could not be read here, although it may be correct; empty if it was.
    """

    parts: Mapping[str, SplitFacts] = field(default_factory=lambda: MappingProxyType({}))
    overlaps: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    form: str = ""
    joins: bool = False
    unused: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    keys: tuple[str, ...] = ()
    problem: str = ""
    unread: str = ""

    @property
    def splits(self) -> Mapping[str, int]:
        """Split to its number of examples; empty if the data set could not be read."""
        return {name: part.examples for name, part in self.parts.items()}


def is_split_file(path: Path) -> bool:
    """Whether the file's name is that of a split: its directory may be the data set."""
    return split_name(path.stem) in _SPLITS


def read_dataset_facts(path: Path, dataset_type: str | None = None) -> DatasetFacts | None:
    """The facts, or ``None`` if the path does not exist here (it may exist on compute nodes only).

    Args:
        dataset_type: how the training reads the examples; without it only splits and overlaps are counted.
    """
    try:
        if not path.exists():
            return None
    except OSError as error:
        return DatasetFacts(problem=f"{path} cannot be read: {os_problem(error).message}")
    data = DataReader(path)
    formats = None
    if dataset_type is not None and dataset_type in DATASET_TYPES:
        formats = FormatReader(dataset_type)
    survey = _Survey(formats)
    try:
        for example in data.examples():
            survey.add(example)
    except MissingReaderError as error:
        return DatasetFacts(unread=str(error))
    except ValueError as error:
        return DatasetFacts(problem=str(error))
    parts = {split: survey.part(split, total) for split, total in data.counts.items()}
    form = formats.form if formats else None
    return DatasetFacts(
        parts=MappingProxyType(parts),
        overlaps=MappingProxyType(survey.overlaps(parts)),
        form=form.name if form else "",
        joins=form is not None and form.joins,
        unused=MappingProxyType(dict(formats.unused) if formats else {}),
        keys=tuple(data.keys),
    )


class _Survey:
    """Counts while the examples pass by."""

    def __init__(self, formats: FormatReader | None) -> None:
        self._formats = formats
        self._splits: dict[str, _Split] = {}

    def add(self, example: RawExample) -> None:
        split = self._splits.get(example.split)
        if split is None:
            split = self._splits[example.split] = _Split()
        if self._formats is None:
            split.questions.add(_plain_identity(example.value))
            return
        try:
            record = self._formats.read(example)
        except ValueError as error:
            split.refused += 1
            split.refusal = split.refusal or str(error)
            return
        split.add(str(example), record)

    def part(self, name: str, total: int) -> SplitFacts:
        split = self._splits.get(name) or _Split()
        return SplitFacts(
            examples=total,
            refused=split.refused,
            refusal=split.refusal,
            empty_answers=split.empty_answers,
            duplicates=split.whole.total() - split.whole.distinct(),
            questions=split.questions.distinct(),
            own_system=split.own_system,
            sample=tuple(split.sample()),
        )

    def overlaps(self, names: Iterable[str]) -> dict[tuple[str, str], int]:
        found = {}
        for first, second in combinations([name for name in names if name in self._splits], 2):
            common = self._splits[first].questions.common(self._splits[second].questions)
            if common:
                found[first, second] = common
        return found


class _Split:
    def __init__(self) -> None:
        self.refused = 0
        self.refusal = ""
        self.empty_answers = 0
        self.own_system = 0
        self.questions = HashCounts()
        self.whole = HashCounts()
        self._first: list[tuple[str, Record]] = []
        self._longest: list[tuple[int, int, str, Record]] = []
        self._characters = 0
        self._longest_characters = 0
        self._order = count()

    def add(self, place: str, record: Record) -> None:
        question, answer = question_of(record), answer_of(record)
        self.empty_answers += not answer.strip()
        if "messages" in record:
            self.own_system += record["messages"][0]["role"] == "system"
        # A plain text has no prompt: two equal ones are the overlap.
        self.questions.add(answer if "text" in record else question)
        self.whole.add(f"{question}\x1d{answer}")
        self._keep(place, record, len(question) + len(answer))

    def _keep(self, place: str, record: Record, size: int) -> None:
        if len(self._first) < _FIRST and self._characters < _MOST_CHARACTERS:
            self._characters += size
            self._first.append((place, record))
            return
        heappush(self._longest, (size, next(self._order), place, record))
        self._longest_characters += size
        while len(self._longest) > _LONGEST or self._has_too_long():
            self._longest_characters -= heappop(self._longest)[0]

    def _has_too_long(self) -> bool:
        """Whether several examples are longer together than what is kept; the longest one is always kept."""
        return self._longest_characters > _MOST_CHARACTERS and len(self._longest) > 1

    def sample(self) -> Iterator[tuple[str, Record]]:
        yield from self._first
        for _, _, place, record in sorted(self._longest, key=lambda entry: entry[1]):
            yield place, record


def _plain_identity(value: Any) -> str:
    """The text by which examples of an unknown format are compared."""
    if isinstance(value, dict):
        value = value.get("input", value)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
