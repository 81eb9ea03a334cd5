"""Reads YAML mappings as PyYAML reads them, several times as fast where thousands of files share most of their lines.

The text is read key by key, and what a key's lines mean is remembered. That is the value of the whole text: each part
is a mapping of one key by itself, so that nothing in it is open at its end, and the next one begins in the first
column. A text of any other form is read whole.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from tunebook.tools.runtime.yaml_reading import load_yaml

__all__ = ["read_mapping"]

_MOST_PARTS = 20_000
_MOST_KEYS = 1000  # of a text; a longer one is not one of ours
_HEAD = re.compile(r"(?:#[^\n]*\n|\n)*")
_NEXT_KEY = re.compile(r"\n(?=[A-Za-z_])")
# A key, and below it lines that are indented, items of a list, comments or empty: no other key, no end of a document.
_PART = re.compile(r"[A-Za-z_]\w*:(?: [^\n]*)?(?:\n(?:[ #][^\n]*|- [^\n]*)?)*", re.ASCII)

_known: dict[tuple[str, object], tuple[str, Any]] = {}


def read_mapping(text: str, loader: Any = None) -> Any:
    """The value of a text. Lists and mappings in it may be those of another text: they must not be changed.

    Args:
        loader: as for :func:`load_yaml`.

    Raises:
        yaml.YAMLError: the text is not YAML, or is too deep or too large.
    """
    head = _HEAD.match(text)
    parts = _NEXT_KEY.split(text[head.end() :] if head else text)
    if len(parts) > _MOST_KEYS or "&" in text:  # an anchor may be used in another part
        return load_yaml(text, loader=loader)
    values: dict[str, Any] = {}
    # The line break before a key belongs to the part above it: a block of text ends with it.
    for part in (*(f"{each}\n" for each in parts[:-1]), parts[-1]):
        found = _known.get((part, loader)) or _read_part(part, loader)
        if found is None or found[0] in values:
            return load_yaml(text, loader=loader)
        values[found[0]] = found[1]
    return values


def _read_part(part: str, loader: Any) -> tuple[str, Any] | None:
    """Key and value of a part, which is remembered; ``None`` if it is not one key's."""
    if not _PART.fullmatch(part):
        return None
    try:
        value = load_yaml(part, loader=loader)
    except yaml.YAMLError:
        return None
    key = part.partition(":")[0]
    if not isinstance(value, dict) or list(value) != [key]:
        return None
    if len(_known) >= _MOST_PARTS:
        _known.clear()
    found = (key, value[key])
    _known[part, loader] = found
    return found
