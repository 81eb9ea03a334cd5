"""The runs table and ``## Configuration``: what each run is given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tunebook.core.markdown import Bullet, Cell, Row, Section, literal
from tunebook.core.parameters import Kind, Parameter, Written, suggestion
from tunebook.core.plan import Run, RunType
from tunebook.core.reading import Reader
from tunebook.core.units import minutes

__all__ = ["RunsTable", "read_configuration", "read_runs"]

_FIXED = ("Run Name", "Model", "Type", "Est. Time", "Notes", "Checkpoint")
_TYPES = {kind.value.lower(): kind for kind in RunType} | {
    "finetuned": RunType.FINE_TUNED,
    "fine tuned": RunType.FINE_TUNED,
    "eval only": RunType.EVAL_ONLY,
    "base": RunType.CONTROL,
}
_IGNORED_BULLETS = {"notes", "note", "optimizer notes"}


@dataclass(frozen=True)
class RunsTable:
    """The rows of ``## All Runs`` and the parameters that have a column."""

    runs: tuple[Run, ...] = ()
    line: int | None = None
    keys: tuple[str, ...] = ()


def read_runs(section: Section | None, read: Reader) -> RunsTable:
    """Reads every row; a cell that cannot be read is a problem and leaves the parameter unset."""
    if section is None or not section.tables:
        line = section.line if section else 1
        read.problem("the page has no table of runs", line, "add `## All Runs` with a row a run")
        return RunsTable()
    table = section.tables[0]
    fixed: dict[str, int] = {}
    columns: dict[int, Parameter] = {}
    for index, cell in enumerate(table.header):
        _place(index, cell, fixed, columns, read)
    for name in ("Run Name", "Model", "Type"):
        if name.lower() not in fixed:
            read.problem(f"the runs table has no column `{name}`", table.line, "needed: Run Name, Model, Type")
    if "run name" not in fixed:
        return RunsTable((), table.line)
    runs = tuple(_run(row, fixed, columns, read) for row in table.rows)
    return RunsTable(runs, table.line, tuple(parameter.key for parameter in columns.values()))


def _place(index: int, cell: Cell, fixed: dict[str, int], columns: dict[int, Parameter], read: Reader) -> None:
    name = " ".join(cell.text.lower().split())
    name = {"estimated time": "est. time", "est time": "est. time", "checkpoint path": "checkpoint"}.get(name, name)
    parameter = read.parameters.by_column(name)
    if name in fixed or parameter in columns.values():
        read.problem(f"column `{cell.text}` appears twice", cell.line)
    elif name in {known.lower() for known in _FIXED}:
        fixed[name] = index
    elif parameter is not None and parameter.short:
        columns[index] = parameter
    elif parameter is not None:
        read.problem(
            f"`{cell.text}` cannot vary from run to run", cell.line, "give it once, as a bullet of `## Configuration`"
        )
    elif read.parameters.is_complete:
        hint = read.parameters.suggest(cell.text, *_FIXED, varying=True)
        read.problem(f"unknown column `{cell.text}`", cell.line, hint)
        meant = read.parameters.by_column(hint.partition("`")[2].partition("`")[0]) if hint.startswith("did") else None
        read.unreadable.update([meant.key] if meant else [])


def _run(row: Row, fixed: Mapping[str, int], columns: Mapping[int, Parameter], read: Reader) -> Run:
    name = row.cells[fixed["run name"]].text
    parameters: dict[str, Written] = {}
    for index, parameter in columns.items():
        cell = row.cells[index]
        if cell.is_empty:
            continue
        written = _convert(parameter, cell, f"run `{name}`: ", read)
        if written is not None:
            parameters[parameter.key] = written
    return Run(
        name=name,
        model=read.optional(row, dict(fixed), "model") or "",
        type=_type(row, fixed, name, read),
        line=row.line,
        parameters=MappingProxyType(parameters),
        checkpoint=read.optional(row, dict(fixed), "checkpoint"),
        estimate_min=minutes(read.optional(row, dict(fixed), "est. time") or ""),
        notes=read.optional(row, dict(fixed), "notes") or "",
    )


