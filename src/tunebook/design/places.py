"""Places: the file and line, or the option, where a person wrote a text; and texts and numbers that know theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from tunebook.errors import Problem

__all__ = ["NOWHERE", "Number", "Place", "Text", "place_of"]


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
