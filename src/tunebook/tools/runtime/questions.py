"""Makes the questions of an evaluation out of a data set: finished prompts, each with its target.

A question's id is its position in the split, counted from zero, as in the demo's task for inspect-ai.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.chat import instruct_messages, render_prompt
from tunebook.tools.runtime.data_files import DataReader, RawExample
from tunebook.tools.runtime.data_formats import DATASET_TYPES, FormatReader, Record, answer_of
from tunebook.tools.runtime.training_data import split_problem

__all__ = [
    "SPLIT",
    "Question",
    "question_messages",
    "question_of_record",
    "question_records",
    "questions_of",
    "read_questions",
    "write_questions",
]

SPLIT = "test"
_ANSWERED = ("instruct", "chat")  # the types of data sets whose examples have a question and an answer

Message = Mapping[str, str]


@dataclass(frozen=True)
class Question:
    """One sample of an evaluation.

    Attributes:
        input: for people: the user's words, or the whole conversation if there is more.
        prompt: the text that the model continues.
        target: the answer that is correct.
    """

    id: str
    input: str
    prompt: str
    target: str


def questions_of(
    tokenizer: Any, data: Path, *, dataset_type: str, system_prompt: str, prompt: str, limit: int | None = None
) -> list[Question]:
    """The questions of the test split.

    Args:
        tokenizer: Transformers' tokenizer of the model, with its chat template.
        dataset_type: the type of the run's training data; it decides if the fields have two meanings.
        limit: the number of questions from the start of the split; ``None`` for all.

    Raises:
        ValueError: the data set cannot be read, has no test split or fewer examples than the limit, or an example has
            no question or cannot be rendered; the message names it.
    """
    found: list[Question] = []
    for example, record in question_records(data, dataset_type):
        if limit is not None and len(found) >= limit:
            continue  # the rest is read for its faults and its number
        try:
            found.append(question_of_record(tokenizer, record, example.number, system_prompt, prompt))
        except ValueError as error:
            raise ValueError(f"{example}: {error}") from None
    if limit is not None and limit > len(found):
        raise ValueError(f"the limit is {limit}, but the {SPLIT} split of {data} has {len(found)} examples")
    return found


def question_records(data: Path, dataset_type: str, split: str = SPLIT) -> Iterator[tuple[RawExample, Record]]:
    """The examples of the test split, or of another one, as they are in their file and as they are asked.

    Raises:
        ValueError: the data set cannot be read, has no such split, or an example has no question.
    """
    source = DataReader(data)
    reader: FormatReader | None = None
    for example in source.examples(only=split):
        reader = reader or FormatReader(_type_of(example.value, dataset_type))
        yield example, reader.read(example)
    problem = split_problem(data, split, source)
    if problem:
        raise ValueError(problem)


def _type_of(value: Any, preferred: str) -> str:
    """The type of data set whose examples have these fields."""
    allowed = [name for name in dict.fromkeys((preferred, *_ANSWERED)) if name in _ANSWERED]
    for name in allowed:
        if isinstance(value, dict) and any(form.fits(value) for form in DATASET_TYPES[name]):
            return name
    return allowed[0]


def question_of_record(tokenizer: Any, record: Record, number: int, system_prompt: str, prompt: str) -> Question:
    """The question of one example, with the prompt that its training has too; a chat is asked for its last answer.

    Raises:
        ValueError: the model's chat template refuses the conversation.
    """
    messages = question_messages(record, system_prompt, prompt)
    text = render_prompt(tokenizer, messages)
    return Question(str(number), _shown(messages), text, answer_of(record))


def question_messages(record: Record, system_prompt: str, prompt: str) -> Sequence[Message]:
    """The messages of a question: around an input the plan's prompts, of a chat all before its last answer.

    Raises:
        ValueError: a chat and the plan both have a system message.
    """
    if "messages" not in record:
        return instruct_messages(system_prompt, prompt, record["input"])
    messages: list[Message] = record["messages"]
    last = max(index for index, message in enumerate(messages) if message["role"] == "assistant")
    if not system_prompt:
        return messages[:last]
    if messages[0]["role"] == "system":
        raise ValueError("it has a system message of its own, but the plan gives a System Prompt too")
    return [{"role": "system", "content": system_prompt}, *messages[:last]]


def _shown(messages: Sequence[Message]) -> str:
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n".join(f"{message['role']}: {message['content']}" for message in messages)


def write_questions(file: Path, questions: Sequence[Question]) -> None:
    """Writes one JSON object per line."""
    with file.open("w", encoding="utf-8") as lines:
        for question in questions:
            lines.write(json.dumps(asdict(question), ensure_ascii=False) + "\n")


def read_questions(file: Path) -> Iterator[Question]:
    """Reads what :func:`write_questions` wrote; only a line feed ends a line."""
    with file.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            yield Question(**json.loads(line))
