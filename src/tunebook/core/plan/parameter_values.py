"""The value of a parameter in a cell or a bullet: read with its line, and written so that it reads back."""

from __future__ import annotations

import json
import re

from tunebook.core.markdown import Cell, code_span, escape_text, literal, quoted
from tunebook.core.numbers import plain_number
from tunebook.core.parameters import Kind, Parameter, Written
from tunebook.core.plan.section import SectionReader

__all__ = ["is_nothing", "read_value", "value_text"]

_PATHS = {"dataset", "recipe"}
_NUMBERS = {Kind.INTEGER, Kind.NUMBER, Kind.ALPHA, Kind.VALIDATION}
_NOTHING = {"none", "null", "empty", "n/a", "-", "–", "—", ""}
_REMARK = re.compile(r"\W*$|\s*[(#–—✓].*", re.DOTALL)


def is_nothing(cell: Cell) -> bool:
    """Whether a text that is not quoted says that there is none: ``none``, ``-``, ``n/a``, ``(empty)``."""
    raw = cell.raw.strip()
    return raw[:1] not in {"", '"', "`"} and cell.text.strip("()[]<>. ").lower() in _NOTHING


def read_value(parameter: Parameter, cell: Cell, source: SectionReader, *, owner: str = "") -> Written | None:
    """The value; ``None``, and a problem, if it cannot be read.

    A prompt is taken exactly as it is written, everything else without markup and ticks.

    Args:
        owner: what the value belongs to, for messages: ``run `rank8`: ``.
    """
    try:
        if parameter.kind is Kind.LITERAL:
            return _read_literal(parameter, cell)
        text = _text(parameter, cell)
        return Written(parameter.convert(text), text, cell.line)
    except json.JSONDecodeError as error:
        hint = r"inside double quotes write `\\` for a backslash and `\"` for a quote, or use backticks"
        source.problem(f"{owner}{parameter.column} is not a valid quoted text: {error.msg}", cell.line, hint)
    except _QuoteError as error:
        hint = r"write the whole text between double quotes, with `\"` for a quote inside, or between backticks"
        source.problem(f"{owner}{parameter.column} is not clear: {error}", cell.line, hint)
    except ValueError as error:
        source.problem(f"{owner}{error}", cell.line)
    source.unreadable(parameter.key)
    return None


class _QuoteError(ValueError):
    """The quotes of a text do not say where it begins and ends."""


def _read_literal(parameter: Parameter, cell: Cell) -> Written:
    if is_nothing(cell):
        if parameter.default:
            raise _QuoteError(f"`{cell.text}` means no text, but the parameter needs one")
        return Written("", "", cell.line)
    try:
        text = literal(cell.raw)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise _QuoteError(error) from None
    return Written(text, text, cell.line)


def _text(parameter: Parameter, cell: Cell) -> str:
    """The text to convert; of a number, only a remark that cannot belong to it is left out."""
    if parameter.kind is Kind.LIST:
        return cell.text
    if parameter.kind in _NUMBERS:
        text = cell.value if _REMARK.fullmatch(cell.remark) else cell.text
        return plain_number(text, parameter.column.split()[-1])
    return cell.value


def value_text(parameter: Parameter, written: Written) -> str:
    """The value as Markdown."""
    if parameter.kind is Kind.LITERAL:
        return quoted(written.text)
    if parameter.key in _PATHS:
        return code_span(written.text)
    return escape_text(written.text)
