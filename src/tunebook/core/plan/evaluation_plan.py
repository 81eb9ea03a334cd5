"""``## Evaluation Plan``: which run is evaluated in which task, at which epochs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from tunebook.core.markdown import Cell, Table, TextBlock, escape_cell, fact_line, name_key, table_lines
from tunebook.core.parameters import Written
from tunebook.core.plan.section import Section, SectionOfParts, SectionReader, Writing
from tunebook.core.plan.settings import evaluations
from tunebook.core.plan.values import MatrixEntry, Plan

__all__ = ["EvaluationPlanSection", "parse_epochs"]

_TICK = re.compile(r"(?:[✓✔✅☑]\ufe0f?|x|yes|(?=epochs? |all|last|every))\s*(?P<epochs>.*)", re.IGNORECASE | re.DOTALL)
_BLANK = {"", "-", "–", "—", "✗", "✘", "❌", "no", "none", "n/a"}
_EPOCHS = re.compile(r"\b(?:epochs?|checkpoints?)\b", re.IGNORECASE)
_MATRIX_HINT = "write `✓`, `✓ epoch 0,1`, `✓ last`, `✓ all` or `-`"
_MOST_IN_SPAN = 10_000
_MOST_EPOCHS = 100_000
_NAMES = ("Epochs to evaluate", "Total evaluations")


def parse_epochs(text: str) -> str | tuple[int, ...] | None:
    """``last``, ``all`` or zero-based epochs out of ``0, 1``, ``epoch 0`` or ``epochs 0-2``; ``None`` if unreadable."""
    text = re.sub(r"^\(?epochs?\b:?\s*|\)$", "", text.strip().lower()).strip()
    if text in {"all", "all epochs", "every epoch", "each epoch"}:
        return "all"
    if text in {"last", "final", "last epoch", "final epoch"}:
        return "last"
    epochs: list[int] = []
    for part in re.split(r",|and|\+", text):
        span = re.fullmatch(r"(\d{1,6})(?:\s*[-–]\s*(\d{1,6}))?", part.strip())
        if span is None:
            return None
        first = int(span[1])
        last = int(span[2] or first)
        if not first <= last < first + _MOST_IN_SPAN:
            return None
        epochs.extend(range(first, last + 1))
        if len(epochs) > _MOST_EPOCHS:
            return None
    return tuple(dict.fromkeys(epochs))


class _ConfigurationSection(Section):
    """The default of the epochs, and how many evaluations there should be."""

    title = "Configuration"
    decides = True
    names = _NAMES

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        return _read_settings(source, plan)

    def write(self, target: Writing) -> Iterator[str]:
        epochs = target.plan.epochs_to_evaluate
        if not isinstance(epochs, str):
            epochs = ", ".join(map(str, epochs))
        yield fact_line("Epochs to evaluate", epochs)
        yield fact_line("Total evaluations", str(len(evaluations(target.plan))))


class _MatrixSection(Section):
    """One row per run, one column per task."""

    title = "Evaluation Matrix"
    aliases = ("matrix",)
    decides = True
    stands_alone = True

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        for table in source.tables:
            source.take(table)
            plan = _read_matrix(table, source, plan)
        if not source.tables and any(isinstance(item.block, TextBlock) for item in source.items):
            hint = "add a table with a row per run and a column per task, or remove the heading: all runs get all tasks"
            source.problem(f"`{self.title}` has no table", source.line, hint)
        return plan

    def write(self, target: Writing) -> Iterator[str]:
        plan = target.plan
        if plan.matrix is None:
            return
        entries = {(entry.run, entry.task): entry for entry in plan.matrix}
        header = ["Run Name", *(escape_cell(task.name) for task in plan.tasks), "Notes"]
        rows = []
        for run in plan.runs:
            cells = [_cell(entries.get((run.name, task.name))) for task in plan.tasks]
            note = escape_cell(target.details.matrix_notes.get(run.name, "")).removesuffix("-")
            rows.append([escape_cell(run.name), *cells, note])
        yield from table_lines(header, rows)


def _read_matrix(table: Table, source: SectionReader, plan: Plan) -> Plan:
    """The plan with the entries of one more table."""
    known = ("Run Name", *(task.name for task in plan.tasks))
    columns = source.columns(table, known, required=("Run Name",), ignored=("Notes",))
    entries = list(plan.matrix or ())
    runs = list(plan.matrix_runs)
    if columns is None:
        return replace(plan, matrix=tuple(entries))
    for row in table.rows:
        run = row.cells[columns["run name"]].value
        runs.append(Written(run, "", row.line))
        for task in plan.tasks:
            index = columns.get(name_key(task.name))
            if index is not None:
                entries += _read_cell(row.cells[index], run, task.name, source)
    return replace(plan, matrix=tuple(entries), matrix_runs=tuple(runs))


def _read_settings(source: SectionReader, plan: Plan) -> Plan:
    total = source.count("total evaluations")
    bullet = source.bullet("epochs to evaluate")
    plan = replace(plan, total_evaluations=total or plan.total_evaluations)
    if bullet is None:
        return plan
    epochs = parse_epochs(bullet.value.value)
    if epochs is None:
        hint = "write `last`, `all` or zero-based epochs such as `0, 2`"
        source.problem(f"epochs to evaluate `{bullet.value.text}` cannot be read", bullet.line, hint)
        return plan
    return replace(plan, epochs_to_evaluate=epochs, epochs_line=bullet.line)


def _read_cell(cell: Cell, run: str, task: str, source: SectionReader) -> list[MatrixEntry]:
    """The cell's entry; an empty list if the run is not evaluated in the task."""
    text = cell.text
    if text.lower() in _BLANK:
        return []
    match = _TICK.fullmatch(text)
    if match and not match["epochs"]:
        return [MatrixEntry(run, task, cell.line)]
    epochs = parse_epochs(match["epochs"]) if match else None
    if epochs is None:
        source.problem(f"`{text}` in the evaluation matrix cannot be read", cell.line, _MATRIX_HINT)
        return []
    return [MatrixEntry(run, task, cell.line, epochs)]


