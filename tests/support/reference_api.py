"""Generates docs/reference/api.md: every public name of ``tunebook.api`` with its signature and its docstring."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from tunebook import api

__all__ = ["api_reference", "as_markdown"]

_HEAD = """\
# The Python interface

`tunebook.api` has every verb of the command line as a function. A verb takes the experiment's directory and a frozen options object, prints
nothing, and returns its report as a typed value. It raises an error of [`tunebook.errors`](errors.md) where the command line would end with one.

```python
from pathlib import Path
from tunebook import api

experiment = Path("capitalization_sweep")
checked = api.check(experiment)  # the problems and every setting in effect
api.scaffold(experiment, api.ScaffoldOptions(dry_run=True))  # shows what would be written
report = api.status(experiment)
print([job.job.name for job in report.jobs])
```

Names that are not on this page may change without notice.
"""
_SECTIONS = {"Args": "Arguments", "Attributes": "Fields", "Raises": "Raises", "Returns": "Returns"}
_SECTION = re.compile(rf"^({'|'.join(_SECTIONS)}):$", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(\w[\w.]*): ?", re.MULTILINE)
_ROLE = re.compile(r":(?:func|class|mod|attr|meth|data):`~?([^`]+)`")
_WIDTH = 100
_MARKS = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}


def api_reference() -> str:
    """The page, the verbs first."""
    kinds = {"Functions": _is_function, "Options, reports and other values": _is_class, "Constants": _is_constant}
    return _HEAD + "".join(f"\n## {title}\n{_entries(fits)}" for title, fits in kinds.items())


def _entries(fits: Callable[[Any], bool]) -> str:
    return "".join(_entry(name, value) for name in api.__all__ if fits(value := getattr(api, name)))


def _is_function(value: Any) -> bool:
    return inspect.isfunction(value) or _is_wrapped(value)


def _is_wrapped(value: Any) -> bool:
    """A function behind a decorator, such as a context manager or a cache."""
    return callable(value) and not inspect.isclass(value) and hasattr(value, "__wrapped__")


def _is_class(value: Any) -> bool:
    return inspect.isclass(value)


def _is_constant(value: Any) -> bool:
    return not _is_class(value) and not _is_function(value)


def _entry(name: str, value: Any) -> str:
    if _is_constant(value):
        return f"\n### `{name}`\n\n```python\n{name}: {type(value).__name__}\n```\n"
    text = inspect.getdoc(value) or ""
    own = "" if text.startswith(f"{name}(") else as_markdown(text)  # dataclasses make a docstring from the signature
    return f"\n### `{name}`\n\n```python\n{_signature(name, value)}\n```\n\n{own}".rstrip("\n") + "\n"


def _signature(name: str, value: Any) -> str:
    if inspect.isclass(value):
        return "\n".join([f"class {name}:", *(f"    {line}" for line in _members(value))])
    signature = inspect.signature(value)
    parts = _parameters(signature)
    result = f" -> {_type(signature.return_annotation)}"
    line = f"{name}({', '.join(parts)}){result}"
    return line if len(line) <= _WIDTH else f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){result}"


def _members(value: type) -> Iterator[str]:
    """The fields of a dataclass, the members of an enumeration, and the properties and methods of any class."""
    if issubclass(value, Enum):
        yield from (f"{member.name} = {member.value!r}" for member in value)
    elif dataclasses.is_dataclass(value):
        yield from (f"{field.name}: {_type(field.type)}{_default(field)}" for field in dataclasses.fields(value))
    for name, member in vars(value).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield f"{name}  # {_first_line(member)}".rstrip("# ")
        elif inspect.isfunction(member):
            yield f"{name}({', '.join(_parameters(inspect.signature(member)))})  # {_first_line(member)}".rstrip("# ")


def _first_line(member: Any) -> str:
    return (inspect.getdoc(member) or "").partition("\n")[0].replace("``", "")


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f" = {_value(field.default)}"
    return "" if field.default_factory is dataclasses.MISSING else " = …"


def _parameters(signature: inspect.Signature) -> list[str]:
    """The parameters as they are written, with ``*`` before those that need their name."""
    parts: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        text = f"{_MARKS.get(parameter.kind.name, '')}{parameter.name}"
        if parameter.annotation is not parameter.empty:
            text += f": {_type(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f" = {_value(parameter.default)}"
        parts.append(text)
    return parts


def _type(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _value(value: Any) -> str:
    """A default as source; a value that has no short one, such as a function, is only marked."""
    text = f"{type(value).__name__}.{value.name}" if isinstance(value, Enum) else repr(value)
    return text if " at 0x" not in text and "<" not in text and len(text) < _WIDTH // 2 else "…"


def as_markdown(text: str) -> str:
    """A docstring with Google's sections as Markdown."""
    plain = _ROLE.sub(r"`\1`", text.replace("``", "`"))
    first, *parts = _SECTION.split(plain)
    sections = [
        f"\n**{_SECTIONS[title]}**\n\n{_listed(body)}" for title, body in zip(parts[::2], parts[1::2], strict=True)
    ]
    return f"{first.rstrip()}\n" + "".join(sections)


def _listed(body: str) -> str:
    """The entries of a section as a list; a section without entries is a paragraph."""
    before, *parts = _ENTRY.split(body)
    if not parts:
        return " ".join(before.split()) + "\n"
    entries = zip(parts[::2], parts[1::2], strict=True)
    return "".join(f"- `{name}`: {' '.join(words.split())}\n" for name, words in entries)
