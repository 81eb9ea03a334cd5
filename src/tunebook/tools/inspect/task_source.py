"""Reads which tasks an inspect-ai script defines from its source: importing it would run a stranger's code."""

from __future__ import annotations

import ast
import platform
from collections.abc import Mapping
from pathlib import Path

from tunebook.tools.base import TaskFunction, TaskScript

__all__ = ["read_task_script"]


def read_task_script(path: Path) -> TaskScript | None:
    """The functions with ``@task``, or ``None`` for a missing file."""
    try:
        if not path.is_file():
            return None
        source = path.read_bytes()
        tree = ast.parse(source)
    except OSError as error:
        return TaskScript(problem=f"cannot be read: {error}")
    except SyntaxError as error:
        reason = f"{error.msg}, line {error.lineno}"
        if _is_newer_python(source):
            return TaskScript(unread=f"Python {platform.python_version()} cannot read it: {reason}")
        return TaskScript(problem=f"is not valid Python: {reason}")
    except ValueError as error:  # a NUL byte
        return TaskScript(problem=f"is not valid Python: {error}")
    words = _task_words(tree)
    constants = _constants(tree)
    tasks = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if _name(decorator) in words:
                    tasks.append(_task(node, decorator, constants))
                    break
    return TaskScript(tuple(tasks))


def _is_newer_python(source: bytes) -> bool:
    """Whether the grammar of the newest Python accepts a source that this Python cannot parse."""
    import tree_sitter_python
    from tree_sitter import Language, Parser

    parser = Parser(Language(tree_sitter_python.language()))
    return not parser.parse(source).root_node.has_error


def _task_words(tree: ast.Module) -> set[str]:
    """The names that inspect-ai's decorator has in a script: ``task``, or its alias."""
    words = {"task"}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "inspect_ai":
            words |= {item.asname for item in node.names if item.name == "task" and item.asname}
    return words


def _constants(tree: ast.Module) -> Mapping[str, str | None]:
    """The texts that a script assigns to names, once each; ``None`` for every other value."""
    found: dict[str, str | None] = {}
    for node in tree.body:
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name):
                value = getattr(node, "value", None)
                text = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
                found[target.id] = None if target.id in found else text
    return found


def _task(
    function: ast.FunctionDef | ast.AsyncFunctionDef, decorator: ast.expr, constants: Mapping[str, str | None]
) -> TaskFunction:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = positional[: len(positional) - len(arguments.defaults)]
    for keyword, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is None:
            required.append(keyword)
    return TaskFunction(
        name=_task_name(function.name, decorator, constants),
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


def _task_name(function: str, decorator: ast.expr, constants: Mapping[str, str | None]) -> str:
    """The ``name`` of ``@task(name=…)``, otherwise the function's; empty if it is neither a text nor a constant."""
    for keyword in getattr(decorator, "keywords", ()):
        if keyword.arg is None:
            return ""  # `**words` may hold a name
        if keyword.arg == "name":
            return _text(keyword.value, constants) or ""
    return function


def _text(value: ast.expr, constants: Mapping[str, str | None]) -> str | None:
    if isinstance(value, ast.Name):
        return constants.get(value.id)
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value
    return None
