"""A task that a person asks for, as values, and what an evaluation tool makes of it.

The tool writes the script in its own terms. Everything here, and the checks of the data, is the same for every tool.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tunebook.core.plan import Plan
from tunebook.core.scorers import Scorer
from tunebook.errors import Problem

__all__ = ["NewTask", "TaskWriter"]


@dataclass(frozen=True, kw_only=True)
class NewTask:
    """A task to write.

    Attributes:
        name: of the task, its function and its file; a plain Python name.
        choices: of the answers, for scorers that have some; of two options the last one is the outcome.
        groups: columns of the data by which results are compared.
        grader: the model that grades, for the scorer that asks one.
        dataset: the absolute path of the data set that the task is tested with.
        beside: the same path, relative to the directory of the script; empty for data elsewhere.
        prompts: system prompt and prompt of the plan, for the test; ``None`` without a plan, and for chats.
    """

    name: str
    scorer: Scorer
    dataset: str
    beside: str = ""
    choices: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    grader: str = ""
    prompts: tuple[str, str] | None = None


class TaskWriter(Protocol):
    """The part of an evaluation tool that writes tasks."""

    def problems(self, task: NewTask, plan: Plan | None) -> Iterator[Problem]:
        """Why this task could not be evaluated, or not in this plan; ``None`` where there is no plan yet."""
        ...

    def script(self, task: NewTask) -> str:
        """The text of ``NAME.py``."""
        ...

    def test(self, task: NewTask) -> str:
        """The text of ``test_NAME.py``, which pytest runs without a real model."""
        ...
