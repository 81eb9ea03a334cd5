"""Documents: options, YAML files and JSON as one kind of tree, whose texts keep their characters and their place.

A text stays as it was written, so that ``1e-5`` is not read as a number and written back as ``0.00001``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import yaml

from tunebook.core.markdown import literal
from tunebook.core.parameters import suggestion
from tunebook.errors import PlanError, Problem, UsageError
from tunebook.tools.yaml_text import compose_yaml

__all__ = [
    "NOWHERE",
    "Document",
    "Json",
    "Node",
    "Number",
    "Place",
    "Text",
    "assignments",
    "json_document",
    "levels",
    "options_document",
    "place_of",
    "records",
    "texts_of",
    "yaml_document",
]

_MOST_NODES = 100_000
_DEEPEST = 20
_MERGE = "tag:yaml.org,2002:merge"
_PART = re.compile(r"""\s*(?P<text>`[^`]*`|"(?:[^"\\]|\\.)*"|[^,]*)\s*(?:,|$)""", re.DOTALL)
_COMMA_OF_PAIR = re.compile(r",(?=\s*+[\w.-][\w .-]*+\s*+=)")
_PAIR = re.compile(r"\s*+(?P<key>[\w.-]++(?: ++[\w.-]++)*+)\s*+=")

Json: TypeAlias = "str | int | float | Sequence[Json] | Mapping[str, Json] | None"
"""A value of a JSON file."""


@dataclass(frozen=True)
class Place:
    """A file and its line, or an option's name instead of the file."""

    file: str | None = None
    line: int | None = None

    def problem(self, message: str, hint: str = "") -> Problem:
        """A problem at this place."""
        return Problem(message, self.file, self.line, hint)


NOWHERE = Place()
"""The place of what a program gave, and of defaults."""


class Text(str):
    """A text that knows where it was written; it equals any string of the same characters."""

    __slots__ = ("place",)
    place: Place

    def __new__(cls, text: str, place: Place = NOWHERE) -> Self:
        """The text with its place."""
        made = super().__new__(cls, text)
        made.place = place
        return made


class Number(int):
    """A whole number that knows where it was written."""

    place: Place

    def __new__(cls, value: int, place: Place = NOWHERE) -> Self:
        """The number with its place."""
        made = super().__new__(cls, value)
        made.place = place
        return made


def place_of(value: object) -> Place:
    """Where a text or a number was written; :data:`NOWHERE` for a plain one."""
    found = getattr(value, "place", NOWHERE)
    return found if isinstance(found, Place) else NOWHERE


@dataclass(frozen=True)
class Node:
    """A text, a list or a mapping, and where it was written; ``is_null`` tells YAML's null from an empty text."""

    value: str | tuple[Node, ...] | Mapping[str, Node]
    place: Place = NOWHERE
    is_null: bool = False

    @property
    def text(self) -> Text:
        """The text; empty for a list or a mapping."""
        return Text(self.value if isinstance(self.value, str) else "", self.place)

    def one_text(self) -> Text:
        """The text.

        Raises:
            UsageError: there is a list or a mapping.
        """
        if not isinstance(self.value, str):
            raise UsageError([self.place.problem("only one text is allowed here, not a list or a mapping")])
        return self.text

    def items(self) -> Iterator[Node]:
        """The members of a list; a text or a mapping counts as a list of one."""
        if isinstance(self.value, tuple):
            yield from self.value
        else:
            yield self

    def named(self) -> list[tuple[Text, Node]]:
        """The entries of a mapping, each name with the place of its value; nothing for a text or a list."""
        if not isinstance(self.value, Mapping):
            return []
        return [(Text(name, node.place), node) for name, node in self.value.items()]


Document = Mapping[str, tuple[Node, ...]]
"""Key to what was given for it, each occurrence of an option by itself."""


def options_document(options: Mapping[str, Sequence[str]]) -> Document:
    """The document of options, by name without the leading dashes."""
    found: dict[str, tuple[Node, ...]] = {}
    for name, texts in options.items():
        place = Place(f"--{name}")
        if texts:
            found[name] = tuple(Node(text, place) for text in texts)
    return found


def json_document(values: Mapping[str, Json], *, place: Place = NOWHERE) -> Document:
    """The document of a JSON object, all of it at one place."""
    return {name: (_json_node(value, place),) for name, value in values.items()}


def _json_node(value: Json, place: Place) -> Node:
    if isinstance(value, Mapping):
        return Node({key: _json_node(item, place) for key, item in value.items()}, place)
    if isinstance(value, list | tuple):
        return Node(tuple(_json_node(item, place) for item in value), place)
    if isinstance(value, bool):
        return Node("yes" if value else "no", place)
    return Node("" if value is None else str(value), place)


def yaml_document(text: str, *, file: str) -> Document:
    """The document of a YAML mapping; keys may have underscores for dashes.

    Raises:
        PlanError: the text is not YAML, or not a mapping; carries file and line.
    """
    try:
        root = compose_yaml(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        message = f"the file is not valid YAML: {error.problem or error.context}"
        raise PlanError(message, file=file, line=line, hint=_hint_of_line(text, line)) from None
    except yaml.YAMLError as error:
        raise PlanError(f"the file is not valid YAML: {error}", file=file) from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise PlanError("the file must be a mapping of keys to values", file=file, line=1)
    reader = _YamlReader(file)
    found: dict[str, tuple[Node, ...]] = {}
    for name, node in reader.read(root).named():
        key = name.replace("_", "-")
        if key in found:
            reader.problems.append(_given_twice(name, found[key][0].place, node.place))
        found[key] = (node,)
    if reader.problems:
        raise PlanError(reader.problems)
    return found


def _hint_of_line(text: str, line: int | None) -> str:
    """What to do about the most common fault, which YAML's own message does not name."""
    lines = text.splitlines()
    if line is None or line > len(lines):
        return ""
    wrong = lines[line - 1]
    indentation = wrong[: len(wrong) - len(wrong.lstrip())]
    return "the line is indented with a tab: use spaces" if "\t" in indentation else ""


def _given_twice(name: str, first: Place, second: Place) -> Problem:
    return second.problem(f"`{name}` is given twice: first in line {first.line}", "remove one of them")


class _YamlReader:
    """Turns YAML's nodes into ours; follows aliases and merge keys, up to a limit of nodes.

    Attributes:
        problems: keys that are given twice.
    """

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._left = _MOST_NODES

    def read(self, node: yaml.Node, depth: int = 0, line: int | None = None) -> Node:
        """Reads a node; a value of a mapping has the line of its key."""
        place = Place(self._file, line or node.start_mark.line + 1)
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise PlanError([place.problem("the file is nested too deeply, or refers to itself")])
        if isinstance(node, yaml.MappingNode):
            return Node(self._mapping(node, depth), place)
        if isinstance(node, yaml.SequenceNode):
            return Node(tuple(self.read(item, depth + 1) for item in node.value), place)
        if node.tag == "tag:yaml.org,2002:null":
            return Node("", place, is_null=True)
        return Node(str(node.value), place)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> Mapping[str, Node]:
        pairs: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            read = self.read(value, depth + 1, line)
            if key.tag == _MERGE:
                self._merge(merged, read)
                continue
            if name in pairs:
                problem = _given_twice(name, pairs[name].place, read.place)
                if problem not in self.problems:  # an alias is read several times
                    self.problems.append(problem)
            pairs[name] = read
        return {**merged, **pairs}

    def _merge(self, merged: dict[str, Node], node: Node) -> None:
        """Adds the keys of ``<<: *mapping``, or of a list of mappings, of which the first wins."""
        for item in node.items():
            if not isinstance(item.value, Mapping):
                raise PlanError([node.place.problem("`<<` needs a mapping, or a list of mappings")])
            for name, value in item.value.items():
                merged.setdefault(name, value)


def levels(node: Node) -> list[Text]:
    """The texts of a list, or of a text with commas; a level that has a comma is in quotes or backticks.

    Raises:
        UsageError: a quoted level cannot be read.
    """
    if not isinstance(node.value, str):
        return [item.text for item in node.items()]
    texts = [match["text"].strip() for match in _PART.finditer(node.value)]
    return [_unquoted(text, node.place) for text in texts if text]


def assignments(node: Node) -> list[tuple[Text, Node]]:
    """The pairs of ``rank=64,lr=5e-5`` or of a mapping; a comma belongs to the value unless ``name=`` follows it.

    Raises:
        UsageError: the text is not of this form.
    """
    if isinstance(node.value, Mapping):
        return node.named()
    found: dict[str, Node] = {}
    for part in _COMMA_OF_PAIR.split(node.text):
        match = _PAIR.match(part)
        if match is None:
            message = f"`{part.strip()}` is not of the form name=value"
            raise UsageError([node.place.problem(message, "separate several assignments with commas")])
        if match["key"] in found:
            raise UsageError([node.place.problem(f"`{match['key']}` is given twice", "give it once")])
        found[match["key"]] = Node(_unquoted(part[match.end() :].strip(), node.place), node.place)
    return Node(found, node.place).named()


def records(node: Node, main: str, *, keys: tuple[str, ...]) -> Iterator[tuple[Node, dict[str, str]]]:
    """The texts of each part by key: of ``NAME=MAIN``, of a mapping of names, and of mappings with these keys.

    Raises:
        UsageError: a mapping has another key, or a list instead of a text.
    """
    named: list[tuple[str, Node]] = [("", item) for item in node.items()]
    if isinstance(node.value, Mapping) and main not in node.value:
        named = [(name.strip(), item) for name, item in node.named()]
    for name, item in named:
        texts = {"name": name}
        if isinstance(item.value, Mapping):
            texts |= texts_of(item, keys=keys)
        else:
            first, sign, rest = item.one_text().partition("=")
            if name or not sign:
                texts[main] = item.text.strip()
            else:
                texts |= {"name": first.strip(), main: rest.strip()}
        yield item, texts


def texts_of(node: Node, *, keys: tuple[str, ...]) -> dict[str, str]:
    """The texts of a mapping that has only these keys."""
    values: dict[str, str] = {}
    for key, item in node.named():
        if key not in keys:
            raise UsageError([item.place.problem(f"unknown key `{key}`", suggestion(key, keys))])
        values[key] = item.one_text()
    return values


def _unquoted(text: str, place: Place) -> Text:
    """The text itself, or what is between its quotes or backticks."""
    if text[:1] not in {'"', "`"}:
        return Text(text, place)
    try:
        return Text(literal(text), place)
    except ValueError as error:
        raise UsageError([place.problem(f"`{text}` cannot be read: {error}")]) from None
