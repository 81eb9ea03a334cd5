"""The status tables of the experiment's page: rewritten, and not one other byte of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tunebook.core.jobs import JobState
from tunebook.core.markdown import Cell, Row, Section, Table, parse_page
from tunebook.core.plan import PLAN_FILE
from tunebook.core.table_text import TableLine, escape_cell, join_lines, new_line, split_lines
from tunebook.errors import PlanError

__all__ = ["EvaluationRow", "TrainingRow", "update_status"]

_OURS = re.compile(
    r"exit code \d+( \([A-Z0-9]+\))?|killed by SIG[A-Z0-9]+|killed \(no outcome file\)|training failed|tunebook: .*"
    r"|(TIMEOUT|OUT_OF_GPU_MEMORY|OUT_OF_MEMORY|DIVERGED|CANCELLED|NODE_FAIL|PREEMPTED|BOOT_FAIL|DEADLINE)( by \d+)?"
)
_TRAINING = ("Run Name", "Status", "Job ID", "Started", "Completed", "Notes")
_EVALUATION = ("Run Name", "Task", "Epoch", "Status", "Job ID", "Completed", "Notes")
_BOM = "\ufeff"

_Key = tuple[str, ...]


@dataclass(frozen=True)
class TrainingRow:
    """A row of ``### Fine-tuning``; times are written as they are given, what is empty as ``-``."""

    run: str
    status: JobState
    job_id: str = ""
    started: str = ""
    completed: str = ""
    notes: str = ""


@dataclass(frozen=True)
class EvaluationRow:
    """A row of ``### Evaluations``; ``epoch`` is zero-based, ``None`` for what was not trained here."""

    run: str
    task: str
    epoch: int | None
    status: JobState
    job_id: str = ""
    completed: str = ""
    notes: str = ""


@dataclass(frozen=True)
class _Kind:
    """One of the two tables: how it is found, and what identifies a row."""

    title: str
    titles: frozenset[str]
    columns: tuple[str, ...]
    key: tuple[str, ...]


_FINE_TUNING = _Kind("Fine-tuning", frozenset({"fine-tuning", "finetuning", "fine tuning"}), _TRAINING, ("Run Name",))
_EVALUATIONS = _Kind(
    "Evaluations", frozenset({"evaluations", "evaluation"}), _EVALUATION, ("Run Name", "Task", "Epoch")
)


def update_status(text: str, training: Sequence[TrainingRow], evaluations: Sequence[EvaluationRow]) -> str:
    """The page with these rows in the two tables of ``## Status``, and every other byte as it was.

    Rows that the page does not have are added; rows, columns and notes of a person's stay. In Notes, what tunebook said
    before is replaced and everything else is kept, in front of what it says now (separated by ``; ``). A table or a
    section that is missing is added at the end of what it belongs to. Notes that are none of the words of the status
    tables (``exit code 1``, ``TIMEOUT``, ``training failed`` …) are written as ``tunebook: …``, so that they are known
    again.

    Raises:
        PlanError: the page ends in the midst of something, a code block for example, so that no table can be added.
    """
    page = _Page(text)
    for kind, rows in ((_FINE_TUNING, _training_rows(training)), (_EVALUATIONS, _evaluation_rows(evaluations))):
        if rows:
            page.update(kind, rows)
    return page.text()


def _training_rows(rows: Sequence[TrainingRow]) -> dict[_Key, dict[str, str]]:
    return {
        (_seen(row.run),): {
            "Run Name": row.run,
            "Status": row.status.value,
            "Job ID": row.job_id,
            "Started": row.started,
            "Completed": row.completed,
            "Notes": row.notes,
        }
        for row in rows
    }


def _evaluation_rows(rows: Sequence[EvaluationRow]) -> dict[_Key, dict[str, str]]:
    return {
        (_seen(row.run), _seen(row.task), "" if row.epoch is None else str(row.epoch)): {
            "Run Name": row.run,
            "Task": row.task,
            "Epoch": "" if row.epoch is None else str(row.epoch),
            "Status": row.status.value,
            "Job ID": row.job_id,
            "Completed": row.completed,
            "Notes": row.notes,
        }
        for row in rows
    }


def _seen(value: str) -> str:
    """The value as it reads once it is a cell."""
    return _cell_text(Cell(escape_cell(value).replace("\\|", "|"), 0))


def _cell_text(cell: Cell) -> str:
    return "" if cell.is_empty else cell.text


