"""Evaluation tasks in a design document: tasks as a whole, and single facts about tasks that are given elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tunebook.core.measures import Direction
from tunebook.core.plan import EvaluationTask
from tunebook.core.plan.resources import split_script
from tunebook.design.documents import Node, Text, records
from tunebook.errors import UsageError

__all__ = ["OWN_DATA", "read_about_task", "read_tasks"]


class TaskReader(Protocol):
    """What remembers the names that a document gave."""

    def once(self, part: str, name: Text) -> None:
        """Refuses a name that was given before."""


OWN_DATA = "-"
"""The data set of a task that brings its data, as in the plan's table."""
_TASK_KEYS = ("name", "script", "dataset", "description", "tool", "measure", "direction")


def _direction(text: Text) -> Direction | None:
    """``higher``, ``lower`` or ``unknown``; ``None`` without a text."""
    if not text:
        return None
    names = [each.value for each in Direction]
    if text.lower() not in names:
        raise UsageError([text.place.problem(f"direction `{text}` is unknown", f"write one of: {', '.join(names)}")])
    return Direction(text.lower())


def _data(text: str) -> dict[str, Any]:
    """The attributes of a task with this data set: a path, ``-`` for a task with data of its own, or nothing."""
    if text == OWN_DATA:
        return {"has_own_data": True}
    return {"dataset": text or None}


def read_tasks(reader: TaskReader, node: Node) -> tuple[EvaluationTask, ...]:
    """A task without a name has that of its function or its file."""
    tasks: list[EvaluationTask] = []
    for item, texts in records(node, "script", keys=_TASK_KEYS):
        file, function = split_script(texts.get("script", ""))
        name = Text(texts.get("name") or function or Path(file).stem, item.place)
        if file:
            reader.once("tasks", name)
        task = EvaluationTask(
            name,
            file,
            function=function,
            **_data(texts.get("dataset", "")),
            description=texts.get("description", ""),
            tool=texts.get("tool", ""),
            measure=texts.get("measure", ""),
            direction=_direction(Text(texts.get("direction", ""), item.place)),
        )
        tasks.append(task)
    return tuple(tasks)


def read_about_task(attribute: str) -> Callable[[object, Node], tuple[EvaluationTask, ...]]:
    """Reads ``TASK=TEXT``, where another option or document may give the task."""

    def read(_reader: object, node: Node) -> tuple[EvaluationTask, ...]:
        name, sign, text = node.one_text().partition("=")
        if not sign:
            raise UsageError([node.place.problem(f"`{node.text}` names no task", "write TASK=TEXT")])
        given: dict[str, Any] = {attribute: Text(text.strip(), node.place)}
        if attribute == "dataset":
            given = _data(given[attribute])
        if attribute == "direction":
            given[attribute] = _direction(given[attribute])
        return (EvaluationTask(Text(name.strip(), node.place), "", **given),)

    return read
