"""Values as cells: formatted once for every output."""

from __future__ import annotations

from tunebook.analysis.formatting import Scale, p_number
from tunebook.analysis.records import Interval
from tunebook.analysis.report.content import Cell
from tunebook.core.job import JobState
from tunebook.core.units import spoken_duration

__all__ = ["count", "difference", "duration", "log", "number", "p_value", "score", "state", "text"]


def text(value: str, *, detail: str = "") -> Cell:
    """A text."""
    return Cell(value, value, detail) if value else Cell()


def count(value: int | None) -> Cell:
    """A whole number."""
    return Cell() if value is None else Cell(str(value), str(value))


def number(value: float | None, form: str = ".4g", *, unit: str = "") -> Cell:
    """A number with its unit."""
    if value is None:
        return Cell()
    shown = format(value, form)
    return Cell(f"{shown} {unit}" if unit else shown, repr(value), unit=unit)


def duration(seconds: float | None) -> Cell:
    """``1m 20s``; sorts by seconds."""
    return Cell() if seconds is None else Cell(spoken_duration(seconds), repr(seconds))


def state(value: JobState, *, has_results: bool) -> Cell:
    """A job's state; results without a record of their job are results too."""
    shown = "results found" if value is JobState.UNKNOWN and has_results else value.value
    return Cell(shown, shown, state=value.value)


def log(path: str | None) -> Cell:
    """A log."""
    return Cell("open", path, log=path) if path else Cell()


def score(value: float | None, interval: Interval | None, scale: Scale) -> Cell:
    """A score with its interval."""
    if value is None:
        return Cell()
    return Cell(scale.value(value), repr(value), scale.interval(interval), scale.unit)


def difference(value: float | None, interval: Interval | None, scale: Scale, *, note: str = "") -> Cell:
    """A difference of scores with its interval and a note."""
    if value is None:
        return Cell()
    details = [] if interval is None else [scale.bounds(interval)]
    if note:
        details.append(note)
    return Cell(scale.change(value), repr(value), "; ".join(details), "points" if scale.is_percent else "")


def p_value(p: float | None, *, significant: bool | None) -> Cell:
    """``0.032``, and that it is not significant."""
    if p is None:
        return Cell()
    return Cell(p_number(p), repr(p), "" if significant else "not significant")
