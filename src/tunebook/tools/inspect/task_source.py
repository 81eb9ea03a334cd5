"""Reads which tasks an inspect-ai script defines from its source: importing it would run a stranger's code."""

from __future__ import annotations

import ast
from pathlib import Path

from tunebook.tools.base import TaskFunction, TaskScript

__all__ = ["read_task_script"]


def read_task_script(path: Path) -> TaskScript | None:
    """The functions with ``@task``, or ``None`` for a missing file."""
    try:
        if not path.is_file():
            return None
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return TaskScript(problem=f"cannot be read: {error}")
    except SyntaxError as error:
        return TaskScript(problem=f"is not valid Python: {error.msg}, line {error.lineno}")
    except ValueError as error:  # a NUL byte
        return TaskScript(problem=f"is not valid Python: {error}")
    tasks = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if _name(decorator) == "task":
                    tasks.append(_task(node, decorator))
                    break
    return TaskScript(tuple(tasks))


def _task(function: ast.FunctionDef | ast.AsyncFunctionDef, decorator: ast.expr) -> TaskFunction:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = positional[: len(positional) - len(arguments.defaults)]
    for keyword, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is None:
            required.append(keyword)
    return TaskFunction(
        name=_given_name(decorator) or function.name,
        line=function.lineno,
        parameters=tuple(item.arg for item in (*positional, *arguments.kwonlyargs)),
        required=tuple(item.arg for item in required),
        accepts_any=arguments.kwarg is not None,
    )


def _name(node: ast.expr) -> str:
    """The last part of a decorator's name: ``task`` for ``@task``, ``@inspect_ai.task`` and ``@task(…)``."""
    if isinstance(node, ast.Call):
        return _name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    return ""


def _given_name(decorator: ast.expr) -> str | None:
    """The ``name`` of ``@task(name="…")``, if it is a string constant."""
    for keyword in getattr(decorator, "keywords", ()):
        value = keyword.value
        if keyword.arg == "name" and isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return None
