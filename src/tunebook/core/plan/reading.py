"""Reading one section of the plan: its blocks by name, which of them were read, and the problems found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tunebook.core.markdown import Block, Bullet, MarkdownSection, Row, Table
from tunebook.core.parameters import Written, suggestion
from tunebook.core.plan.parameter_table import ParameterTable
from tunebook.errors import Problem

__all__ = ["Reading", "SectionReader", "UnreadBlock", "cell_text", "unread_blocks"]


@dataclass(frozen=True)
class UnreadBlock:
    """A block in a known section of the plan that the section did not read.

    Attributes:
        section: the title of the section, ``Configuration`` for example.
        heading: the heading just above the block, which may be one inside the section.
    """

    section: str
    heading: str
    block: Block

    @property
    def line(self) -> int:
        """The one-based line that the block starts on."""
        return self.block.line

    @property
    def text(self) -> str:
        """The block as a reader sees it, on one line; of a table, the header."""
        return self.block.text


@dataclass
class Reading:
    """Collects the results of reading one plan.

    Attributes:
        file: the name of the plan in messages.
        unreadable: keys of parameters whose value could not be read.
        read_lines: the first lines of the blocks that were read; no two blocks share one.
    """

    file: str
    parameters: ParameterTable
    problems: list[Problem] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    read_lines: set[int] = field(default_factory=set)


class SectionReader:
    """Gives a section its blocks and remembers which it took; a section that the plan lacks has no blocks."""

    def __init__(self, markdown: MarkdownSection | None, reading: Reading) -> None:
        self._markdown = markdown or MarkdownSection("", 0, 1)
        self._reading = reading
        self.parameters = reading.parameters

    @property
    def line(self) -> int:
        """The line of the heading; 1 for a section that the plan lacks."""
        return self._markdown.line

    @property
    def bullets(self) -> Sequence[Bullet]:
        """All bullets directly below the heading; those that the section reads it must ``take``."""
        return self._markdown.bullets

    def subsection(self, title: str) -> SectionReader | None:
        """The first section with this title inside this one."""
        found = self._markdown.find(title)
        return None if found is None else SectionReader(found, self._reading)

    def take(self, block: Block) -> None:
        """Notes that a block was read, or is a remark for people that may be ignored."""
        self._reading.read_lines.add(block.line)

    def bullet(self, *keys: str, also_below: bool = False) -> Bullet | None:
        """Takes the first bullet with one of these names (in lower case); ``also_below``: from subsections as well."""
        for section in self._markdown.walk() if also_below else (self._markdown,):
            for bullet in section.bullets:
                if bullet.key in keys:
                    self.take(bullet)
                    return bullet
        return None

    def text(self, *keys: str) -> str:
        """Takes a bullet and returns its value; empty if there is no such bullet."""
        bullet = self.bullet(*keys)
        return bullet.value.text if bullet else ""

    def count(self, key: str) -> Written | None:
        """Takes a bullet and returns the number that its value starts with."""
        bullet = self.bullet(key)
        match = re.match(r"~?\s*(\d+)", bullet.value.text) if bullet else None
        return Written(int(match[1]), match[1], bullet.line) if bullet and match else None

    def table(self) -> Table | None:
        """Takes the first table."""
        for table in self._markdown.tables[:1]:
            self.take(table)
            return table
        return None

    def tables_below(self) -> Iterator[Table]:
        """All tables of the section and its subsections."""
        for section in self._markdown.walk():
            yield from section.tables

    def ignore(self, *prefixes: str) -> None:
        """Takes the bullets whose names start so: remarks for people."""
        for bullet in self.bullets:
            if bullet.key.startswith(prefixes):
                self.take(bullet)

    def ignore_all(self) -> None:
        """Takes every block: the section is for people."""
        for section in self._markdown.walk():
            for block in section.blocks:
                self.take(block)

    def problem(self, message: str, line: int | None, hint: str = "") -> None:
        """Notes a problem; reading goes on."""
        self._reading.problems.append(Problem(message, self._reading.file, line, hint))

    def unreadable(self, key: str) -> None:
        """Notes that the plan gives a parameter, but that its value could not be read."""
        self._reading.unreadable.add(key)

    def columns(
        self, table: Table, known: Sequence[str], *, required: Sequence[str], ignored: Sequence[str] = ()
    ) -> dict[str, int] | None:
        """Column name (lower case) to index; unknown, repeated and missing columns are problems.

        Returns ``None`` if a required column is missing, since the rows cannot be read then.
        """
        names = (*known, *ignored)
        allowed = {name.lower() for name in names}
        found: dict[str, int] = {}
        for index, cell in enumerate(table.header):
            if cell.key in found:
                self.problem(f"column `{cell.text}` appears twice", cell.line)
            elif cell.key in allowed:
                found[cell.key] = index
            elif cell.key:
                self.problem(f"unknown column `{cell.text}`", cell.line, suggestion(cell.text, names))
        missing = [name for name in required if name.lower() not in found]
        for name in missing:
            self.problem(f"the table has no column `{name}`", table.line, "columns: " + ", ".join(known))
        return None if missing else found


def cell_text(row: Row, columns: Mapping[str, int], name: str) -> str:
    """The text of a row's cell; empty if the cell is, or if there is no such column."""
    index = columns.get(name)
    if index is None or row.cells[index].is_empty:
        return ""
    return row.cells[index].text


def unread_blocks(section: str, markdown: Iterable[MarkdownSection], reading: Reading) -> Iterator[UnreadBlock]:
    """The blocks of a section that were not read, wherever the plan has a heading of that title."""
    for top in markdown:
        for part in top.walk():
            for block in part.blocks:
                if block.line not in reading.read_lines:
                    yield UnreadBlock(section, part.title, block)
