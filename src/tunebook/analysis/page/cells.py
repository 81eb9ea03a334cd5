"""Values as a page shows them, with what tables sort by and CSV files hold; texts stay plain, the template escapes."""

from __future__ import annotations

from dataclasses import dataclass

from tunebook.analysis.records import Interval
from tunebook.analysis.wording import Scale, p_text
from tunebook.core.units import spoken_duration

__all__ = ["Cell", "Column", "difference", "duration", "missing", "number", "p_value", "score", "text"]

_SHORT = 28  # letters


@dataclass(frozen=True)
class Column:
    """A table's column.

    Attributes:
        kind: ``text`` or ``number``: how it sorts, and where it stands.
        first: which way a first click sorts.
        options: what a filter offers; none for no filter.
    """

    title: str
    kind: str = "text"
    first: str = "ascending"
    options: tuple[str, ...] = ()
    css: str = ""


@dataclass(frozen=True)
class Cell:
    """What is shown; ``value`` is what sorts and what a CSV file gets, ``range`` a second line."""

    text: str
    value: str = ""
    range: str = ""
    css: str = ""
    href: str = ""


def missing() -> Cell:
    """Nothing is known."""
    return Cell("–", "")


def text(value: str, css: str = "") -> Cell:
    """A text, or that there is none; a short one stays on its line."""
    return Cell(value, value, css=css or ("nowrap" if len(value) <= _SHORT else "")) if value else missing()


def number(value: float | None, form: str = ".4g") -> Cell:
    """A number."""
    return missing() if value is None else Cell(format(value, form), repr(value))


def duration(seconds: float | None) -> Cell:
    """``1m 20s``; sorts by seconds."""
    return missing() if seconds is None else Cell(spoken_duration(seconds), repr(seconds))


def score(value: float | None, interval: Interval | None, scale: Scale) -> Cell:
    """A score with its interval."""
    return missing() if value is None else Cell(scale.value(value), repr(value), scale.interval(interval))


def difference(value: float, interval: Interval | None, scale: Scale, note: str = "") -> Cell:
    """A difference of scores with its interval and a note."""
    text, _, inside = scale.difference(value, interval).partition(" (")
    return Cell(text, repr(value), "; ".join(filter(None, (inside.removesuffix(")"), note))))


def p_value(p: float) -> Cell:
    """``0.032``; below 0.001 it says so."""
    return Cell(p_text(p).removeprefix("p ").removeprefix("= "), repr(p))
