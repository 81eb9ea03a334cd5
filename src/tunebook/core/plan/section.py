"""The contract of a section of the plan: one object reads, writes and accounts for its blocks."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tunebook.core.markdown import Block, Bullet, MarkdownSection, Row, Table
from tunebook.core.parameters import ParameterTable, Written, suggestion
from tunebook.core.plan.values import Plan, PlanDetails
from tunebook.errors import Problem

__all__ = ["Reading", "Section", "SectionOfParts", "SectionReader", "UnreadBlock", "Writing", "cell_text"]


@dataclass(frozen=True)
class UnreadBlock:
    """A block in a known section of the plan that the section did not read.

    Attributes:
        section: the title of the section, ``Configuration`` for example.
        heading: the heading just above the block, which may be one inside the section.
        block: the bullet, table or text, with its ``line`` and its ``text`` as a reader sees it.
    """

    section: str
    heading: str
    block: Block


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

    def problem(self, message: str, line: int | None, hint: str = "") -> None:
        """Records a problem; reading continues."""
        self.problems.append(Problem(message, self.file, line, hint))

    def unread(self, title: str, heading: MarkdownSection) -> Iterator[UnreadBlock]:
        """The blocks below a heading that no section took."""
        for part in heading.walk():
            for block in part.blocks:
                if block.line not in self.read_lines:
                    yield UnreadBlock(title, part.title, block)


class SectionReader:
    """Gives a section its blocks and remembers which it took; a section that the plan lacks has no blocks."""

    def __init__(self, heading: MarkdownSection | None, reading: Reading) -> None:
        self._heading = heading or MarkdownSection("", 0, 1)
        self._reading = reading
        self.parameters = reading.parameters
        self.problem = reading.problem
        self.line = self._heading.line
        self.bullets = self._heading.bullets

    def subsection(self, title: str) -> SectionReader | None:
        """The first section with this title inside this one."""
        found = self._heading.find(title)
        if found is None:
            return None
        return SectionReader(found, self._reading)

    def take(self, block: Block) -> None:
        """Records that a block was read, or is a remark for people that may be ignored."""
        self._reading.read_lines.add(block.line)

    def bullet(self, *keys: str, also_below: bool = False) -> Bullet | None:
        """Takes the first bullet with one of these names (in lower case); ``also_below``: from subsections as well."""
        bullets = self.bullets
        if also_below:
            bullets = [bullet for heading in self._heading.walk() for bullet in heading.bullets]
        for bullet in bullets:
            if bullet.key in keys:
                self.take(bullet)
                return bullet
        return None

    def text(self, *keys: str) -> str:
        """Takes a bullet and returns its value; an empty text if the bullet is missing."""
        bullet = self.bullet(*keys)
        return bullet.value.text if bullet else ""

    def count(self, key: str) -> Written | None:
        """Takes a bullet and returns the number at the start of its value; ``None`` without a number."""
        bullet = self.bullet(key)
        if bullet is None:
            return None
        match = re.match(r"~?\s*(\d+)", bullet.value.text)
        return Written(int(match[1]), match[1], bullet.line) if match else None

    def table(self) -> Table | None:
        """Takes the first table."""
        for table in self._heading.tables[:1]:
            self.take(table)
            return table
        return None

    def ignore(self, *prefixes: str) -> None:
        """Takes the bullets whose names have one of these prefixes: remarks for people."""
        for bullet in self.bullets:
            if bullet.key.startswith(prefixes):
                self.take(bullet)

    def ignore_all(self) -> None:
        """Takes every block: the section is for people."""
        for heading in self._heading.walk():
            for block in heading.blocks:
                self.take(block)

    def unreadable(self, key: str) -> None:
        """Records that the plan gives a parameter whose value could not be read."""
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
    """The text of a row's cell; an empty text if the cell is blank or the column is missing."""
    index = columns.get(name)
    if index is None or row.cells[index].is_empty:
        return ""
    return row.cells[index].text


@dataclass(frozen=True)
class Writing:
    """The values that sections are written from."""

    plan: Plan
    details: PlanDetails

    def tick(self, path: str | None, text: str = " ✓") -> str:
        """A mark after the path of a file or directory that was found."""
        return text if path in self.details.verified else ""


class Section(ABC):
    """One section of the plan; ``title`` is its heading."""

    title: ClassVar[str]

    @abstractmethod
    def read(self, source: SectionReader, plan: Plan) -> Plan:
        """The plan with the values of this section; earlier sections are read already.

        The section takes each block that it reads from ``source``: the others are listed as unread.
        """

    @abstractmethod
    def write(self, target: Writing) -> Iterator[str]:
        """The lines below the heading; a section without lines is left out."""


class SectionOfParts(Section):
    """A section that consists of subsections."""

    parts: ClassVar[Sequence[Section]]

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        for part in self.parts:
            found = source.subsection(part.title)
            if found is not None:
                plan = part.read(found, plan)
        return plan

    def write(self, target: Writing) -> Iterator[str]:
        for part in self.parts:
            lines = list(part.write(target))
            if lines:
                yield from ("", f"### {part.title}", *lines)
