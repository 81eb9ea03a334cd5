"""Writes mappings as YAML, one key per line, a thousand files per second.

PyYAML decides how each scalar is written; its answers are cached, because the files of a sweep differ in a few values
only, and a whole document costs PyYAML half a millisecond in Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import yaml

from tunebook.errors import PlanError
from tunebook.tools.runtime.yaml_reading import compose_yaml  # other rooms know nothing of what runs inside jobs

__all__ = ["compose_yaml", "yaml_lines", "yaml_sections"]

_MOST_SECTIONS = 10_000
# A path from the root without unusual characters: PyYAML writes it as it is.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9_./+=@-]*")
_EXPONENT = re.compile(r"[-+]?[\d._]+[eE][-+]?\d+")


def yaml_lines(values: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """The lines of a mapping whose values are scalars, lists of scalars or mappings of the same kind."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:"
            yield from yaml_lines(value, indent + "  ")
        elif isinstance(value, Sequence) and not isinstance(value, str) and value:
            yield f"{indent}{key}:"
            yield from (f"{indent}- {_scalar(item, repr(item))}" for item in value)
        elif isinstance(value, Mapping | list | tuple):
            yield f"{indent}{key}: " + ("{}" if isinstance(value, Mapping) else "[]")
        else:
            yield f"{indent}{key}: {_scalar(value, repr(value))}"


_SECTIONS: dict[tuple[str, str, Callable[[Any], Any] | None], str] = {}


def yaml_sections(values: Mapping[str, Any], change: Callable[[Any], Any] | None = None) -> Iterator[str]:
    """The text of each key, without a line break at its end; remembered, since the files of a sweep share most.

    Args:
        change: what is done to each key's value before it is written; a function of the value alone.
    """
    for key, value in values.items():
        place = (key, repr(value), change)  # by how it is written: `1 == 1.0 == True`
        text = _SECTIONS.get(place)
        if text is None:
            if len(_SECTIONS) >= _MOST_SECTIONS:
                _SECTIONS.clear()
            text = "\n".join(yaml_lines({key: value if change is None else change(value)}))
            _SECTIONS[place] = text
        yield text


@lru_cache(maxsize=10_000)
def _scalar(value: str | float | None, written: str) -> str:  # noqa: ARG001
    """One scalar on one line; remembered by how it is ``written``, since ``1 == 1.0 == True`` and ``0.0 == -0.0``."""
    if isinstance(value, str) and _PLAIN_PATH.fullmatch(value):
        return value
    text = _dumped(value)
    # A text such as `1e5` is a number to OmegaConf, though not to YAML 1.1.
    is_ambiguous = isinstance(value, str) and _EXPONENT.fullmatch(value)
    return _dumped(value, style='"') if "\n" in text or is_ambiguous else text


def _dumped(value: object, style: str | None = None) -> str:
    try:
        text: str = yaml.dump(
            value, Dumper=yaml.CSafeDumper, allow_unicode=True, width=1_000_000, default_style=style, explicit_end=False
        )
    except UnicodeEncodeError:
        message = f"{value!r} has bytes that are not UTF-8, and files in YAML cannot hold them"
        raise PlanError(message, hint="rename the file or directory, also one above it, that it names") from None
    return text.removesuffix("\n").removesuffix("\n...")
