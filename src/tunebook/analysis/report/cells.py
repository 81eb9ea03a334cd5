"""Values as cells: formatted once for every output."""

from __future__ import annotations

from tunebook.analysis.formatting import Scale, p_number
from tunebook.analysis.records import Interval
from tunebook.analysis.report.content import Cell
from tunebook.core.jobs import JobState
from tunebook.core.units import spoken_duration

__all__ = ["difference", "duration", "log", "name", "number", "p_value", "score", "state", "text"]

_UNKNOWN = Cell()


def text(value: str) -> Cell:
    """A text."""
    return Cell(value, value) if value else _UNKNOWN


def name(label: str, value: str) -> Cell:
    """A run's short name, with its whole name as a detail if the two differ."""
    return Cell(label, value, "" if label == value else value)


def number(value: float | None, form: str = "d", *, unit: str = "") -> Cell:
    """A number with its unit; by default a whole number."""
    if value is None:
        return _UNKNOWN
    return Cell(f"{value:{form}} {unit}".rstrip(), repr(value), unit=unit)


def duration(seconds: float | None) -> Cell:
    """``1m 20s``; sorts by seconds."""
    if seconds is None:
        return _UNKNOWN
    return Cell(spoken_duration(seconds), repr(seconds))


def state(value: JobState, has_results: bool) -> Cell:  # noqa: FBT001  a fact about the job, not an option
    """A job's state; results count even if their job is not recorded."""
    if value is JobState.UNKNOWN:
        return text("results found" if has_results else "no job")
    return Cell(value.value, value.value, state=value.value)


def log(path: str | None) -> Cell:
    """A log."""
    return Cell("open", path, log=path) if path else _UNKNOWN


def score(value: float | None, interval: Interval | None, scale: Scale) -> Cell:
    """A score with its interval."""
    if value is None:
        return _UNKNOWN
    return Cell(scale.value(value), repr(value), scale.interval(interval), scale.unit)


def difference(value: float | None, interval: Interval | None, scale: Scale, *, note: str = "") -> Cell:
    """A difference of scores with its interval and a note."""
    if value is None:
        return _UNKNOWN
    details = note
    if interval is not None:
        details = "; ".join(filter(None, (scale.bounds(interval), note)))
    return Cell(scale.change(value), repr(value), details, scale.difference_unit)


def p_value(p: float | None, significant: bool | None) -> Cell:  # noqa: FBT001  a fact about the test, not an option
    """``0.032``, and that it is not significant."""
    if p is None:
        return _UNKNOWN
    return Cell(p_number(p), repr(p), "" if significant else "not significant")
