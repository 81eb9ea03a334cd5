"""The value of a parameter in a cell or a bullet: read with its line, and written so that it reads back."""

from __future__ import annotations

import json

from tunebook.core.markdown import Cell, code_span, escape_text, literal, quoted
from tunebook.core.parameters import Kind, Parameter, Written
from tunebook.core.plan.section import SectionReader

__all__ = ["read_value", "value_text"]

_PATHS = {"dataset", "recipe"}


def read_value(parameter: Parameter, cell: Cell, source: SectionReader, *, owner: str = "") -> Written | None:
    """The value; ``None``, and a problem, if it cannot be read.

    A prompt is taken exactly as it is written, everything else without markup and ticks.

    Args:
        owner: what the value belongs to, for messages: ``run `rank8`: ``.
    """
    try:
        if parameter.kind is Kind.LITERAL:
            text = literal(cell.raw)
            return Written(text, text, cell.line)
        return Written(parameter.convert(cell.text), cell.text, cell.line)
    except json.JSONDecodeError as error:
        hint = r"inside double quotes write `\\` for a backslash and `\"` for a quote, or use backticks"
        source.problem(f"{owner}{parameter.column} is not a valid quoted text: {error.msg}", cell.line, hint)
    except ValueError as error:
        source.problem(f"{owner}{error}", cell.line)
    source.unreadable(parameter.key)
    return None


def value_text(parameter: Parameter, written: Written) -> str:
    """The value as Markdown."""
    if parameter.kind is Kind.LITERAL:
        return quoted(written.text)
    if parameter.key in _PATHS:
        return code_span(written.text)
    return escape_text(written.text)
