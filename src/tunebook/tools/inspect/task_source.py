"""Reads which tasks an inspect-ai script defines from its source: importing it would run a stranger's code."""

from __future__ import annotations

import ast
import platform
import tokenize
import warnings
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import count
from pathlib import Path

from tunebook.disk.read import read_bytes
from tunebook.errors import os_problem
from tunebook.tools.task_script import TaskFunction, TaskScript

__all__ = ["read_task_script"]

_ALONE = "inspect-ai loads a script without its package, so write the import without a dot"
_OLD_STATEMENTS = ("print_statement", "exec_statement")
_PIECE = 1 << 16
_FEW_STEPS, _BYTES_PER_STEP = 100, 4  # of the parser; sources without an error take a step for 13 bytes or more
_NEW_IN_3_14 = "multiple exception types must be parenthesized"


def read_task_script(path: Path, *, is_alone: bool = True) -> TaskScript | None:
    """The functions with ``@task``, or ``None`` for a missing file.

    Args:
        is_alone: whether inspect-ai loads the file itself, not as a module of its package.
    """
    try:
        if not path.exists():
            return None
        source = _source(path)
        tree = _parsed(source)
        if tree is None:
            return TaskScript(unread=_newer(source))
        _refuse_errors(tree, is_alone=is_alone)
    except OSError as error:
        return TaskScript(problem=f"cannot be read: {os_problem(error).message}")
    except SyntaxError as error:
        return TaskScript(problem=f"is not valid Python: {_reason(error)}")
    except (ValueError, RecursionError) as error:
        return TaskScript(problem=str(error))
    return _tasks_in(tree)


def _source(path: Path) -> str:
    """The text of a script, as inspect-ai reads it.

    Raises:
        ValueError: inspect-ai would not read it; the message continues "the script ...".
        SyntaxError: its first lines name an encoding that Python does not know.
    """
    if not path.is_file():
        raise ValueError("is not a file")
    if path.suffix != ".py":
        raise ValueError(f"has the ending `{path.suffix}`: give a script that ends in .py")
    raw = read_bytes(path) or b""
    try:
        source = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(f"is not UTF-8, line {line}: save it as UTF-8") from None
    tokenize.detect_encoding(BytesIO(raw).readline)  # Python refuses a script that names an unknown one
    return source


def _parsed(source: str) -> ast.Module | None:
    """The syntax tree; ``None`` for a script that only a newer Python can read.

    Raises:
        SyntaxError: no Python can read it.
    """
    try:
        return ast.parse(source)
    except SyntaxError as error:
        if _is_newer_python(source, error):
            return None
        raise


def _newer(source: str) -> str:
    try:
        ast.parse(source)
    except SyntaxError as error:
        return f"Python {platform.python_version()} cannot read it: {_reason(error)}"
    return ""


def _reason(error: SyntaxError) -> str:
    if error.lineno is None:
        return error.msg
    return f"{error.msg}, line {error.lineno}"


def _refuse_errors(tree: ast.Module, *, is_alone: bool) -> None:
    """Finds errors that the grammar permits; nothing is executed.

    Raises:
        SyntaxError: for example ``return`` outside a function.
        ValueError: an import that inspect-ai cannot resolve.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compile(tree, "<task script>", "exec", dont_inherit=True)
    for node in tree.body:
        if is_alone and isinstance(node, ast.ImportFrom) and node.level:
            name = f"{'.' * node.level}{node.module or ''}"
            raise ValueError(f"imports `{name}` on line {node.lineno}: {_ALONE}")


def _tasks_in(tree: ast.Module) -> TaskScript:
    words = _task_words(tree)
    constants = _constants(tree)
    tasks = []
    for node in _statements(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if _name(decorator) in words:
                    tasks.append(_task(node, decorator, constants))
                    break
    return TaskScript(tuple(tasks))


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a script is loaded, also those below ``if``, ``try`` and ``with``."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            yield from _statements([*node.body, *getattr(node, "orelse", ()), *getattr(node, "finalbody", ())])


def _is_newer_python(source: str, error: SyntaxError) -> bool:
    """Whether the grammar of the newest Python accepts a source that this Python cannot parse.

    The parser may take a few times as many steps as for sources without an error. That grammar also accepts Python 2's
    statements, and some things that no Python accepts.
    """
    import tree_sitter_python
    from tree_sitter import Language, Parser

    if isinstance(error, IndentationError) or "must be parenthesized" in str(error.msg).replace(_NEW_IN_3_14, ""):
        return False
    raw = source.encode()
    steps = count()

    def piece(offset: int, _: object) -> bytes:
        return raw[offset : offset + _PIECE]

    def takes_long(*_: object) -> bool:
        return next(steps) > _FEW_STEPS + len(raw) // _BYTES_PER_STEP

    try:
        root = Parser(Language(tree_sitter_python.language())).parse(piece, progress_callback=takes_long).root_node
    except ValueError:  # it was given up: a parser that repairs what no Python accepts tries ever more
        return False
    nodes = [root]
    for node in nodes:
        if node.type in _OLD_STATEMENTS:
            return False
        nodes += node.children
    return not root.has_error


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
        parameters=tuple(item.arg for item in (*arguments.args, *arguments.kwonlyargs)),  # all are passed by name
        required=tuple(item.arg for item in required),
        accepts_any=arguments.kwarg is not None,
        split=_text_default(arguments, "split", constants),
    )


def _text_default(arguments: ast.arguments, name: str, constants: Mapping[str, str | None]) -> str:
    """The text that a parameter has by default; empty if there is none."""
    positional = [*arguments.posonlyargs, *arguments.args]
    first = len(positional) - len(arguments.defaults)
    defaults = [*zip(positional[first:], arguments.defaults, strict=True)]
    defaults += [
        (item, value) for item, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value
    ]
    return next((_text(value, constants) or "" for item, value in defaults if item.arg == name), "")


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
