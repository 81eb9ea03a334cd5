"""Texts in lines and columns that fit a terminal. Words stay whole: half a path or half a command cannot be copied.

The terminal breaks a longer word itself, and joins its parts again when they are copied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

__all__ = ["in_columns", "wrapped"]

_WORD = re.compile(r"[^\s`]*`[^`\n]+`\S*|\S+")  # a command between backticks is one
_HEAD = re.compile(r"\s*(?:(?:[→•✓✗·!–☐*+x-]|->|\[ \])\s+)?")  # the indent of a line, and its mark
_GAP = 2  # columns of a terminal between two columns of a table
_NARROWEST = 12
_INDENT = 4


def wrapped(text: Text, width: int) -> Text:
    """Breaks long lines between words; a further line begins below the first word."""
    lines: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        lines += _broken(line, width)
    return Text("\n").join(lines)


def _broken(line: Text, width: int) -> Iterator[Text]:
    if cell_len(line.plain) <= width:
        yield line
        return
    head = _HEAD.match(line.plain)
    indent = head.end() if head else 0
    if indent > width // 3:
        indent = 0
    first, *others = line.divide(_breaks(line.plain, width, indent))
    first.rstrip()
    yield first
    for part in others:
        part.rstrip()
        yield Text(" " * indent) + part


def _breaks(text: str, width: int, indent: int) -> list[int]:
    """Where the lines after the first one begin."""
    places: list[int] = []
    start, room = 0, width
    for word in _WORD.finditer(text):
        is_first = word.start() <= max(start, indent)
        if not is_first and cell_len(text[start : word.end()]) > room:
            places.append(word.start())
            start, room = word.start(), width - indent
    return places


def in_columns(
    rows: Sequence[Sequence[Text]], *, titles: Sequence[str] = (), width: int | None, labelled: bool = False
) -> list[Text]:
    """The lines of a table without its empty columns; below each other, if the terminal is too narrow for columns.

    Args:
        titles: of the columns; none for a table without them.
        width: of the terminal; ``None`` for a file or a pipe, in which each row is one line.
        labelled: whether cells that stand below each other have the titles before them.
    """
    rows, titles = _without_empty_columns(rows, titles)
    if not rows:
        return []
    shown = rows
    if titles:
        shown = [[Text(title, style="bold") for title in titles], *rows]
    widths = _widths(shown, width)
    if widths is None and width is not None:
        labels = titles if labelled else ()
        return [line for row in rows for line in _below(row, labels, width)]
    return [line for row in shown for line in _beside(row, widths or ())]


def _without_empty_columns(rows: Sequence[Sequence[Text]], titles: Sequence[str]) -> tuple[list[list[Text]], list[str]]:
    """The columns in which some row has a text; no rows if there is no such column."""
    columns = list(zip(*rows, strict=True))
    kept = [place for place, cells in enumerate(columns) if any(cell.plain for cell in cells)]
    if not kept:
        return [], []
    return [[row[place] for place in kept] for row in rows], [titles[place] for place in kept if titles]


def _widths(rows: Sequence[Sequence[Text]], width: int | None) -> list[int] | None:
    """The widths of the columns; ``None`` if they cannot fit.

    Those with the most room give way, the first one last, and no word is broken.
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(cell_len(cell.plain) for cell in column) for column in columns]
    if width is None:
        return widths
    words = [max(map(_longest_word, column)) for column in columns]
    least = [min(own, max(_NARROWEST, longest)) for own, longest in zip(widths, words, strict=True)]
    for _ in range(sum(widths) + _GAP * (len(widths) - 1) - width):
        rooms = [own - fewest for own, fewest in zip(widths, least, strict=True)]
        most = max(rooms[1:], default=0) or rooms[0]
        if not most:
            return None
        widths[rooms.index(most, 1 if most in rooms[1:] else 0)] -= 1
    return widths


def _longest_word(cell: Text) -> int:
    return max((cell_len(word) for word in _WORD.findall(cell.plain)), default=0)


def _beside(row: Sequence[Text], widths: Sequence[int]) -> Iterator[Text]:
    """A row in columns; a cell that was narrowed has several lines."""
    columns = [wrapped(cell, width).split("\n") for cell, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, columns))):
        line = Text()
        for column, width in zip(columns, widths, strict=True):
            part = column[number] if number < len(column) else Text()
            line.append_text(part).append(" " * (width - cell_len(part.plain) + _GAP))
        line.rstrip()
        yield line


def _below(row: Sequence[Text], labels: Sequence[str], width: int) -> Iterator[Text]:
    """The first cell, and below it the others: several on one line, or each with its label."""
    first, *others = row
    yield first
    if labels:
        cells = [Text(f"{label}: ") + cell for label, cell in zip(labels[1:], others, strict=True)]
    else:
        cells = [_flowing(others, width - _INDENT)]
    for cell in cells:
        for line in wrapped(cell, width - _INDENT).split("\n"):
            if line.plain:
                yield Text(" " * _INDENT) + line


def _flowing(cells: Sequence[Text], width: int) -> Text:
    """The cells one after the other; one that does not fit any more begins a line."""
    lines = [Text()]
    for cell in cells:
        if not cell.plain:
            continue
        if lines[-1].plain and cell_len(lines[-1].plain) + _GAP + cell_len(cell.plain) > width:
            lines.append(Text())
        gap = " " * _GAP if lines[-1].plain else ""
        lines[-1].append(gap).append_text(cell)
    return Text("\n").join(lines)
