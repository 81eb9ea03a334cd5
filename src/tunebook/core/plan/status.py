"""``## Status``: the state of every training and evaluation, rewritten in place without changing any other byte."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tunebook.core.jobs import JobState
from tunebook.core.markdown import (
    Cell,
    MarkdownSection,
    Row,
    Table,
    TableLine,
    escape_cell,
    join_lines,
    parse_markdown,
    split_lines,
    table_lines,
    table_row,
    title_key,
)
from tunebook.core.paths import PLAN_FILE
from tunebook.core.plan.section import Section, SectionReader, Writing
from tunebook.core.plan.settings import evaluations
from tunebook.core.plan.values import Plan
from tunebook.errors import PlanError

__all__ = ["EvaluationRow", "StatusSection", "TrainingRow", "pending_rows", "update_status"]

# Notes that tunebook wrote, and may replace; all others are a person's.
_OURS = re.compile(
    r"exit code \d+( \([A-Z0-9]+\))?|killed by SIG[A-Z0-9]+|killed \(no outcome file\)|training failed|tunebook:.*"
    r"|(TIMEOUT|OUT_OF_GPU_MEMORY|OUT_OF_MEMORY|DIVERGED|CANCELLED|NODE_FAIL|PREEMPTED|BOOT_FAIL|DEADLINE)( by \d+)?"
)
_GOING = frozenset(state.value for state in JobState if state.is_going)
_LET_GO = "tunebook: there is no such job now"
_BOM = "\ufeff"
_STATUS_LEVEL = 2

_Key = tuple[str, ...]
_Cells = Mapping[str, str]


@dataclass(frozen=True)
class TrainingRow:
    """A row of ``### Fine-tuning``; times are written as they are given, an empty text as ``-``."""

    run: str
    status: JobState
    job_id: str = ""
    started: str = ""
    completed: str = ""
    notes: str = ""


@dataclass(frozen=True)
class EvaluationRow:
    """A row of ``### Evaluations``; ``epoch`` is zero-based, ``None`` for models that were not trained here."""

    run: str
    task: str
    epoch: int | None
    status: JobState
    job_id: str = ""
    completed: str = ""
    notes: str = ""


@dataclass(frozen=True)
class _Kind:
    """One of the two tables: its heading (``titles``: all spellings, as keys), and the columns that identify a row."""

    title: str
    titles: frozenset[str]
    columns: tuple[str, ...]
    key: tuple[str, ...]


_FINE_TUNING = _Kind(
    "Fine-tuning",
    frozenset({"finetuning", "fine tuning"}),
    ("Run Name", "Status", "Job ID", "Started", "Completed", "Notes"),
    ("Run Name",),
)
_EVALUATIONS = _Kind(
    "Evaluations",
    frozenset({"evaluations", "evaluation"}),
    ("Run Name", "Task", "Epoch", "Status", "Job ID", "Completed", "Notes"),
    ("Run Name", "Task", "Epoch"),
)


def pending_rows(plan: Plan) -> tuple[tuple[TrainingRow, ...], tuple[EvaluationRow, ...]]:
    """One row for each training and each evaluation, all pending."""
    training = tuple(TrainingRow(run.name, JobState.PENDING) for run in plan.fine_tuned)
    rows = tuple(EvaluationRow(item.run, item.task, item.epoch, JobState.PENDING) for item in evaluations(plan))
    return training, rows


class StatusSection(Section):
    """Two tables that are not part of the Plan: :func:`update_status` reads and writes them."""

    title = "Status"

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        for table in source.tables:
            if {"run name", "status"} <= {cell.key for cell in table.header}:
                source.take(table)
        return plan

    def write(self, target: Writing) -> Iterator[str]:
        section = update_status("", *pending_rows(target.plan))
        yield from section.rstrip("\n").split("\n")[1:]


