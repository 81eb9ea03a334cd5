"""What an inspect-ai task's script accepts, read from its source: importing it would run a stranger's code."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TaskFacts", "TaskFunction", "read_task_facts"]


@dataclass(frozen=True)
class TaskFunction:
    """One function with ``@task``.

    Attributes:
        name: the task's name: the decorator's ``name`` if it has one.
        parameters: the names that it accepts.
        required: those without a default.
        accepts_any: whether it takes ``**kwargs``.
    """

    name: str
    line: int
    parameters: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    accepts_any: bool = False

    def accepts(self, parameter: str) -> bool:
        """Whether ``-T parameter=…`` reaches it."""
        return self.accepts_any or parameter in self.parameters


@dataclass(frozen=True)
class TaskFacts:
    """The tasks of one script; ``problem`` says why it could not be read."""

    functions: tuple[TaskFunction, ...] = ()
    problem: str = ""


def read_task_facts(path: Path) -> TaskFacts | None:
    """The script's tasks, or ``None`` if it is not there."""
    try:
        if not path.is_file():
            return None
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return TaskFacts(problem=f"cannot be read: {error}")
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        return TaskFacts(
            problem=f"is not valid Python: {getattr(error, 'msg', error)}" + (f", line {line}" if line else "")
        )
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return TaskFacts(tuple(task for function in functions if (task := _task(function))))


def _task(function: ast.FunctionDef | ast.AsyncFunctionDef) -> TaskFunction | None:
    decorator = next((item for item in function.decorator_list if _name(item) == "task"), None)
    if decorator is None:
        return None
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = positional[: len(positional) - len(arguments.defaults)]
    required += [name for name, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if not default]
    return TaskFunction(
        _given_name(decorator) or function.name,
        function.lineno,
        tuple(item.arg for item in (*positional, *arguments.kwonlyargs)),
        tuple(item.arg for item in required),
        arguments.kwarg is not None,
    )


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _given_name(decorator: ast.expr) -> str | None:
    """The ``name`` of ``@task(name="…")``, if it is a plain text."""
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    values = [item.value for item in keywords if item.arg == "name"]
    texts = [item.value for item in values if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return texts[0] if texts else None
