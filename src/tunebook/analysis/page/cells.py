"""Values as a page shows them, with what tables sort by and CSV files hold; texts stay plain, the template escapes."""

from __future__ import annotations

from dataclasses import dataclass

from tunebook.analysis.records import Interval
from tunebook.core.units import spoken_duration

__all__ = ["Cell", "Column", "duration", "missing", "number", "p_value", "score", "signed", "text"]

_PERCENT = 100.0
_SMALL_P = 0.001


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
    """A text, or that there is none."""
    return Cell(value, value, css=css) if value else missing()


def number(value: float | None, form: str = ".4g") -> Cell:
    """A number."""
    return missing() if value is None else Cell(format(value, form), repr(value))


def duration(seconds: float | None) -> Cell:
    """``1m 20s``; sorts by seconds."""
    return missing() if seconds is None else Cell(spoken_duration(seconds), repr(seconds))


def share(value: float, *, is_share: bool) -> str:
    """A score: as a percentage if it is a share of samples."""
    return f"{value * _PERCENT:.1f}%" if is_share else f"{value:.4g}"


def score(value: float | None, interval: Interval | None, *, is_share: bool) -> Cell:
    """A score with its interval."""
    if value is None:
        return missing()
    ends = ""
    if interval:
        ends = f"{share(interval.low, is_share=is_share)} to {share(interval.high, is_share=is_share)}"
    return Cell(share(value, is_share=is_share), repr(value), ends)


def signed(value: float, interval: Interval | None, *, is_share: bool) -> Cell:
    """A difference with its interval; of shares in percentage points."""

    def shown(number: float) -> str:
        return f"{number * _PERCENT:+.1f}" if is_share else f"{number:+.4g}"

    ends = f"{shown(interval.low)} to {shown(interval.high)}" if interval else ""
    return Cell(shown(value) + (" points" if is_share else ""), repr(value), ends)


def p_value(p: float) -> Cell:
    """``0.032``; below 0.001 it says so."""
    return Cell("< 0.001" if p < _SMALL_P else f"{p:.3f}", repr(p))
