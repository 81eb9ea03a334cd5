"""Guards the code of other packages: what it raises, and what it returns, becomes an error that names the package.

A plug-in is a stranger's code. Without a guard its fault would look like a fault of tunebook's, or end the command as
if all were well: ``SystemExit`` is not an ``Exception``.
"""

from __future__ import annotations

import dataclasses
import functools
import numbers
import sys
import threading
import traceback
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TypeVar

from tunebook.errors import ToolError, TunebookError

__all__ = ["guarded", "lacking_words", "mismatch", "output_aside", "raised_words"]

_Guarded = TypeVar("_Guarded")
_HINT = "report it to the maintainer of that package, or do without the plug-in"
_loading = threading.RLock()


@contextmanager
def output_aside() -> Iterator[None]:
    """A block in which a plug-in is loaded: what it prints goes to stderr, since `--json` prints one document.

    The output is that of the whole process, so only one thread at a time loads a plug-in.
    """
    with _loading, redirect_stdout(sys.stderr):
        yield


def guarded(plugin: _Guarded, contract: type, *, described: str) -> _Guarded:
    """The same object, whose methods of the contract raise nothing but errors of tunebook's own.

    Args:
        described: the plug-in in messages: ``the tool `mine` of the package my-tools``.

    Raises:
        TypeError: the object's class allows no guard.
    """
    guards: dict[str, Any] = {"__slots__": ()}
    for name in dir(contract):
        promised = getattr(contract, name, None)
        if not name.startswith("_") and isinstance(promised, types.FunctionType):
            guards[name] = _guard(type(plugin), name, promised, described)
    kind = type(plugin)
    guards["__module__"] = kind.__module__
    metaclass: Any = type(kind)
    plugin.__class__ = metaclass(kind.__name__, (kind,), guards)
    return plugin


def _guard(kind: type, name: str, promised: Callable[..., Any], described: str) -> Callable[..., Any]:
    wanted = _return_type(promised)
    unguarded = getattr(kind, name)

    @functools.wraps(promised)
    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        try:
            value = unguarded(self, *arguments, **options)
            wrong = mismatch(value, wanted)
        except (TunebookError, KeyboardInterrupt):
            raise
        except (Exception, SystemExit) as error:
            raise ToolError(f"{described} failed in `{name}`: {raised_words(error)}", hint=_HINT) from error
        if wrong:
            raise ToolError(f"{described} breaks its contract: `{name}` returned {wrong}", hint=_HINT)
        return value

    return call


def lacking_words(plugin: object, members: Iterable[str]) -> str:
    """The members that an object lacks, as the end of a sentence about it; empty if it has all."""
    lacking = [f"`{name}`" for name in members if not hasattr(plugin, name)]
    return f"it lacks {', '.join(lacking)}" if lacking else ""


def raised_words(error: BaseException) -> str:
    """The name and the words of an error, and the place in the plug-in's code where it was raised."""
    try:
        words = str(error)
    except Exception:  # noqa: BLE001  a stranger's class
        words = ""
    told = f"{type(error).__name__}: {words}" if words else type(error).__name__
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_no_plugin(frame.filename)]
    return f"{told} ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else told


def _is_no_plugin(file: str) -> bool:
    return file == __file__ or file.startswith("<frozen")


def _return_type(promised: Callable[..., Any]) -> Any:
    try:
        return typing.get_type_hints(promised).get("return", Any)
    except (NameError, TypeError):
        return Any


def mismatch(value: Any, wanted: Any) -> str:
    """The mismatch of a value, or of a part of it, with a type, in words; empty if it fits."""
    origin, parts = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in {typing.Union, types.UnionType}:
        return "" if any(not mismatch(value, part) for part in parts) else _words(value, str(wanted))
    if wanted is None:
        wanted = type(None)
    kind = origin or wanted
    is_checked = isinstance(kind, type) and kind is not Any and not getattr(kind, "_is_protocol", False)
    if not is_checked:
        return ""
    if not _is_of(value, kind):
        return _words(value, kind.__name__)
    return _wrong_part(value, kind, parts)


def _is_of(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, numbers.Real) and not isinstance(value, bool)
    if isinstance(value, str) and not issubclass(kind, str):  # a text is a sequence of texts, but nobody means that
        return kind is object
    return isinstance(value, kind)


def _wrong_part(value: Any, kind: type, parts: tuple[Any, ...]) -> str:
    if kind is tuple and parts and parts[-1] is not Ellipsis:
        if len(value) != len(parts):
            return f"a tuple of {len(value)} in place of {len(parts)}"
        return _first(mismatch(item, part) for item, part in zip(value, parts, strict=True))
    if parts and issubclass(kind, Mapping):
        return _first(mismatch(key, parts[0]) or mismatch(item, parts[1]) for key, item in value.items())
    if parts and issubclass(kind, Collection):
        return _first(mismatch(item, parts[0]) for item in value)
    if dataclasses.is_dataclass(kind):
        return _wrong_field(value, kind)
    return ""


def _wrong_field(value: Any, kind: type) -> str:
    types_ = _field_types(kind)
    for item in dataclasses.fields(kind):
        wrong = mismatch(getattr(value, item.name, None), types_.get(item.name, Any))
        if wrong:
            return f"{_with_article(kind.__name__)} whose `{item.name}` is {wrong}"
    return ""


@functools.cache
def _field_types(kind: type) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(kind)
    except (NameError, TypeError):
        return {}


def _first(wrongs: Iterable[str]) -> str:
    return next(filter(None, wrongs), "")


def _words(value: Any, wanted: str) -> str:
    told = "None" if value is None else _with_article(type(value).__name__)
    return f"{told} in place of {wanted}"


def _with_article(name: str) -> str:
    article = "an" if name[:1].lower() in "aeiou" else "a"
    return f"{article} {name}"
