"""Reads parts of a plan in YAML by their shape: the keys that they may have, and what each value must be.

A key that is not in the shape is left behind with a warning. One that is close to a key that is missing is read as that
key, also with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from textwrap import shorten
from typing import Any

from tunebook.core.parameters import suggestion
from tunebook.design.documents import NOWHERE, Node, Place, Text
from tunebook.design.yaml_draft import Draft

__all__ = ["ANYTHING", "EACH", "PROMPTS", "TEXT", "TEXTS", "Left", "Renamed", "Section", "one_line", "read"]

TEXT = "one text"
TEXTS = "a list of texts, or one text"
ANYTHING = "a node as it is"
EACH = "*"
"""The key in a shape that stands for any key."""

PROMPTS = ("system_prompt", "prompt")
"""The keys whose empty text means something."""

_MOST_CHARACTERS = 120
_NEAR = 0.8
_PLACEHOLDER = re.compile(r"<[^<>{}\n]+>")
_SETTINGS = ("controls.", "parameters.", "variables.", "evaluation.")
_UNKNOWN = "tunebook does not know this key of such plans"


@dataclass(frozen=True)
class Left:
    """The shape of a key that has no equivalent in a plan, with the reason."""

    why: str


@dataclass(frozen=True)
class Renamed:
    """The shape of a key that has another name in newer files."""

    to: str


class Section(dict[str, Any]):
    """The parts of a mapping that are not empty; it knows its place, as its texts do.

    Attributes:
        nulls: keys whose value is null, to their places.
    """

    def __init__(self, place: Place = NOWHERE) -> None:
        super().__init__()
        self.place = place
        self.nulls: dict[str, Place] = {}

    def text(self, key: str) -> Text:
        """The text of a key; empty if it has none."""
        text: Text = self.get(key, Text("", self.place))
        return text


def read(draft: Draft, node: Node, shape: Any, label: str = "") -> Any:
    """The value of a node that has this shape; everything that has another one is a problem.

    Args:
        shape: ``TEXT``, ``TEXTS`` or ``ANYTHING``; a list with the shape of its members; or keys with their shapes.
    """
    if shape is ANYTHING:
        return node
    if isinstance(shape, Mapping):
        return _SectionReader(draft, node, shape, label).read()
    if shape is TEXT:
        return _text(draft, node, label)
    return list(_members(draft, node, shape, label))


def _text(draft: Draft, node: Node, label: str) -> Text:
    if isinstance(node.value, tuple) and len(node.value) == 1:
        node = node.value[0]
    if not isinstance(node.value, str):
        hint = 'write it in quotes: "{input}"' if isinstance(node.value, Mapping) else ""
        draft.problem(node.place, f"`{label}` must be one text", hint)
    return node.text


def _members(draft: Draft, node: Node, shape: Any, label: str) -> Iterator[Any]:
    """The members of a list; one text or one mapping counts as a list of one."""
    if isinstance(node.value, str) and shape is not TEXTS:
        draft.problem(node.place, f"`{label}` must be a list")
        return
    for item in node.items():
        if item.is_null:
            continue
        if shape is TEXTS:
            yield _text(draft, item, label)
        else:
            yield read(draft, item, shape[0], f"{label}[]")


def one_line(node: Node) -> str:
    """A node in one line."""
    if isinstance(node.value, str):
        return node.value
    if isinstance(node.value, tuple):
        return ", ".join(map(one_line, node.value))
    return ", ".join(f"{name} {one_line(item)}" for name, item in node.named())


class _SectionReader:
    """Reads one mapping; remembers under which name and where each key was given."""

    def __init__(self, draft: Draft, node: Node, shape: Mapping[str, Any], label: str) -> None:
        self._draft = draft
        self._node = node
        self._shape = shape
        self._label = label
        self._section = Section(node.place)
        self._names: dict[str, str] = {}
        self._places: dict[str, Place] = {}
        if EACH in shape:
            self._label = label.rpartition(".")[2]  # any run's parameters

    def read(self) -> Section:
        if self._node.value and not isinstance(self._node.value, Mapping):
            hint = "" if EACH in self._shape else f"keys: {', '.join(self._shape)}"
            self._draft.problem(self._node.place, f"`{self._label}` must be a mapping of keys to values", hint)
        for written, item in self._node.named():
            self._take(written, item)
        return self._section

    def _take(self, written: str, item: Node) -> None:
        full_name = f"{self._label}.{written}" if self._label else written
        name = self._known_name(written, full_name, item)
        shape = self._shape.get(name, self._shape.get(EACH))
        if shape is None:
            self._leave_unknown(name, full_name, item)
        elif item.is_null:
            self._section.nulls[name] = item.place
        elif isinstance(shape, Left):
            if item.value:
                self._leave(full_name, item, shape.why)
        elif item.value != "" or EACH in self._shape or name in PROMPTS:
            self._put(name, full_name, read(self._draft, item, shape, full_name), item.place)

    def _known_name(self, written: str, full_name: str, item: Node) -> str:
        """The name of a key in newer files; a misspelt name is read as the one that it means, with a warning."""
        target = self._shape.get(written)
        if isinstance(target, Renamed):
            return target.to
        if written in self._shape or EACH in self._shape:
            return written
        near = get_close_matches(written.lower().replace("-", "_"), self._shape, n=1, cutoff=_NEAR)
        given = [name for name, _ in self._node.named()]
        if not near or near[0] in given or isinstance(self._shape[near[0]], Left):
            return written
        meant = self._known_name(near[0], full_name, item)
        self._draft.warn(item.place, f"`{full_name}` is read as `{meant}`", "correct the key")
        self._draft.note(f"`{full_name}` in line {item.place.line} was read as `{meant}`.")
        return meant

    def _leave(self, what: str, item: Node, why: str) -> None:
        content = shorten(one_line(item), _MOST_CHARACTERS, placeholder=" …")
        if content:
            what += f": {content}"
        self._draft.leave(item.place, what, why)

    def _leave_unknown(self, name: str, full_name: str, item: Node) -> None:
        known = [key for key, shape in self._shape.items() if not isinstance(shape, Left | Renamed)]
        near = suggestion(name, known)
        why = f"{_UNKNOWN}; {near}" if near.endswith("?") else _UNKNOWN
        self._leave(f"unknown key `{full_name}`", item, why)

    def _put(self, name: str, full_name: str, value: Any, place: Place) -> None:
        """Adds a value; a second name of the same key must have the same value."""
        if isinstance(value, Text) and _PLACEHOLDER.fullmatch(value):
            self._report_placeholder(value, full_name)
        elif name not in self._section:
            self._section[name] = value
            self._names[name] = full_name
            self._places[name] = place
        elif isinstance(value, Text) and isinstance(self._section[name], Text):
            self._draft.contradict(self._names[name], self._section[name], full_name, value)
        else:
            message = f"`{full_name}` and `{self._names[name]}` are the same key"
            self._draft.repeat(message, self._places[name], place)

    def _report_placeholder(self, text: Text, full_name: str) -> None:
        message = f"`{full_name}` is still the placeholder `{text}`"
        hint = "write the value, or remove the key"
        if full_name.startswith(_SETTINGS):
            self._draft.problem(text.place, message, hint)
        else:
            self._draft.warn(text.place, f"{message}: it counts as not given", hint)
