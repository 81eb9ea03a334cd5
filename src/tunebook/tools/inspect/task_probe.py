"""Builds a task with the arguments of its job and asks it for its first prompts, with a model that only listens.

Runs the task's own code, in the process of the deep checks that run such code, as a job would: with the same arguments,
away from the experiment's directory. inspect-ai is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.data_files import DataReader, RawExample
from tunebook.tools.runtime.data_formats import FormatReader, Record

__all__ = ["last_question", "matched_records", "probe"]

_HEARD = 3  # samples that are asked


def probe(request: Mapping[str, Any], scratch: str) -> dict[str, Any]:
    """The task's samples, how many of them are in each split of the data, and what the model would be asked first.

    Args:
        request: ``task`` as ``inspect eval`` takes it, its ``arguments``, the ``data`` that it should read (empty for a
            task with data of its own) with its ``dataset_type``, and the plan's ``prompt``.
        scratch: a directory for logs, in which the task is built.

    Raises:
        ValueError: the task cannot be built, or gives no samples.
    """
    with chdir(scratch):
        return _probed(request, Path(scratch))


def _probed(request: Mapping[str, Any], scratch: Path) -> dict[str, Any]:
    task = _built(str(request["task"]), dict(request["arguments"]))
    samples = [{"text": _text(sample.input), "last": _last(sample.input)} for sample in task.dataset]
    if not samples:
        raise ValueError("the task has no samples")
    answer: dict[str, Any] = {"samples": len(samples), "splits": {}, "heard": _heard(task, scratch)}
    if request["data"]:
        answer["splits"] = matched_records(request, samples)
    return answer


def _built(spec: str, arguments: dict[str, Any]) -> Any:
    from inspect_ai._eval.loader import load_tasks

    tasks = load_tasks([spec], arguments)
    if len(tasks) != 1:
        raise ValueError(f"{spec} gives {len(tasks)} tasks, not one")
    return tasks[0]


def _text(value: Any) -> str:
    """All text of a sample's input."""
    if isinstance(value, str):
        return value
    return "\n".join(str(message.text) for message in value)


def _last(value: Any) -> str:
    """The text of the last message."""
    if isinstance(value, str):
        return value
    return str(value[-1].text) if value else ""


def _heard(task: Any, scratch: Path) -> list[list[dict[str, str]]]:
    """The messages of the first question of each of the first samples, as roles and texts."""
    from inspect_ai import eval as evaluate
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    heard: list[list[dict[str, str]]] = []

    def listen(messages: Sequence[Any], *_: Any) -> Any:
        heard.append([{"role": message.role, "content": message.text} for message in messages])
        answer = ModelOutput.from_content(model="mockllm/model", content="")
        answer.usage = ModelUsage()  # otherwise the provider downloads a tokenizer to count tokens
        return answer

    model = get_model("mockllm/model", custom_outputs=listen)
    options: dict[str, Any] = {"log_dir": str(scratch / "logs"), "display": "none", "score": False}
    logs = evaluate(task, model=model, limit=_HEARD, max_samples=1, log_realtime=False, **options)
    if not heard:
        reason = logs[0].error.message if logs and logs[0].error else "its solver does not ask the model"
        raise ValueError(f"the task asks nothing: {reason}")
    return heard


def matched_records(request: Mapping[str, Any], samples: Sequence[Mapping[str, str]]) -> dict[str, dict[str, Any]]:
    """Split to its number of records, the samples that ask about one of them, and the records of the first samples.

    A sample asks about a record if its question is the record's, with the plan's prompt around it or without, or if it
    contains the question of the record at the same place.
    """
    reader = FormatReader(str(request["dataset_type"]))
    records: dict[str, list[Record]] = {}
    for example in DataReader(Path(request["data"])).examples():
        records.setdefault(example.split, []).append(_record(reader, example))
    prompt = str(request["prompt"])
    found: dict[str, dict[str, Any]] = {}
    for split, known in records.items():
        by_question = _by_question(known, prompt)
        asked = [_asked(known, by_question, number, sample) for number, sample in enumerate(samples)]
        matched = sum(1 for record in asked if record)
        found[split] = {"records": len(known), "matched": matched, "asked": asked[:_HEARD]}
    return found


def _record(reader: FormatReader, example: RawExample) -> Record:
    """The example as trainings read it; empty if they cannot."""
    try:
        return reader.read(example)
    except ValueError:
        return {}


def last_question(record: Record) -> str:
    """The text that a prompt must contain: the input, or the last question of a chat; empty if there is none."""
    if "messages" not in record:
        return str(record.get("input", ""))
    asked = [message["content"] for message in record["messages"] if message["role"] == "user"]
    return str(asked[-1]) if asked else ""


def _by_question(records: Sequence[Record], prompt: str) -> dict[str, Record]:
    """The possible questions of samples, each to the record that it is about."""
    questions = [(last_question(record), record) for record in records]
    with_prompt = {prompt.replace("{input}", question): record for question, record in questions if question}
    return with_prompt | {question: record for question, record in questions if question}


def _asked(
    records: Sequence[Record], by_question: Mapping[str, Record], number: int, sample: Mapping[str, str]
) -> Record:
    """The record that a sample asks about; empty if there is none."""
    for text in (sample["last"], sample["text"]):
        if text in by_question:
            return by_question[text]
    if number >= len(records):
        return {}
    near = last_question(records[number])
    return records[number] if near and near in sample["text"] else {}