def _type(row: Row, fixed: Mapping[str, int], name: str, read: Reader) -> RunType:
    index = fixed.get("type")
    text = row.cells[index].text if index is not None else ""
    kind = _TYPES.get(text.lower())
    if kind is None and index is not None:
        allowed = ", ".join(kind.value for kind in RunType)
        hint = suggestion(text, [kind.value for kind in RunType])
        read.problem(f"run `{name}` is of type `{text}`; it must be one of {allowed}", row.line, hint)
    return kind or RunType.FINE_TUNED


def _convert(parameter: Parameter, cell: Cell, prefix: str, read: Reader) -> Written | None:
    """A cell as a value; a prompt is taken to the letter, everything else without markup and ticks."""
    try:
        text = literal(cell.raw) if parameter.kind is Kind.LITERAL else cell.text
        return Written(parameter.convert(text) if parameter.kind is not Kind.LITERAL else text, text, cell.line)
    except json.JSONDecodeError as error:
        read.unreadable.add(parameter.key)
        hint = r"inside double quotes write `\\` for a backslash and `\"` for a quote, or use backticks"
        read.problem(f"{prefix}{parameter.column} is not a valid quoted text: {error.msg}", cell.line, hint)
    except ValueError as error:
        read.unreadable.add(parameter.key)
        read.problem(f"{prefix}{error}", cell.line)
    return None


def read_configuration(
    section: Section | None, read: Reader, *, varied: Sequence[str]
) -> tuple[Mapping[str, Written], Mapping[str, tuple[Written, ...]]]:
    """The parameters that hold for every run, and the lists of values of those that the table varies.

    A parameter with a column in the runs table may be listed here (``Batch sizes: 4, 8``); the list is not a setting.
    """
    settings: dict[str, Written] = {}
    listed: dict[str, tuple[Written, ...]] = {}
    for bullet in section.bullets if section else ():
        if bullet.depth > 0 or not bullet.name or bullet.key in _IGNORED_BULLETS:
            continue
        parameter = read.parameters.by_column(bullet.name)
        if parameter is None and not read.parameters.is_complete:
            continue
        if parameter is None:
            hint = read.parameters.suggest(bullet.name)
            read.problem(f"unknown configuration `{bullet.name}`", bullet.line, hint)
        elif parameter.key in settings or parameter.key in listed:
            read.problem(f"`{bullet.name}` is given twice", bullet.line)
        elif parameter.key in varied and parameter.kind is not Kind.LITERAL:
            listed[parameter.key] = _list(bullet, parameter, read)
        else:
            written = _setting(bullet, parameter, read)
            if written is not None:
                settings[parameter.key] = written
    return MappingProxyType(settings), MappingProxyType(listed)


def _setting(bullet: Bullet, parameter: Parameter, read: Reader) -> Written | None:
    if parameter.kind is Kind.LITERAL:
        if bullet.code is not None:
            return Written(bullet.code, bullet.code, bullet.line)
        return _convert(parameter, bullet.value, "", read)
    if bullet.value.is_empty or bullet.value.text.lower() in {"none", "null", "unset", "auto", "default"}:
        return None
    return _convert(parameter, bullet.value, "", read)


def _list(bullet: Bullet, parameter: Parameter, read: Reader) -> tuple[Written, ...]:
    """Values separated by commas; a text without any readable value is a remark such as ``see the table``."""
    if parameter.kind is Kind.LIST:
        hint = "remove the bullet: its commas separate the members of one value"
        read.problem(f"`{bullet.name}` is a column of the runs table too", bullet.line, hint)
        return ()
    parts = [part.strip() for part in bullet.value.text.split(",")]
    values = []
    for part in parts:
        try:
            values.append(Written(parameter.convert(part), part, bullet.line))
        except ValueError:
            if len(parts) > 1:
                read.problem(f"`{part}` in {bullet.name} is not {parameter.allowed}", bullet.line)
    return tuple(values)
