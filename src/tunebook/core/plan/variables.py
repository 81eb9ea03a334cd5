"""``## Variables``: the factors and their levels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from tunebook.core.markdown import Cell, Row, escape_cell, escape_text, literal, quoted, table_lines
from tunebook.core.parameters import Kind
from tunebook.core.plan.section import Section, SectionReader, Writing
from tunebook.core.plan.values import Factor, Plan

__all__ = ["VariablesSection"]


class VariablesSection(Section):
    """A table of factors with their levels, separated by commas; or a bullet for each factor."""

    title = "Variables"
    aliases = ("factors", "variables and levels", "experimental variables", "independent variables")
    decides = True

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        factors: list[Factor] = []
        for table in source.tables:
            source.take(table)
            names = ("Factor", "Levels")
            columns = source.columns(table, names, required=names, ignored=("Notes", "Description"))
            if columns is not None:
                factors += [_read_factor(row, columns) for row in table.rows]
        for bullet in source.bullets:
            if bullet.name and not bullet.value.is_empty:
                source.take(bullet)
                factors.append(Factor(bullet.name, _split_levels(bullet.value), bullet.line))
        return replace(plan, factors=tuple(factors))

    def write(self, target: Writing) -> Iterator[str]:
        rows = [(escape_cell(factor.name), _levels_text(factor, target)) for factor in target.plan.factors]
        if rows:
            yield from table_lines(("Factor", "Levels"), rows)


def _read_factor(row: Row, columns: Mapping[str, int]) -> Factor:
    levels = _split_levels(row.cells[columns["levels"]])
    return Factor(row.cells[columns["factor"]].text, levels, row.line)


def _split_levels(cell: Cell) -> tuple[str, ...]:
    """Levels separated by commas; where one is quoted, only the quoted levels count, since they may hold commas."""
    in_quotes = re.findall(r"`[^`]*`|\"(?:[^\"\\]|\\.)*\"", cell.raw)
    if in_quotes:
        return tuple(_unquoted(text) for text in in_quotes)
    parts = [part.strip() for part in cell.text.split(",")]
    return tuple(part for part in parts if part)


def _unquoted(text: str) -> str:
    try:
        return literal(text)
    except ValueError:
        return text[1:-1]


def _levels_text(factor: Factor, target: Writing) -> str:
    """All levels are quoted if one of them could be taken for something else."""
    parameter = target.plan.parameters.by_column(factor.name)
    is_literal = parameter is not None and parameter.kind is Kind.LITERAL
    if is_literal or not all(map(_is_simple, factor.levels)):
        levels = [quoted(level) for level in factor.levels]
    else:
        levels = list(factor.levels)
    return ", ".join(levels).replace("|", "\\|")


def _is_simple(level: str) -> bool:
    return bool(level) and level == escape_text(level) and not set(level) & set(',"`|')
