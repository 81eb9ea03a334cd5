"""Drafts a design from a plan in YAML: checks the file's shape, and collects problems and what is not carried over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tunebook.core.parameters import suggestion
from tunebook.design.documents import NOWHERE, Node, Place, Text
from tunebook.design.factors import find_key, nearest_key
from tunebook.design.values import Decision, Design, DesignInputs, with_absolute_paths
from tunebook.errors import PlanError, Problem
from tunebook.tools.parameters import every_parameter

__all__ = ["ANYTHING", "EACH", "TEXT", "TEXTS", "Draft", "Section"]

TEXT = "one text"
TEXTS = "a list of texts, or one text"
ANYTHING = "a node as it is"
EACH = "*"
"""The key in a shape that stands for any key."""


class Section(dict[str, Any]):
    """The parts of a mapping that are not empty; it knows its place, as its texts do."""

    place = NOWHERE

    def text(self, key: str) -> Text:
        """The text of a key; empty if it has none."""
        text: Text = self.get(key, Text("", self.place))
        return text


class Draft:
    """A design that grows section by section.

    Attributes:
        here: the plan's directory, which relative paths are relative to.
        directory: the experiment's directory, if the plan names one.
    """

    def __init__(self, *, here: Path) -> None:
        self.here = here
        self.design = Design()
        self.directory = ""
        self.problems: list[Problem] = []
        self._notes: list[str] = []
        self._decisions: list[Decision] = []
        self._warnings: list[Problem] = []

    def give(self, **values: Any) -> None:
        """Sets attributes of the design."""
        self.design = replace(self.design, **values)

    def inputs(self) -> DesignInputs:
        """The design, with everything that was found.

        Raises:
            PlanError: there are problems; carries all of them, in the order of lines.
        """
        if self.problems:
            raise PlanError(sorted(self.problems, key=lambda problem: problem.line or 0))
        return DesignInputs(
            design=replace(with_absolute_paths(self.design, self.here), notes=tuple(self._notes)),
            decisions=tuple(self._decisions),
            warnings=tuple(self._warnings),
            directory=self.directory,
        )

    # --- what is found

    def problem(self, place: Place, message: str, hint: str = "") -> None:
        """Reports an error in the file; reading continues."""
        self.problems.append(place.problem(message, hint))

    def warn(self, place: Place, message: str, hint: str) -> None:
        """Reports a part of the file without effect."""
        self._warnings.append(place.problem(message, hint))

    def note(self, text: str) -> None:
        """Adds a line at the end of the plan."""
        self._notes.append(" ".join(text.split()))

    def decide(self, what: str, why: str) -> None:
        """Records an interpretation of the file."""
        self._decisions.append((what, why))

    def leave(self, place: Place, what: str, why: str) -> None:
        """Adds a warning, and a note in the plan, for a part that has no equivalent there."""
        self.warn(place, f"not carried over: {what}", why)
        self.note(f"Not carried over ({Path(place.file or '').name}:{place.line}): {what}. {why[:1].upper()}{why[1:]}.")

    # --- values of the file

    def read(self, node: Node, shape: Any, label: str = "") -> Any:
        """The value of a node that has this shape; everything that has another one is a problem.

        Args:
            shape: ``TEXT``, ``TEXTS`` or ``ANYTHING``; a list with the shape of its members; or keys with their shapes.
        """
        if shape is ANYTHING:
            return node
        if isinstance(shape, Mapping):
            return self._section(node, shape, label)
        if shape is TEXT:
            return self._text(node, label)
        return list(self._members(node, shape, label))

    def _members(self, node: Node, shape: Any, label: str) -> Iterator[Any]:
        if node.value == "":
            return
        if shape is not TEXTS and not isinstance(node.value, tuple):
            self.problem(node.place, f"`{label}` must be a list")
            return
        for item in node.items():
            if shape is TEXTS:
                yield self._text(item, label)
            else:
                yield self.read(item, shape[0], f"{label}[]")

    def _section(self, node: Node, shape: Mapping[str, Any], label: str) -> Section:
        section = Section()
        section.place = node.place
        if not isinstance(node.value, Mapping) and node.value != "":
            hint = "keys: " + ", ".join(shape)
            self.problem(node.place, f"`{label}` must be a mapping of keys to values", hint.replace("keys: *", ""))
        if EACH in shape:
            label = label.rpartition(".")[2]  # any run's parameters
        for name, item in node.named():
            full_name = f"{label}.{name}" if label else name
            if name not in shape and EACH not in shape:
                self.problem(item.place, f"unknown key `{full_name}`", _what_to_do(suggestion(name, shape)))
            elif item.value != "" or EACH in shape:
                section[name] = self.read(item, shape.get(name, shape.get(EACH)), full_name)
        return section

    def _text(self, node: Node, label: str) -> Text:
        if not isinstance(node.value, str):
            hint = 'write it in quotes: "{input}"' if isinstance(node.value, Mapping) else ""
            self.problem(node.place, f"`{label}` must be one text", hint)
        return node.text

    def either(self, section: Section, label: str, first: str, second: str) -> Text:
        """The text of one of two keys that mean the same; both are a problem."""
        if first in section and second in section:
            self.problem(section.text(second).place, f"`{label}.{first}` and `{label}.{second}` mean the same")
        return section.text(first) or section.text(second)

    def parameter(self, name: Text, *, section: str, is_factor: bool) -> str | None:
        """The key of a parameter by any of its names; an unknown name is a problem."""
        key = find_key(name, is_factor=is_factor)
        if key is None:
            meant, hint = nearest_key(name, is_factor=is_factor)
            if meant is None:
                columns = [item.column.lower().replace(" ", "_") for item in every_parameter()]
                hint = suggestion(name, columns)
            self.problem(name.place, f"unknown parameter `{section}.{name}`", _what_to_do(hint))
        return key


def _what_to_do(hint: str) -> str:
    if hint.endswith("?"):
        return f"{hint} Correct it, or remove it from the file"
    return f"{hint}; correct it, or remove it from the file"
