"""Values as Markdown that reads back as these values: no value can forge a cell, a row or a bullet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from tunebook.core.markdown.blocks import Cell, plain
from tunebook.core.markdown.marks import without_ticks

_SPECIAL = re.compile(r"([\\`*_\[\]<>&~!])")


def escape_cell(value: str) -> str:
    """A value as the cell of a table; ``-`` for an empty one.

    Line breaks and runs of white space become one space, other control characters a replacement character.
    """
    return escape_text(value).replace("|", "\\|") or "-"


def escape_text(value: str) -> str:
    """A value as inline Markdown on one line; empty if the value is."""
    text = _printable(" ".join(value.split()))
    return _SPECIAL.sub(r"\\\1", text) if plain(text) != text else text


def prose(value: str) -> str:
    """A text for people as a plan gives it back: one line, no tick at its end; a dash or ``N/A`` becomes empty."""
    text, before = without_ticks(value), None
    while text != before:
        before, text = text, plain(escape_text(text))
    return "" if Cell(escape_text(text), 0).is_empty else text


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def backtick_fence(text: str, *, shortest: int = 1) -> str:
    """More backticks than the text has in a row, and at least ``shortest``."""
    runs = [len(run) for run in re.findall("`+", text)]
    return "`" * max(shortest, 1 + max(runs, default=0))


def code_span(value: str) -> str:
    """A value between backticks; in a table use :func:`code_cell`."""
    text = _printable(value)
    fence = backtick_fence(text)
    # The parser strips one space from both ends of a code span, if both have one.
    if text.startswith("`") or text.endswith("`") or (text[:1] == text[-1:] == " "):
        text = f" {text} "
    return f"{fence}{text}{fence}"


def code_cell(value: str) -> str:
    """A value between backticks as the cell of a table; ``-`` for an empty one."""
    return code_span(value).replace("|", "\\|") if value else "-"


def quoted(value: str) -> str:
    r"""The exact text: a JSON string, or verbatim between backticks where that is easier to read.

    It is the inverse of :func:`tunebook.core.markdown.literal`.
    """
    text = ""
    for character in json.dumps(value, ensure_ascii=False):
        if character.isprintable():
            text += character
        else:
            text += json.dumps(character)[1:-1]
    can_be_verbatim = value and value.isprintable() and "`" not in value and value == value.strip()
    has_markup = text != f'"{value}"' or plain(value) != value
    if can_be_verbatim and has_markup:
        return f"`{value}`"
    return text


def fact_line(name: str, text: str) -> str:
    """A bullet ``- **Name:** text``, where the text is Markdown; a colon at its start is not the name's."""
    if text.startswith(":"):
        text = f"\\{text}"
    return f"- **{name}:** {text}"


def table_row(cells: Sequence[str], indent: str = "") -> str:
    """A whole line of a table."""
    return f"{indent}| {' | '.join(cells)} |"


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]] = ()) -> Iterator[str]:
    """The lines of a table."""
    yield table_row(header)
    yield "|" + "|".join("-" * (len(name) + 2) for name in header) + "|"
    for row in rows:
        yield table_row(row)