def _cell(entry: MatrixEntry | None) -> str:
    if entry is None:
        return "-"
    if isinstance(entry.epochs, tuple):
        return "✓ epoch " + _spans(entry.epochs)
    return f"✓ {entry.epochs or ''}".rstrip()


def _spans(epochs: Sequence[int]) -> str:
    """``0,2`` or, for three and more in a row, ``0-4``."""
    parts: list[str] = []
    # Epochs in a row have the same distance from their position.
    for _, group in groupby(enumerate(epochs), key=lambda item: item[1] - item[0]):
        row = [epoch for _, epoch in group]
        if len(row) > 2:  # noqa: PLR2004
            parts.append(f"{row[0]}-{row[-1]}")
        else:
            parts += map(str, row)
    return ",".join(parts)


class EvaluationPlanSection(SectionOfParts):
    """The default of the epochs, and the matrix; without a matrix all runs get all tasks."""

    title = "Evaluation Plan"
    aliases = ("evaluation plans", "eval plan", "plan of evaluation")
    decides = True
    names = _NAMES
    parts = (_ConfigurationSection(), _MatrixSection())
    has_own_parts = False

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        """The tables of runs are matrices; they and the settings may be below any heading of the section."""
        plan = super().read(source, plan)
        default = plan.epochs_line
        plan = _read_settings(source, plan)
        if default and plan.epochs_line != default:
            message = f"`Epochs to evaluate` is given twice, first on line {default}"
            source.problem(message, plan.epochs_line, "keep one of them")
        for item in source.items:
            if isinstance(item.block, TextBlock) and _EPOCHS.search(item.block.text):
                source.take(item.block)
                hint = "write `- **Epochs to evaluate:** …`, or move it to `## Notes`"
                source.problem(f"the text `{item.block.text}` sets no epochs", item.block.line, hint)
        for table in source.tables:
            if "run name" in {cell.key for cell in table.header}:
                source.take(table)
                plan = _read_matrix(table, source, plan)
        return plan

    def write(self, target: Writing) -> Iterator[str]:
        if target.plan.tasks:
            yield from super().write(target)
