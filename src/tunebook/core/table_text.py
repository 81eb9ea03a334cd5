"""A Markdown table's line as text: its cells with their place, and values that can forge neither cell nor row."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tunebook.core.markdown import Cell, plain

__all__ = [
    "TableLine",
    "code_span",
    "escape_cell",
    "escape_text",
    "join_lines",
    "new_line",
    "prose",
    "quoted",
    "split_lines",
]

_LINE_END = re.compile(r"\r\n?|\n")
_SPECIAL = re.compile(r"([\\`*_\[\]<>&~!])")
_UNESCAPED_PIPE = re.compile(r"(?<!\\)\|")


def split_lines(text: str) -> tuple[list[str], list[str]]:
    """The lines as CommonMark counts them, and the line end of each; the last line's end may be empty."""
    ends = _LINE_END.findall(text)
    lines = _LINE_END.split(text)
    if lines[-1]:
        ends.append("")
    else:
        lines.pop()
    return lines, ends


def join_lines(lines: Sequence[str], ends: Sequence[str]) -> str:
    """The inverse of :func:`split_lines`."""
    return "".join(line + end for line, end in zip(lines, ends, strict=True))


def escape_cell(value: str) -> str:
    """A value as a table's cell that reads as this value; ``-`` if there is none.

    Line breaks and runs of white space become one space, other control characters a replacement character.
    """
    return escape_text(value).replace("|", "\\|") or "-"


def escape_text(value: str) -> str:
    """A value as inline Markdown that reads as this value, on one line; empty if there is none."""
    text = _visible(" ".join(value.split()))
    return _SPECIAL.sub(r"\\\1", text) if plain(text) != text else text


def prose(value: str) -> str:
    """A text for people as a page says it: one line, without a tick at its end; a dash or ``N/A`` says nothing."""
    text, before = value, None
    while text != before:
        before, text = text, plain(escape_text(text))
    return "" if Cell(escape_text(text), 0).is_empty else text


def _visible(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def code_span(value: str) -> str:
    """A value between backticks, more of them than it holds in a row; in a table ``|`` has to be escaped still."""
    text = _visible(value)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") or (text[:1] == text[-1:] == " ") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def quoted(value: str) -> str:
    r"""A text to the letter: a JSON string (``\n`` is a new line), or verbatim between backticks if that reads better.

    It is the inverse of :func:`tunebook.core.markdown.literal`.
    """
    text = "".join(
        character if character.isprintable() else json.dumps(character)[1:-1]
        for character in json.dumps(value, ensure_ascii=False)
    )
    as_is = value and value.isprintable() and "`" not in value and value == value.strip()
    return f"`{value}`" if as_is and (text != f'"{value}"' or plain(value) != value) else text


@dataclass(frozen=True)
class TableLine:
    """One line of a table: ``before``, then the cells with the white space around them, then ``after``."""

    before: str
    cells: tuple[str, ...]
    after: str

    @classmethod
    def read(cls, line: str) -> TableLine:
        """Splits a line where the Markdown parser does."""
        start = len(line) - len(line.lstrip())
        end = len(line.rstrip())
        body = line[start:end] if start < end else ""
        first, last = 0, len(body)
        pipes = [match.start() for match in _UNESCAPED_PIPE.finditer(body)]
        if pipes and pipes[0] == 0:
            first = 1
            pipes.pop(0)
        if pipes and pipes[-1] == len(body) - 1:
            last = pipes.pop()
        bounds = [first - 1, *pipes, last]
        cells = tuple(body[left + 1 : right] for left, right in pairwise(bounds))
        return cls(line[:start] + body[:first], cells, body[last:] + line[end:] if body else line)

    @property
    def raw(self) -> tuple[str, ...]:
        r"""The cells as the parser gives them: without the white space around them, and with ``\|`` as ``|``."""
        return tuple(cell.strip().replace("\\|", "|") for cell in self.cells)

    def with_cells(self, changes: Mapping[int, str]) -> str:
        """The line with some cells replaced; all else stays as it is, and missing cells are added."""
        if not changes:
            return self.before + "|".join(self.cells) + self.after
        cells = list(self.cells)
        after = self.after
        if max(changes) >= len(cells):
            added = max(changes) + 1 - len(cells)
            cells[-1] = cells[-1] if cells[-1].endswith(" ") else f"{cells[-1]} "
            cells += [" - "] * added
            after = after if after.startswith("|") else f"|{after}"
        for index, content in changes.items():
            cells[index] = _refill(cells[index], content)
        return self.before + "|".join(cells) + after


def _refill(cell: str, content: str) -> str:
    """The cell with another content between its own white space, or one space where there was none."""
    stripped = cell.strip()
    if not stripped:
        return f" {content} "
    start = cell.index(stripped)
    return (cell[:start] or " ") + content + (cell[start + len(stripped) :] or " ")


def new_line(cells: Sequence[str], indent: str = "") -> str:
    """A whole line of a table."""
    return f"{indent}| {' | '.join(cells)} |"
