"""The value of a parameter in a cell or a bullet: read with its line, and written so that it reads back."""

from __future__ import annotations

import json
import re

from tunebook.core.markdown import Cell, code_span, escape_text, literal, quoted
from tunebook.core.numbers import plain_number, without_equal
from tunebook.core.parameters import Kind, Parameter, Written
from tunebook.core.plan.remarks import without_remark
from tunebook.core.plan.section import SectionReader

__all__ = ["is_nothing", "read_value", "value_text"]

_PATHS = {"dataset", "recipe"}
_NUMBERS = {Kind.INTEGER, Kind.NUMBER, Kind.ALPHA, Kind.VALIDATION}
_OPENING = tuple("\"`“”„«»‘‚'")
_NOTHING = {"none", "null", "empty", "n/a", "-", "–", "—", ""}
_REMARK = re.compile(r"\W*$|\s*[(#–—✓].*", re.DOTALL)
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
# Texts that are not quoted, and of which a reader cannot say whether all of it is meant.
_UNCLEAR = {
    re.compile(r"\n"): "it continues on the next line",
    re.compile(r"<!--|<br\s*/?>", re.IGNORECASE): "HTML may be a part of it or not",
    re.compile(r"[✓✔✅☑]\ufe0f?$"): "the tick may be a part of it or not",
    re.compile(r"\((?:default|final|fixed)[^()]*\)$", re.IGNORECASE): "the remark may be a part of it or not",
    re.compile(
        r"^(?:(?:none|null|n/?a|tbd|todo|see|same|as (?:above|before|in)|default|no(?: system| user)? prompt)\b"
        r"|(?:no|yes|true|false|off|on|auto|unset)\W*$)",
        re.IGNORECASE,
    ): "it may be a remark",
}


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
    hidden = _INVISIBLE.search(cell.raw)
    if hidden is not None:
        raise _QuoteError(f"it has the invisible character U+{ord(hidden[0]):04X}")
    if cell.raw.strip()[:1] not in _OPENING:
        _check_unquoted(cell.raw.strip())
    try:
        text = literal(cell.raw)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise _QuoteError(error) from None
    return Written(text, text, cell.line)


def _check_unquoted(text: str) -> None:
    """Refuses a text that a reader could take for something else than an exact prompt."""
    for pattern, reason in _UNCLEAR.items():
        if pattern.search(text):
            raise _QuoteError(reason)


def _text(parameter: Parameter, cell: Cell) -> str:
    """The text to convert; of a number, only a remark that cannot belong to it is left out."""
    if parameter.kind is Kind.LIST:
        return cell.text
    if parameter.kind in _NUMBERS:
        text = cell.value if _REMARK.fullmatch(cell.remark) else cell.text
        return plain_number(without_equal(without_remark(text)), parameter.column.split()[-1], *parameter.units)
    if parameter.key in _PATHS:
        return cell.value
    return without_remark(cell.value)


def value_text(parameter: Parameter, written: Written) -> str:
    """The value as Markdown."""
    if parameter.kind is Kind.LITERAL:
        return quoted(written.text)
    if parameter.key in _PATHS:
        return code_span(written.text)
    return escape_text(written.text)
