"""What the sections of a YAML plan share: keys that are named where they are unknown, and what is left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tunebook.core.parameters import suggestion
from tunebook.design.given import Given, Place
from tunebook.design.reader import Read, Reader
from tunebook.errors import Problem

__all__ = ["Carrying"]


class Carrying:
    """A design that grows section by section; problems, and what could not be carried over, are collected."""

    def __init__(self, read: Read, *, here: Path) -> None:
        self.read = read
        self.here = here

    def set(self, **changes: object) -> None:
        """Changes fields of the design."""
        self.read.design = replace(self.read.design, **changes)  # type: ignore[arg-type]

    def reader(self, key: str) -> Reader:
        """The design's own reader of this key: it knows parameters by all of their names."""
        return Reader(self.read, key, self.here)

    def path(self, text: str) -> str:
        """An absolute path; relative ones are relative to the plan's directory."""
        return self.reader("").path(text)

    def problem(self, place: Place, message: str, hint: str = "") -> None:
        """Something is wrong in the file; reading goes on."""
        self.read.problems.append(place.problem(message, hint))

    def note(self, text: str) -> None:
        """A line at the end of the page."""
        self.set(notes=(*self.read.design.notes, " ".join(text.split())))

    def decide(self, what: str, why: str) -> None:
        """Something that the file says in other words, or leaves open."""
        self.read.decisions.append((what, why))

    def leave(self, place: Place, what: str, why: str) -> None:
        """Something that has no place on the page: a warning, and a note on the page."""
        self.read.warnings.append(place.problem(f"not carried over: {what}", why))
        where = f"{Path(place.file).name}:{place.line}" if place.file else ""
        self.note(f"Not carried over ({where}): {what}. {why[:1].upper()}{why[1:]}.")

    def mapping(self, given: Given | None, name: str, known: Sequence[str]) -> dict[str, Given]:
        """The entries of a section that are not empty; unknown ones, and a section that is none, are problems."""
        if given is None or given.value == "":
            return {}
        if not isinstance(given.value, Mapping):
            self.problem(given.place, f"`{name}` must hold keys with values", "keys: " + ", ".join(known))
            return {}
        self.unknown(given.value, name, known)
        return {key: item for key, item in given.value.items() if key in known and item.value != ""}

    def unknown(self, found: Mapping[str, Given], name: str, known: Sequence[str]) -> None:
        """Names every key that a plan does not have."""
        for key, item in found.items():
            if key not in known:
                label = f"{name}.{key}" if name else key
                self.problem(item.place, f"unknown key `{label}`", _to_do(suggestion(key, known)))

    def sequence(self, given: Given | None, name: str) -> list[Given]:
        """The members of a list; anything else is a problem."""
        if given is None or given.value == "":
            return []
        if not isinstance(given.value, tuple):
            self.problem(given.place, f"`{name}` must be a list")
            return []
        return list(given.value)

    def text(self, given: Given | None, name: str) -> str:
        """A text; a list or a mapping in its place is a problem."""
        if given is None:
            return ""
        if not isinstance(given.value, str):
            hint = 'write it in quotes: "{input}"' if isinstance(given.value, Mapping) else ""
            self.problem(given.place, f"`{name}` must be one text", hint)
            return ""
        return given.value

    def texts(self, given: Given | None, name: str) -> list[str]:
        """A list of texts, or one."""
        return [] if given is None or given.value == "" else [self.text(item, name) for item in given.items()]

    def parameter(self, name: str, place: Place, *, section: str, factor: bool) -> str | None:
        """The key of a parameter by any of its names; an unknown one is a problem that names the section."""
        before = len(self.read.problems)
        key = self.reader("").parameter(name, place, factor=factor)
        if key is None:
            told = self.read.problems[before]
            columns = [item.column.lower().replace(" ", "_") for item in self.read.design.parameters]
            hint = told.hint if told.hint.startswith("did") else suggestion(name, columns)
            message = f"unknown parameter `{section}.{name}`"
            self.read.problems[before] = Problem(message, told.file, told.line, _to_do(hint))
        return key


def _to_do(hint: str) -> str:
    return f"{hint}{' C' if hint.endswith('?') else '; c'}orrect it, or remove it from the file"
