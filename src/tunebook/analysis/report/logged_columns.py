"""Columns beside a score: what has no value in it, and the log's own number where that is another one."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.records import Measure, Score
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Cell, Column

__all__ = ["logged_columns", "repetition_note"]


def logged_columns() -> Iterator[Column]:
    """The columns for a table of scores; those without a value in any row are left out."""
    missing_note = "“No value” counts the answers that have no usable value; n and the score leave them out."
    refused_note = "“No answer” counts the answers that were graded so; the score counts them as wrong."
    logged_note = "“In the log” is the log's own number, with the reason, where it is not the mean over the samples."
    yield Column("missing", "No value", _missing, is_number=True, note=missing_note)
    yield Column("no_answer", "No answer", _no_answers, is_number=True, note=refused_note)
    yield Column("logged", "In the log", _logged, note=logged_note, detail="reason", is_long=True)


def _missing(score: Score) -> Cell:
    return _share(score.missing, score.missing + score.answers)


def _no_answers(score: Score) -> Cell:
    return _share(score.no_answers, score.missing + score.answers)


def _share(count: int, total: int) -> Cell:
    """``3 of 30 (10 %)``, which sorts by the share."""
    if not count:
        return Cell()
    return Cell(f"{count} of {total} ({count / total:.0%})".replace("%", " %"), repr(count / total))


def _logged(score: Score) -> Cell:
    if not score.logged_note or score.logged is None:
        return Cell()
    text = cells.text(f"{score.logged_metric} {score.logged:.6g}")
    return Cell(text.text, text.value, score.logged_note)


def repetition_note(measure: Measure) -> str:
    """How a sample's repetitions became its value; empty if nothing was repeated."""
    if not measure.reducer:
        return ""
    return f"Each sample's value is what the log's reducer, {measure.reducer}, makes of its repetitions."