def update_status(text: str, training: Sequence[TrainingRow], evaluation: Sequence[EvaluationRow]) -> str:
    """The text of a plan with these rows in the two tables of ``## Status``, and every other byte as it was.

    Rows that the plan lacks are added; rows, columns and notes of a person stay. A row whose job is none of these any
    more keeps how it ended, but is not ``pending`` or ``running`` for ever. In Notes, an earlier note of tunebook
    is replaced and everything else is kept, in front of the new note (separated by ``; ``). A missing table or section
    is added at the end of the section, or of the plan. Any note but the words of the status tables
    (``exit code 1``, ``TIMEOUT``, ``training failed`` …) is written as ``tunebook: …``, so that it is recognized later.

    Raises:
        PlanError: the plan ends inside something, a code block for example, so that no table can be added.
    """
    plan = _Text(text)
    if training:
        plan.update(_FINE_TUNING, [_training_cells(row) for row in training])
    if evaluation:
        plan.update(_EVALUATIONS, [_evaluation_cells(row) for row in evaluation])
    return plan.text()


def _training_cells(row: TrainingRow) -> _Cells:
    values = (row.run, row.status.value, row.job_id, row.started, row.completed, row.notes)
    return dict(zip(_FINE_TUNING.columns, values, strict=True))


def _evaluation_cells(row: EvaluationRow) -> _Cells:
    epoch = "" if row.epoch is None else str(row.epoch)
    values = (row.run, row.task, epoch, row.status.value, row.job_id, row.completed, row.notes)
    return dict(zip(_EVALUATIONS.columns, values, strict=True))


def _as_read(value: str) -> str:
    """The value as it reads once it is a cell."""
    return _cell_text(Cell(escape_cell(value).replace("\\|", "|"), 0))


def _cell_text(cell: Cell) -> str:
    if cell.is_empty:
        return ""
    return cell.text


class _Text:
    """The lines of the plan while they are changed."""

    def __init__(self, text: str) -> None:
        self.bom = text[: len(text) - len(text.removeprefix(_BOM))]
        self.lines, self.ends = split_lines(text.removeprefix(_BOM))
        self.end = next((end for end in self.ends if end), "\n")
        self._tree: MarkdownSection | None = None

    def text(self) -> str:
        return self.bom + join_lines(self.lines, self.ends)

    def update(self, kind: _Kind, rows: Sequence[_Cells]) -> None:
        table = self._find(kind)
        if table is None:
            self._add_table(kind)
            table = self._find(kind)
        if table is None:
            message = f"`### {kind.title}` cannot be added under `## Status`: the plan ends inside a code block, "
            hint = "close it, or add the section by hand"
            raise PlanError(f"{message}a comment or the like", file=PLAN_FILE, hint=hint)
        _TableUpdate(self, kind, table).apply(rows)

    def insert(self, position: int, new: Sequence[str]) -> None:
        """Adds lines in front of the zero-based ``position``; whether the plan ends with a line end stays as it was."""
        ends = [self.end] * len(new)
        if position == len(self.lines) and self.lines:
            ends[-1] = self.ends[-1]
            self.ends[-1] = self.end
        self._tree = None
        self.lines[position:position] = new
        self.ends[position:position] = ends

    def _status(self) -> MarkdownSection | None:
        for section in self._root().walk():
            if section.level == _STATUS_LEVEL and title_key(section.title) == "status":
                return section
        return None

    def _root(self) -> MarkdownSection:
        """The structure of the plan, which only new lines change."""
        if self._tree is None:
            self._tree = parse_markdown("\n".join(self.lines))
        return self._tree

    def _find(self, kind: _Kind) -> Table | None:
        status = self._status()
        if status is None:
            return None
        for part in status.walk():
            if title_key(part.title) in kind.titles:
                for table in part.tables:
                    if self._is_updated(table, kind):
                        return table
        return None

    def _is_updated(self, table: Table, kind: _Kind) -> bool:
        """Whether the table has the columns, and is on lines of its own (not in a quotation)."""
        line = TableLine.read(self.lines[table.line - 1])
        required = {column.lower() for column in (*kind.key, "Status")}
        return line.raw == tuple(cell.raw for cell in table.header) and required <= {cell.key for cell in table.header}

    def _add_table(self, kind: _Kind) -> None:
        lines = list(table_lines(kind.columns))
        status = self._status()
        if status is None:
            self._append(self._root(), ["## Status", "", f"### {kind.title}", *lines])
            return
        for section in status.sections:
            if title_key(section.title) in kind.titles:
                self._append(section, lines)
                return
        self._append(status, [f"### {kind.title}", *lines])

    def _append(self, section: MarkdownSection, lines: list[str]) -> None:
        """Adds lines at the end of a section, with blank lines around them."""
        start = section.line if section.level > 0 else 0
        stop = min(section.end_line, len(self.lines))
        while stop > start and not self.lines[stop - 1].strip():
            stop -= 1
        if stop > 0:
            lines = ["", *lines]
        if stop < len(self.lines) and self.lines[stop].strip():
            lines = [*lines, ""]
        self.insert(stop, lines)


