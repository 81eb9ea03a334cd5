"""Finds every function of tunebook that takes a text, and every regular expression with the methods that are called."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tunebook

__all__ = ["TextFunction", "patterns", "text_functions"]

_ROOMS = ("core", "artifacts", "analysis", "design", "slurm", "disk", "run", "scaffold", "tools")
_JOB_SIDE = (
    "tools.runtime.chat",
    "tools.runtime.data_formats",
    "tools.runtime.json_stream",
    "tools.runtime.trl_settings",
)
"""The modules that run inside jobs and read texts without the libraries of jobs."""

_NOT_PURE = {
    "analysis.charts.figure.png_of": "draws a picture",
    "artifacts.checkpoints.trained_inputs": "reads a file",
    "artifacts.output.last_lines": "reads a file",
    "disk.digest_cache._identity": "reads a file",
    "disk.digests._entries": "reads a directory",
    "disk.digests.file_digest": "reads a file",
    "disk.digests.listed_files": "reads a directory",
    "disk.digests.part_digest": "reads a file",
    "disk.inputs._is_same_place": "reads a directory",
    "disk.inputs._material": "reads a file",
    "disk.inputs._text_bytes": "reads a file",
    "disk.stamps._state": "reads a file",
    "slurm.accounting._sacct": "starts a program",
    "slurm.programs.ask": "starts a program",
    "slurm.programs.call": "starts a program",
    "slurm.queue.cancel": "starts a program",
    "slurm.survey._accounts": "starts a program",
    "slurm.survey.find_cluster": "starts a program",
    "tools.inspect.package_tasks._directory": "imports a package",
    "tools.known_models._config": "imports Transformers",
}
"""Functions of one text that do more than read it, with the reason why they are left out."""

_HEAVY = ("tools.deep.", "tools.torchtune.small_training", "tools.torchtune.same_function", "tools.trl.small_training")
_PIECE = 8  # characters of each text of a list
_PACKAGE = Path(tunebook.__file__).parent


@dataclass(frozen=True)
class TextFunction:
    """Something that reads a text.

    Attributes:
        name: of the function, or of the place of the regular expression.
        call: takes the text.
        pattern: the regular expression that is called; empty for a function.
    """

    name: str
    call: Callable[[str], Any]
    pattern: str = ""


def text_functions() -> Iterator[TextFunction]:
    """Every function whose required parameters are texts or lists of texts."""
    for module in _modules():
        for function in vars(module).values():
            plain = inspect.unwrap(function) if callable(function) else None
            if not inspect.isfunction(plain) or plain.__module__ != module.__name__:
                continue
            name = f"{module.__name__}.{plain.__name__}".removeprefix("tunebook.")
            if name not in _NOT_PURE:
                yield from _calls(name, plain)


def _modules() -> Iterator[Any]:
    for info in pkgutil.walk_packages(tunebook.__path__, "tunebook."):
        name = info.name.removeprefix("tunebook.")
        is_heavy = name.startswith((*_HEAVY, "tools.runtime"))
        if name.partition(".")[0] in _ROOMS and (name in _JOB_SIDE or not is_heavy):
            yield importlib.import_module(info.name)


def _calls(name: str, function: Callable[..., Any]) -> Iterator[TextFunction]:
    """The function, once for each of its required parameters, if all of these are texts or lists of texts."""
    parameters = inspect.signature(function).parameters.values()
    required = [each for each in parameters if each.default is each.empty and each.kind not in _OPEN]
    if not all(each.annotation in _VALUES for each in required):
        return
    for parameter in required:
        shown = name if len(required) == 1 else f"{name}({parameter.name})"
        yield TextFunction(shown, partial(_called, function, required, parameter))


_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _called(
    function: Callable[..., Any], required: Sequence[inspect.Parameter], wanted: inspect.Parameter, text: str
) -> None:
    """Calls the function with the text for one parameter, and with a letter for the others."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in required:
        value = _VALUES[parameter.annotation](text if parameter is wanted else "x")
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        else:
            positional.append(value)
    result = function(*positional, **named)
    if inspect.isgenerator(result):
        for _ in result:
            pass


def _pieces(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


_VALUES: Mapping[str, Callable[[str], Any]] = {
    "str": str,
    "str | None": str,
    "str | bytes": str,
    "bytes": lambda text: text.encode("utf-8", "surrogatepass"),
    "Iterable[str]": _pieces,
    "Sequence[str]": _pieces,
    "list[str]": _pieces,
}
"""Annotation to the value that a text becomes."""


def patterns() -> Iterator[TextFunction]:
    """Every regular expression of a module, once for each method with which it is called."""
    everywhere: dict[str, set[str]] = {}
    for file in sorted(_PACKAGE.rglob("*.py")):
        for name, methods in _called_methods(file).items():
            everywhere.setdefault(name, set()).update(methods)
    for module in _modules():
        place = module.__name__.removeprefix("tunebook.")
        here = _called_methods(Path(module.__file__))
        for name, value in vars(module).items():
            called = (here if name.startswith("_") else everywhere).get(name, {"search"})
            for compiled in _patterns_in(value):
                for method in sorted(called):
                    yield _reading(f"{place}.{name}.{method}", compiled, method)
        for line, method, expression, flags in _calls_of_re(module):
            yield _reading(f"{place}:{line} re.{method}", re.compile(expression, flags), method)


_METHODS = ("match", "search", "fullmatch", "sub", "split", "findall", "finditer")


def _called_methods(file: Path) -> dict[str, set[str]]:
    """The methods with which a module's names of expressions are called."""
    called: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in _METHODS:
            called.setdefault(node.value.id, set()).add(node.attr)
    return called


def _patterns_in(value: Any) -> Iterator[re.Pattern[Any]]:
    """A constant's expressions, also those inside a tuple or a dictionary."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, Mapping):
        yield from (each for part in value.items() for each in part if isinstance(each, re.Pattern))
    elif isinstance(value, tuple | list):
        yield from (each for each in value if isinstance(each, re.Pattern))


def _calls_of_re(module: Any) -> Iterator[tuple[int, str, str, int]]:
    """The line, the method, the expression and the flags of each ``re.sub("…", …)`` whose expression is a constant."""
    for node in ast.walk(ast.parse(Path(module.__file__).read_bytes())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner, method = node.func.value, node.func.attr
        if not isinstance(owner, ast.Name) or owner.id != "re" or method not in _METHODS:
            continue
        expression = node.args[0]
        if isinstance(expression, ast.Constant):
            words = ast.unparse(node)
            flags = re.IGNORECASE * ("re.IGNORECASE" in words) | re.DOTALL * ("re.DOTALL" in words)
            yield node.lineno, method, str(expression.value), flags


def _reading(name: str, compiled: re.Pattern[Any], method: str) -> TextFunction:
    call = getattr(compiled, method)

    def read(text: str) -> None:
        subject: Any = text if isinstance(compiled.pattern, str) else text.encode("utf-8", "surrogatepass")
        if method == "sub":
            call(subject[:0], subject)
        elif method == "finditer":
            for _ in call(subject):
                pass
        else:
            call(subject)

    shown = compiled.pattern if isinstance(compiled.pattern, str) else compiled.pattern.decode("latin-1")
    return TextFunction(name, read, shown)
