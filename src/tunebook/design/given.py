"""What a person gives for a design, with the place of every text: options, a YAML file, or a program's values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tunebook.core.markdown import literal
from tunebook.errors import PlanError, Problem, UsageError

__all__ = ["Given", "Place", "assignments", "from_options", "from_values", "from_yaml", "levels"]

_MOST_NODES = 100_000
_DEEPEST = 20
_PART = re.compile(r"""\s*(?P<text>`[^`]*`|"(?:[^"\\]|\\.)*"|[^,]*?)\s*(?:,|$)""", re.DOTALL)
_PAIR = re.compile(r"\s*(?P<key>[\w .-]+?)\s*=")


@dataclass(frozen=True)
class Place:
    """A file and its line, or an option's name in place of the file."""

    file: str | None = None
    line: int | None = None

    def problem(self, message: str, hint: str = "") -> Problem:
        """A problem that stands here."""
        return Problem(message, self.file, self.line, hint)


@dataclass(frozen=True)
class Given:
    """A text, a list or a mapping, and where it stands."""

    value: str | tuple[Given, ...] | Mapping[str, Given]
    place: Place

    @property
    def text(self) -> str:
        """The text; empty for a list or a mapping."""
        return self.value if isinstance(self.value, str) else ""

    def items(self) -> Iterator[Given]:
        """The members of a list; anything else by itself."""
        yield from self.value if isinstance(self.value, tuple) else (self,)


def from_options(options: Mapping[str, Sequence[str]]) -> dict[str, list[Given]]:
    """Option name (without dashes in front) to what was given for it, each occurrence by itself."""
    return {name: [Given(text, Place(f"--{name}")) for text in texts] for name, texts in options.items() if texts}


def from_values(values: Mapping[str, Any]) -> dict[str, list[Given]]:
    """A program's values under the same keys: texts, numbers, lists and mappings."""
    return {name.replace("_", "-"): [_given(value, Place(name))] for name, value in values.items() if value is not None}


def _given(value: Any, place: Place) -> Given:
    if isinstance(value, Mapping):
        return Given({str(key): _given(item, place) for key, item in value.items()}, place)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return Given(tuple(_given(item, place) for item in value), place)
    if isinstance(value, bool):
        return Given("yes" if value else "no", place)
    return Given("" if value is None else str(value), place)


def from_yaml(text: str, *, file: str) -> dict[str, list[Given]]:
    """A YAML mapping; texts are taken as they are written, so that ``1e-5`` stays ``1e-5``.

    Raises:
        PlanError: it is not YAML, or no mapping; carries file and line.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise PlanError(f"this is not YAML: {error.problem or error.context}", file=file, line=line) from None
    except yaml.YAMLError as error:
        raise PlanError(f"this is not YAML: {error}", file=file) from None
    except RecursionError:
        raise PlanError("this YAML is nested too deeply", file=file) from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise PlanError("the file holds no mapping of keys to values", file=file, line=1)
    found = _Nodes(file).read(root)
    assert isinstance(found.value, Mapping)  # noqa: S101  a mapping node makes a mapping
    return {key.replace("_", "-"): [value] for key, value in found.value.items()}


class _Nodes:
    """YAML's nodes as what was given; aliases are followed, within reason."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._left = _MOST_NODES

    def read(self, node: yaml.Node, depth: int = 0, line: int | None = None) -> Given:
        """A value of a mapping stands on the line of its key."""
        place = Place(self._file, line or node.start_mark.line + 1)
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise PlanError([place.problem("the file is nested too deeply, or refers to itself")])
        if isinstance(node, yaml.MappingNode):
            pairs: dict[str, Given] = {}
            for key, value in node.value:
                name = str(key.value)
                if name in pairs:
                    raise PlanError(f"`{name}` is given twice", file=self._file, line=key.start_mark.line + 1)
                pairs[name] = self.read(value, depth + 1, key.start_mark.line + 1)
            return Given(pairs, place)
        if isinstance(node, yaml.SequenceNode):
            return Given(tuple(self.read(item, depth + 1) for item in node.value), place)
        absent = node.tag == "tag:yaml.org,2002:null"
        return Given("" if absent else str(node.value), place)


def levels(given: Given) -> list[str]:
    """The texts of a list, or of a text with commas between; a level with a comma stands in quotes or backticks.

    Raises:
        UsageError: a quoted level cannot be read.
    """
    if not isinstance(given.value, str):
        return [item.text for item in given.items()]
    found: list[str] = []
    text, position = given.text, 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None or match.end() == position:
            break
        found.append(match["text"])
        position = match.end()
    try:
        return [literal(part) if part[:1] in {'"', "`"} else part for part in found if part]
    except ValueError as error:
        raise UsageError([given.place.problem(f"`{text}` cannot be read: {error}")]) from None


def assignments(given: Given) -> dict[str, Given]:
    """``rank=64,lr=5e-5`` or a mapping, as name to text; a comma within a value counts unless ``name=`` follows.

    Raises:
        UsageError: the text is not of this form.
    """
    if isinstance(given.value, Mapping):
        return dict(given.value)
    parts = re.split(r",(?=\s*[\w .-]+?\s*=)", given.text)
    found: dict[str, Given] = {}
    for part in parts:
        match = _PAIR.match(part)
        if match is None:
            message = f"`{part.strip()}` is no assignment"
            raise UsageError([given.place.problem(message, "write name=value, several with commas between")])
        if match["key"] in found:
            raise UsageError([given.place.problem(f"`{match['key']}` is given twice", "give it once")])
        found[match["key"]] = Given(_unquoted(part[match.end() :].strip(), given.place), given.place)
    return found


def _unquoted(text: str, place: Place) -> str:
    try:
        return literal(text) if text[:1] in {'"', "`"} else text
    except ValueError as error:
        raise UsageError([place.problem(f"`{text}` cannot be read: {error}")]) from None
