"""What reading a design has so far, and what its readers share: places, paths, parameters by any of their names."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunebook.core.parameters import suggestion
from tunebook.design.given import Given, Place, assignments
from tunebook.design.values import MODEL, Design
from tunebook.errors import Problem

__all__ = ["Changes", "Read", "Reader", "number", "one", "text", "yes"]

Changes = dict[str, Any]


@dataclass
class Read:
    """A design as far as it could be read, and the places of its parts for later problems.

    Attributes:
        meant: parameters that a misspelt name seems to mean: they are not missing as well.
        places: the part's name (``factor``), or this and a key (``lora_rank``), to where it was given.
        directory: the experiment's, as another plan gives it.
        decisions: what that plan says in other words, with the reason.
        warnings: what it says and could not be carried over.
    """

    design: Design
    places: dict[tuple[str, ...], Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    meant: set[str] = field(default_factory=set)
    directory: Path | None = None
    decisions: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def place(self, *part: str) -> Place:
        """Where a part was given, or what it belongs to."""
        return self.places.get(part) or self.places.get(part[:1]) or Place()


@dataclass
class Reader:
    """Reads one key into changes of the design.

    Attributes:
        here: what relative paths are relative to.
        named: the parts that this document has given so far, which another document may give again.
    """

    read: Read
    key: str
    here: Path
    named: set[tuple[str, str]] = field(default_factory=set)

    @property
    def design(self) -> Design:
        """The design as it is so far."""
        return self.read.design

    def at(self, name: str, place: Place) -> None:
        """Notes where a part of this key was given."""
        self.read.places[self.key, name] = place

    def once(self, name: str, place: Place) -> None:
        """Notes a part that can be given once by each of the options, the file and the program."""
        if (self.key, name) in self.named:
            hint = "give it once, under a name of its own"
            self.read.problems.append(place.problem(f"`{name}` is given twice", hint))
        self.named.add((self.key, name))
        self.at(name, place)

    def path(self, text: str) -> str:
        """An absolute path, so that the page means the same from everywhere."""
        return os.path.abspath(self.here / Path(text).expanduser()) if text else ""  # noqa: PTH100  resolves no links

    def parameter(self, name: str, place: Place, *, factor: bool) -> str | None:
        """The key of a parameter that is named by key, column or short name; an unknown one is a problem."""
        lowered = name.strip().lower()
        if factor and lowered == MODEL:
            return MODEL
        parameters = self.design.parameters
        found = parameters.by_name(lowered)
        if found is None:
            varying = [item for parameter in parameters.varying for item in (parameter.key, parameter.short)]
            known = [*dict.fromkeys(varying), MODEL] if factor else [parameter.key for parameter in parameters]
            hint = suggestion(name, known)
            self.read.problems.append(place.problem(f"unknown {'factor' if factor else 'setting'} `{name}`", hint))
            meant = parameters.by_name(hint.split("`")[1]) if hint.startswith("did") else None
            self.read.meant |= {meant.key} if meant else set()
            return None
        return found.key

    def keyed(self, given: Given) -> dict[str, str]:
        """Assignments of levels: parameter's key to its text."""
        values: dict[str, str] = {}
        for name, item in assignments(given).items():
            key = self.parameter(name, item.place, factor=True)
            if key in values:
                self.read.problems.append(item.place.problem(f"`{key}` is given twice", "give it once"))
            values |= {key: self.level(name, item.text)} if key else {}
        return values

    def level(self, key: str, text: str) -> str:
        """A level as it is kept: the path of a data set becomes absolute."""
        return self.path(text) if key.lower() in {"dataset", "data"} else text


def text(name: str) -> Callable[[Reader, Given], Changes]:
    """Reads a text into this field."""
    return lambda _, given: {name: one(given)}


def one(given: Given) -> str:
    """The text that was given.

    Raises:
        ValueError: it is a list or a mapping.
    """
    if not isinstance(given.value, str):
        raise ValueError("one text is wanted here")  # noqa: TRY004  a person's input
    return given.text


def number(name: str) -> Callable[[Reader, Given], Changes]:
    """Reads a whole number into this field."""

    def read(_: Reader, given: Given) -> Changes:
        text = one(given)
        if not text.isdecimal():
            raise ValueError(f"`{text}` must be a whole number")
        return {name: int(text)}

    return read


def yes(given: Given) -> bool:
    """Yes or no.

    Raises:
        ValueError: neither.
    """
    found = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}.get(one(given).lower())
    if found is None:
        raise ValueError(f"`{given.text}` must be yes or no")
    return found
