"""The evaluation matrix: which run gets which task at which epochs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tunebook.core.markdown import Cell, Section
from tunebook.core.parameters import Written
from tunebook.core.plan import EvaluationTask, MatrixEntry
from tunebook.core.reading import Reader

__all__ = ["parse_epochs", "read_matrix"]

_TICK = re.compile(r"(?:✓|✔|✅|☑|x|yes)\s*(?P<epochs>.*)", re.IGNORECASE | re.DOTALL)
_BLANK = {"", "-", "–", "—", "✗", "✘", "no", "n/a"}
_HINT = "write `✓`, `✓ epoch 0,1`, `✓ last`, `✓ all` or `-`"


def parse_epochs(text: str) -> str | tuple[int, ...] | None:
    """``last``, ``all`` or zero-based epochs out of ``0, 1``, ``epoch 0`` or ``epochs 0-2``; ``None`` if unreadable."""
    text = re.sub(r"^\(?epochs?\b:?\s*|\)$", "", text.strip().lower()).strip()
    if text in {"last", "all"}:
        return text
    if text in {"final", "last epoch"}:
        return "last"
    epochs: list[int] = []
    for part in re.split(r"\s*(?:,|and|\+)\s*", text):
        span = re.fullmatch(r"(\d{1,6})(?:\s*[-–]\s*(\d{1,6}))?", part)
        if span is None or (span[2] and not int(span[1]) <= int(span[2]) < int(span[1]) + 10_000):
            return None
        epochs.extend(range(int(span[1]), int(span[2] or span[1]) + 1))
    return tuple(dict.fromkeys(epochs))


def read_matrix(
    section: Section | None, read: Reader, tasks: Sequence[EvaluationTask]
) -> tuple[tuple[MatrixEntry, ...] | None, tuple[Written, ...]]:
    """The matrix's entries and its runs; entries are ``None`` if the page has no matrix."""
    if section is None or not section.tables:
        return None, ()
    table = section.tables[0]
    names = [task.name for task in tasks]
    columns = read.columns(table, ("Run Name", *names), required=("Run Name",), extra=("Notes",))
    if columns is None:
        return (), ()
    entries: list[MatrixEntry] = []
    for row in table.rows:
        run = row.cells[columns["run name"]].text
        for task in tasks:
            index = columns.get(" ".join(task.name.lower().split()))
            if index is not None and row.cells[index].raw.strip().lower() not in _BLANK:
                entries.extend(_entry(row.cells[index], run, task.name, read))
    runs = tuple(Written(row.cells[columns["run name"]].text, "", row.line) for row in table.rows)
    return tuple(entries), runs


def _entry(cell: Cell, run: str, task: str, read: Reader) -> list[MatrixEntry]:
    match = _TICK.fullmatch(cell.raw.strip())
    epochs = parse_epochs(match["epochs"]) if match and match["epochs"] else None
    if match is None or (match["epochs"] and epochs is None):
        read.problem(f"`{cell.raw.strip()}` in the evaluation matrix cannot be read", cell.line, _HINT)
        return []
    return [MatrixEntry(run, task, cell.line, epochs)]