class _TableUpdate:
    """The rows of one table while they are changed."""

    def __init__(self, plan: _Text, kind: _Kind, table: Table) -> None:
        self.plan = plan
        self.kind = kind
        self.table = table
        header = [cell.key for cell in table.header]
        self.columns = {name: header.index(name.lower()) for name in kind.columns if name.lower() in header}

    def apply(self, rows: Sequence[_Cells]) -> None:
        wanted = {tuple(_as_read(row[name]) for name in self.kind.key): row for row in rows}
        missing = dict(wanted)
        runs = {_as_read(row["Run Name"]) for row in rows}
        for row in self.table.rows:
            key = self._key(row)
            if key in wanted:
                self._rewrite(row, wanted[key])
                missing.pop(key, None)
            else:
                self._let_go(row, runs)
        if missing:
            self._append(list(missing.values()))

    def _key(self, row: Row) -> _Key:
        texts = {name: _cell_text(row.cells[self.columns[name]]) for name in self.kind.key}
        if "Epoch" in texts:
            texts["Epoch"] = _epoch(texts["Epoch"])
        return tuple(texts.values())

    def _rewrite(self, row: Row, values: _Cells) -> None:
        index = row.line - 1
        line = TableLine.read(self.plan.lines[index])
        changes: dict[int, str] = {}
        for column, place in self.columns.items():
            if column in self.kind.key:
                continue
            if column == "Notes":
                written = "".join(line.cells[place : place + 1]).strip()
                content = _notes(written, values[column])
                if content != (written or "-"):
                    changes[place] = content
            elif _cell_text(row.cells[place]) != _as_read(values[column]):
                changes[place] = escape_cell(values[column])
        if changes:
            self.plan.lines[index] = line.with_cells(changes)

    def _let_go(self, row: Row, runs: Collection[str]) -> None:
        """Corrects the row of a job that is gone: it was submitted, or other jobs of its run are here."""
        texts = {name: _cell_text(row.cells[place]) for name, place in self.columns.items()}
        is_ours = bool(texts.get("Job ID")) or texts["Run Name"] in runs
        if is_ours and texts["Status"].lower() in _GOING:
            self._rewrite(row, {**texts, "Status": "", "Notes": _LET_GO})

    def _append(self, rows: Sequence[_Cells]) -> None:
        """Adds rows after the last one; in columns that a person added they get ``-``."""
        head = self.plan.lines[self.table.line - 1]
        indent = head[: len(head) - len(head.lstrip())]
        lines = []
        for row in rows:
            cells = ["-"] * len(self.table.header)
            for column, place in self.columns.items():
                cells[place] = _notes("", row[column]) if column == "Notes" else escape_cell(row[column])
            lines.append(table_row(cells, indent))
        # The dashes below the header take one line.
        end = max(self.table.line + 1, *(row.line for row in self.table.rows), 0)
        self.plan.insert(end, lines)


def _epoch(text: str) -> str:
    number = re.fullmatch(r"(?:epoch\s*)?(\d+)", text.lower())
    if number:
        return number[1].lstrip("0") or "0"
    if text.lower() == "base":
        return ""
    return text


def _notes(written: str, ours: str) -> str:
    """A person's notes, followed by tunebook's; both as Markdown."""
    notes: list[str] = []
    if written not in {"", "-"}:
        notes = [segment for segment in written.split("; ") if not _is_ours(segment)]
    if ours.strip():
        note = escape_cell(ours).replace(";", ",")
        notes.append(note if _is_ours(note) else f"tunebook: {note}")
    return "; ".join(notes) or "-"


def _is_ours(segment: str) -> bool:
    return _OURS.fullmatch(Cell(segment.strip().replace("\\|", "|"), 0).text) is not None
