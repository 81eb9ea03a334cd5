"""Lines of a Markdown text, rewritten in place: line ends, and the cells of a table's line with their white space."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_LINE_END = re.compile(r"\r\n?|\n")
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


@dataclass(frozen=True)
class TableLine:
    """One line of a table: ``before``, then the cells with the white space around them, then ``after``."""

    before: str
    cells: tuple[str, ...]
    after: str

    @classmethod
    def read(cls, line: str) -> TableLine:
        """Splits a line where the Markdown parser does."""
        body = line.strip()
        start = line.index(body)
        first, last = 0, len(body)
        pipes = [match.start() for match in _UNESCAPED_PIPE.finditer(body)]
        if pipes and pipes[0] == 0:
            first = 1
            pipes.pop(0)
        if pipes and pipes[-1] == len(body) - 1:
            last = pipes.pop()
        bounds = [first - 1, *pipes, last]
        cells = tuple(body[left + 1 : right] for left, right in pairwise(bounds))
        return cls(line[:start] + body[:first], cells, body[last:] + line[start + len(body) :])

    @property
    def raw(self) -> tuple[str, ...]:
        r"""The cells as the parser gives them: without the white space around them, and with ``\|`` as ``|``."""
        return tuple(cell.strip().replace("\\|", "|") for cell in self.cells)

    def with_cells(self, changes: Mapping[int, str]) -> str:
        """The line with one or more cells replaced or added; everything else stays as it is."""
        cells = list(self.cells)
        after = self.after
        if max(changes) >= len(cells):
            added = max(changes) + 1 - len(cells)
            if not cells[-1].endswith(" "):
                cells[-1] += " "
            if not after.startswith("|"):
                after = f"|{after}"
            cells += [" - "] * added
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
