"""The tasks that a script defines, as an evaluation tool reads them without importing the script."""

from __future__ import annotations

from dataclasses import dataclass

from tunebook.core.plan import EvaluationTask

__all__ = ["TaskFunction", "TaskScript"]


@dataclass(frozen=True)
class TaskFunction:
    """One task that a script defines.

    Attributes:
        name: the name that ``SCRIPT@name`` selects; empty if it could not be read.
        parameters: the parameters that it accepts; ``required`` are those without a default.
        accepts_any: whether it takes ``**kwargs``.
        split: the split that its parameter ``split`` names by default; empty if it has none that can be read.
    """

    name: str
    line: int
    parameters: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    accepts_any: bool = False
    split: str = ""

    def accepts(self, parameter: str) -> bool:
        """Whether the task accepts a value for this parameter."""
        return self.accepts_any or parameter in self.parameters


@dataclass(frozen=True)
class TaskScript:
    """The tasks of one script.

    Attributes:
        problem: why the script cannot be used.
        unread: why it could not be read here, although it may work where it is run.
    """

    functions: tuple[TaskFunction, ...] = ()
    problem: str = ""
    unread: str = ""

    def function_for(self, task: EvaluationTask) -> TaskFunction | None:
        """The function that ``SCRIPT@name`` names; otherwise the only one, or the one with the task's name."""
        by_name = {function.name: function for function in self.functions if function.name}
        if task.function:
            return by_name.get(task.function)
        if len(self.functions) == 1:
            return next(iter(by_name.values()), None)
        return by_name.get(task.name)
