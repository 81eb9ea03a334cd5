"""``## All Runs``: one row per run, with the parameters that vary as columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from tunebook.core.markdown import Cell, Row, Table, code_cell, escape_cell, table_lines
from tunebook.core.parameters import Parameter, Written, suggestion
from tunebook.core.plan.parameter_values import read_value, value_text
from tunebook.core.plan.section import Section, SectionReader, Writing, cell_text, cell_value
from tunebook.core.plan.values import Plan, Run, RunType
from tunebook.core.units import spoken_minutes

__all__ = ["AllRunsSection"]

_REQUIRED = ("Run Name", "Model", "Type")
_FIXED = (*_REQUIRED, "Est. Time", "Notes", "Checkpoint")
_OTHER_NAMES = {"estimated time": "est. time", "est time": "est. time", "checkpoint path": "checkpoint"}
_NOT_TRAINED = {"none", "na", "base", "not trained", "no training"}  # of a run that is not trained
_TYPES = {kind.value.lower(): kind for kind in RunType} | {
    "finetuned": RunType.FINE_TUNED,
    "fine tuned": RunType.FINE_TUNED,
    "eval only": RunType.EVAL_ONLY,
    "base": RunType.CONTROL,
    "base model": RunType.CONTROL,
    "baseline": RunType.CONTROL,
}


@dataclass
class _Columns:
    """Places of the columns: the fixed ones by name (lower case), parameters by index."""

    fixed: dict[str, int] = field(default_factory=dict)
    parameters: dict[int, Parameter] = field(default_factory=dict)


class AllRunsSection(Section):
    """The tables of runs; a cell that cannot be read is a problem and leaves the parameter unset."""

    title = "All Runs"
    aliases = ("runs", "run table", "runs table", "table of runs", "run list", "list of runs", "all runs table")
    decides = True

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        if not source.tables:
            source.problem("the plan has no table of runs", source.line, "add `## All Runs` with one row per run")
            return plan
        runs: list[Run] = []
        keys: dict[str, None] = {}
        for table in source.tables:
            source.take(table)
            columns = _read_header(table, source)
            if "run name" in columns.fixed:
                runs += [_read_run(row, columns, source) for row in table.rows]
                keys |= {parameter.key: None for parameter in columns.parameters.values()}
        return replace(plan, runs=tuple(runs), runs_line=source.tables[0].line, columns=tuple(keys))

    def write(self, target: Writing) -> Iterator[str]:
        plan = target.plan
        parameters = [plan.parameters.by_key(key) for key in plan.columns]
        header = ["Run Name", "Model", *(parameter.column for parameter in parameters), "Type", "Est. Time"]
        has_checkpoints = any(run.checkpoint for run in plan.runs)
        has_notes = any(run.notes for run in plan.runs)
        if has_checkpoints:
            header.append("Checkpoint")
        if has_notes:
            header.append("Notes")
        rows = []
        for run in plan.runs:
            row = _required_cells(run, parameters)
            if has_checkpoints:
                row.append(code_cell(run.checkpoint or ""))
            if has_notes:
                row.append(escape_cell(run.notes))
            rows.append(row)
        yield from table_lines(header, rows)


def _read_header(table: Table, source: SectionReader) -> _Columns:
    columns = _Columns()
    for index, cell in enumerate(table.header):
        _place(index, cell, columns, source)
    for name in _REQUIRED:
        if name.lower() not in columns.fixed:
            hint = "the required columns are " + ", ".join(_REQUIRED)
            source.problem(f"the runs table has no column `{name}`", table.line, hint)
    return columns


def _place(index: int, cell: Cell, columns: _Columns, source: SectionReader) -> None:
    name = _OTHER_NAMES.get(cell.key, cell.key)
    parameter = source.parameters.by_column(name)
    if name in columns.fixed or parameter in columns.parameters.values():
        source.problem(f"column `{cell.text}` appears twice", cell.line)
    elif name in {fixed.lower() for fixed in _FIXED}:
        columns.fixed[name] = index
    elif parameter is None:
        if source.parameters.is_complete:
            _report_unknown(cell, source)
    elif parameter.short:
        columns.parameters[index] = parameter
    else:
        hint = "give it once, as a bullet of `## Configuration`"
        source.problem(f"`{cell.text}` cannot differ between runs", cell.line, hint)


def _report_unknown(cell: Cell, source: SectionReader) -> None:
    hint = source.parameters.suggest(cell.text, *_FIXED, varying=True)
    source.problem(f"unknown column `{cell.text}`", cell.line, hint)
    # The parameter that is probably meant counts as unreadable, so that no rule calls it missing as well.
    for parameter in source.parameters.varying:
        if hint == f"did you mean `{parameter.column}`?":
            source.unreadable(parameter.key)


def _read_run(row: Row, columns: _Columns, source: SectionReader) -> Run:
    name = row.cells[columns.fixed["run name"]].value
    kind = _read_type(row, columns, name, source)
    parameters: dict[str, Written] = {}
    for index, parameter in columns.parameters.items():
        cell = row.cells[index]
        if cell.is_empty or (kind is not RunType.FINE_TUNED and cell.key in _NOT_TRAINED):
            continue
        written = read_value(parameter, cell, source, owner=f"run `{name}`: ")
        if written is not None:
            parameters[parameter.key] = written
    return Run(
        name=name,
        model=cell_value(row, columns.fixed, "model"),
        type=kind,
        line=row.line,
        parameters=MappingProxyType(parameters),
        checkpoint=cell_value(row, columns.fixed, "checkpoint") or None,
        estimate_min=_read_estimate(row, columns, name, source),
        notes=cell_text(row, columns.fixed, "notes"),
    )


def _read_estimate(row: Row, columns: _Columns, run: str, source: SectionReader) -> float | None:
    index = columns.fixed.get("est. time")
    return None if index is None else source.minutes(row.cells[index], f"run `{run}`: Est. Time")


def _read_type(row: Row, columns: _Columns, run: str, source: SectionReader) -> RunType:
    """The type; a fine-tuned run where it is unknown, which is a problem, or where the table has no such column."""
    index = columns.fixed.get("type")
    if index is None:
        return RunType.FINE_TUNED
    text = row.cells[index].text
    if text.lower() not in _TYPES:
        names = [kind.value for kind in RunType]
        message = f"run `{run}` is of type `{text}`; it must be one of {', '.join(names)}"
        source.problem(message, row.line, suggestion(text, names))
    return _TYPES.get(text.lower(), RunType.FINE_TUNED)


def _required_cells(run: Run, parameters: Sequence[Parameter]) -> list[str]:
    values = [_parameter_cell(parameter, run) for parameter in parameters]
    return [escape_cell(run.name), escape_cell(run.model), *values, run.type.value, _estimate_cell(run)]


def _parameter_cell(parameter: Parameter, run: Run) -> str:
    written = run.parameters.get(parameter.key)
    if written is None:
        return "-"
    return value_text(parameter, written).replace("|", "\\|")


def _estimate_cell(run: Run) -> str:
    if not run.estimate_min:
        return "N/A"
    return f"~{spoken_minutes(run.estimate_min)}"