class _Page:
    """The page's lines while they are changed."""

    def __init__(self, text: str) -> None:
        self.bom = _BOM if text.startswith(_BOM) else ""
        self.lines, self.ends = split_lines(text.removeprefix(_BOM))
        self.end = next((end for end in self.ends if end), "\n")
        self._tree: Section | None = None

    def text(self) -> str:
        return self.bom + join_lines(self.lines, self.ends)

    def update(self, kind: _Kind, rows: Mapping[_Key, Mapping[str, str]]) -> None:
        table = self._find(kind)
        if table is None:
            self._add_table(kind)
            table = self._find(kind)
        if table is None:
            message = (
                f"`### {kind.title}` cannot be added under `## Status`: the page ends inside a code block, a comment"
            )
            raise PlanError(f"{message} or the like", file=PLAN_FILE, hint="close it, or add the section by hand")
        _TableUpdate(self, kind, table).apply(rows)

    def insert(self, position: int, new: Sequence[str]) -> None:
        """Adds lines in front of the zero-based ``position``; whether the page ends with a line end stays as it was."""
        if position == len(self.lines) and self.lines:
            last = self.ends[-1]
            self.ends[-1] = self.end
            ends = [self.end] * (len(new) - 1) + [last]
        else:
            ends = [self.end] * len(new)
        self._tree = None
        self.lines[position:position] = new
        self.ends[position:position] = ends

    def _status(self) -> Section | None:
        sections = [section for section in self._root().walk() if section.title.lower() == "status"]
        return next((section for section in sections if section.level == 2), None)  # noqa: PLR2004  ## Status

    def _root(self) -> Section:
        """The page's structure, which only new lines change."""
        if self._tree is None:
            self._tree = parse_page("\n".join(self.lines))
        return self._tree

    def _find(self, kind: _Kind) -> Table | None:
        status = self._status()
        parts = [part for part in status.walk() if part.title.lower() in kind.titles] if status else []
        return next((table for part in parts for table in part.tables if self._is_ours(table, kind)), None)

    def _is_ours(self, table: Table, kind: _Kind) -> bool:
        """Whether it has the columns, and stands on the page as lines of its own (not in a quotation)."""
        names = {_name(cell) for cell in table.header}
        here = TableLine.read(self.lines[table.line - 1]).raw == tuple(cell.raw for cell in table.header)
        return here and {column.lower() for column in (*kind.key, "Status")} <= names

    def _add_table(self, kind: _Kind) -> None:
        lines = [new_line(kind.columns), "|" + "|".join("-" * (len(name) + 2) for name in kind.columns) + "|"]
        status = self._status()
        section = (
            next((part for part in status.sections if part.title.lower() in kind.titles), None) if status else None
        )
        if section is None:
            lines = [f"### {kind.title}", *lines]
        if status is None:
            lines = ["## Status", "", *lines]
        whole = section or status
        start, stop = (whole.line, min(whole.end_line, len(self.lines))) if whole else (0, len(self.lines))
        while stop > start and not self.lines[stop - 1].strip():
            stop -= 1
        before = [""] if stop > 0 else []
        after = [""] if stop < len(self.lines) and self.lines[stop].strip() else []
        self.insert(stop, [*before, *lines, *after])


def _name(cell: Cell) -> str:
    return " ".join(cell.text.lower().split())


class _TableUpdate:
    """One table's rows while they are changed."""

    def __init__(self, page: _Page, kind: _Kind, table: Table) -> None:
        self.page = page
        self.kind = kind
        self.table = table
        self.header = [_name(cell) for cell in table.header]
        known = {column.lower(): column for column in kind.columns}
        self.columns = {known[name]: self.header.index(name) for name in self.header if name in known}

    def apply(self, rows: Mapping[_Key, Mapping[str, str]]) -> None:
        left = dict(rows)
        for row in self.table.rows:
            key = self._key(row)
            if key in rows:
                self._rewrite(row, rows[key])
                left.pop(key, None)
        if left:
            self._append(list(left.values()))

    def _key(self, row: Row) -> _Key:
        texts = [_cell_text(row.cells[self.columns[name]]) for name in self.kind.key]
        if len(texts) == len(_EVALUATIONS.key):
            texts[-1] = _epoch(texts[-1])
        return tuple(texts)

    def _rewrite(self, row: Row, values: Mapping[str, str]) -> None:
        index = row.line - 1
        line = TableLine.read(self.page.lines[index])
        changes: dict[int, str] = {}
        for column, place in self.columns.items():
            if column in self.kind.key:
                continue
            cell = row.cells[place]
            if column == "Notes":
                written = line.cells[place].strip() if place < len(line.cells) else ""
                content = _notes(written, values[column])
                if content != (written or "-"):
                    changes[place] = content
            elif _cell_text(cell) != _seen(values[column]):
                changes[place] = escape_cell(values[column])
        if changes:
            self.page.lines[index] = line.with_cells(changes)

    def _append(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Adds rows after the last one; columns that are a person's get ``-``."""
        head = self.page.lines[self.table.line - 1]
        indent = head[: len(head) - len(head.lstrip())]
        last = self.table.rows[-1].line if self.table.rows else self.table.line + 1
        self.page.insert(last, [new_line(self._cells(row), indent) for row in rows])

    def _cells(self, values: Mapping[str, str]) -> list[str]:
        cells = ["-"] * len(self.header)
        for column, place in self.columns.items():
            cells[place] = _notes("", values[column]) if column == "Notes" else escape_cell(values[column])
        return cells


def _epoch(text: str) -> str:
    number = re.fullmatch(r"(?:epoch\s*)?0*(\d+)", text.lower())
    if number:
        return number[1]
    return "" if text.lower() == "base" else text


def _notes(written: str, ours: str) -> str:
    """What a person wrote, and then what tunebook says now; both as they stand in the table."""
    segments: list[str] = [] if written in {"", "-"} else written.split("; ")
    kept = [segment for segment in segments if not _is_ours(segment)]
    note = escape_cell(ours).replace(";", ",") if ours.strip() else ""
    if note and not _is_ours(note):
        note = f"tunebook: {note}"
    return "; ".join([*kept, *([note] if note else [])]) or "-"


def _is_ours(segment: str) -> bool:
    return _OURS.fullmatch(Cell(segment.strip().replace("\\|", "|"), 0).text) is not None
