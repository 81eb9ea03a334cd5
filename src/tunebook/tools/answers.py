"""The answers and columns of a data set's test split, read as evaluations read them, and where each example is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.errors import PlanError, Problem
from tunebook.tools.runtime.data_files import MissingReaderError, RawExample
from tunebook.tools.runtime.data_formats import answer_of
from tunebook.tools.runtime.questions import SPLIT, question_records

__all__ = ["Answer", "answers_elsewhere", "read_answers"]


@dataclass(frozen=True)
class Answer:
    """The answer of one example, and the whole example.

    Attributes:
        number: the example's position in its split, counted from zero.
        file: the file that it is in; ``line`` is its line there, where the file has lines.
        is_chat: whether the example is a conversation.
    """

    text: str
    number: int
    file: str
    line: int | None
    columns: Mapping[str, Any]
    is_chat: bool = False

    def problem(self, message: str, hint: str) -> Problem:
        """A problem at this example."""
        return Problem(f"example {self.number} of the {SPLIT} split: {message}", self.file, self.line, hint)


def read_answers(dataset: Path, dataset_type: str, split: str = SPLIT) -> tuple[Answer, ...]:
    """The answers of a split in their order.

    Raises:
        PlanError: the data set is missing, unreadable or without this split, or an example has no question and answer.
    """
    if not dataset.exists():
        hint = "name the data set with `--dataset`, or correct its path in the plan"
        raise PlanError([Problem(f"the data set {dataset} was not found", hint=hint, missing=str(dataset))])
    try:
        return tuple(_answer(example, record) for example, record in question_records(dataset, dataset_type, split))
    except MissingReaderError as error:
        raise PlanError(str(error)) from None
    except ValueError as error:
        hint = f"an evaluation reads the {split} split: give a directory with train.jsonl and {split}.jsonl, "
        hint += f"or one JSON file with the keys train and {split} (docs/how-to/data-and-models.md)"
        raise PlanError(str(error), hint=hint) from None


def _answer(example: RawExample, record: Mapping[str, Any]) -> Answer:
    file, line = example.place, None
    before, _, last = example.place.rpartition(":")
    if before and last.isdecimal() and not Path(example.place).exists():
        file, line = before, int(last)
    return Answer(answer_of(dict(record)), example.number, file, line, example.value, "messages" in record)


def answers_elsewhere(dataset: Path, dataset_type: str) -> Callable[[], set[str]]:
    """Returns a function that reads the answers of the training data, which are empty where there are none."""

    def read() -> set[str]:
        return set(_training_answers(dataset, dataset_type))

    return read


def _training_answers(dataset: Path, dataset_type: str) -> Iterator[str]:
    try:
        for answer in read_answers(dataset, dataset_type, "train"):
            yield answer.text.strip()
    except PlanError:
        return
