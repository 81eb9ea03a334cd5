"""Text that is safe on a Markdown page: no value can end a cell, start a block, or be markup. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["link", "markdown_table", "text"]

_SPECIAL = re.compile(r"[\\`*\[\]<>|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|&(?=#|[A-Za-z]+[0-9]*;)")
_START = re.compile(r"^([#+=-]|\d{1,9}(?=[.)](\s|$)))")
_MOST = 300


def text(value: str, *, most: int = _MOST) -> str:
    """A value as inline text that reads as this value: one line, markup escaped, cut after ``most`` characters.

    Line breaks become ``⏎``, other control characters the replacement character.
    """
    value = value if len(value) <= most else value[: most - 1] + "…"
    value = value.replace("\r\n", "\n").replace("\r", "\n").strip().replace("\n", " ⏎ ")
    value = "".join(_visible(character) for character in value)
    value = _SPECIAL.sub(lambda match: f"\\{match[0]}", value)
    return _START.sub(_escaped_start, value)


def _visible(character: str) -> str:
    return character if character.isprintable() else (" " if character.isspace() else "\ufffd")


def _escaped_start(match: re.Match[str]) -> str:
    """A number that would start a list is broken by its full stop; everything else by a backslash."""
    return f"{match[1]}\\" if match[1].isdecimal() else f"\\{match[1]}"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """The lines of a table; cells are Markdown already. Columns in ``right`` are aligned to the right."""
    rule = ["---:" if place in right else "---" for place in range(len(header))]
    return [_line(header), _line(rule), *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell or "–" for cell in cells) + " |"


def link(path: str) -> str:
    """A path as a link's target between ``<`` and ``>``."""
    return path.replace("\\", "%5C").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C").replace("\n", "%0A")
