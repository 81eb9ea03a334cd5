"""The contract of a section of the plan: one object reads, writes and accounts for its blocks."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar

from tunebook.core.markdown import Block, Bullet, Cell, MarkdownSection, Row, Table, title_key
from tunebook.core.parameters import ParameterTable, Written, suggestion
from tunebook.core.plan.near import near_section
from tunebook.core.plan.spellings import Item, as_items
from tunebook.core.plan.values import Plan, PlanDetails
from tunebook.core.units import read_duration
from tunebook.errors import Problem

__all__ = [
    "OwnSection",
    "Reading",
    "Section",
    "SectionOfParts",
    "SectionReader",
    "UnreadBlock",
    "Writing",
    "cell_text",
    "cell_value",
    "doubtful_heading",
]

# Bullets and headings for people: below them nothing is read.
_REMARKS = frozenset({"note", "notes", "remark", "remarks", "comment", "comments", "rationale", "reason", "reasons"})
# Words of a heading below which settings and runs may not apply to this experiment.
_DOUBTFUL = frozenset(
    {
        "old", "older", "previous", "prior", "earlier", "unused", "later", "future",
        "planned", "excluded", "dropped", "rejected", "alternative", "alternatives", "deprecated", "example",
        "examples", "ideas", "idea", "todo", "not", "without", "except", "only", "optional", "optionally", "phase",
        "pilot", "follow", "followup", "proposed", "possible", "potential", "extension", "extensions", "tbd",
    }
)  # fmt: skip
_NOT_KNOWN = {"tbd", "?", "unknown", "none"}


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


@dataclass(frozen=True)
class OwnSection:
    """A section that is a person's own: nothing in it is read."""

    title: str
    line: int
    end_line: int


@dataclass
class Reading:
    """Collects the results of reading one plan.

    Attributes:
        file: the name of the plan in messages.
        unreadable: keys of parameters whose value could not be read.
        read_lines: the first lines of the blocks that were read; no two blocks share one.
        readers: the readers of all sections and their parts.
        own: a person's own sections, also those inside sections of the plan.
    """

    file: str
    parameters: ParameterTable
    problems: list[Problem] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    read_lines: set[int] = field(default_factory=set)
    readers: list[SectionReader] = field(default_factory=list)
    own: list[OwnSection] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def problem(self, message: str, line: int | None, hint: str = "") -> None:
        """Records a problem; reading continues."""
        self.problems.append(Problem(message, self.file, line, hint))

    def warn(self, message: str, line: int | None, hint: str = "") -> None:
        """Records what a person should look at: a line without effect."""
        self.warnings.append(Problem(message, self.file, line, hint))

    def leave(self, heading: MarkdownSection, sections: Sequence[Section]) -> None:
        """Records a person's own section. One near a section of the plan is a problem, one with settings a warning."""
        self.own.append(OwnSection(heading.title, heading.line, heading.end_line))
        setting = self.parameters.by_column(heading.title)
        if setting is not None:
            hint = f"write `- **{setting.column}:** VALUE` in `## Configuration`"
            self.problem(f"`{heading.title}` is the name of a setting, but is not read there", heading.line, hint)
            return
        near = near_section(heading.title, sections)
        if near is not None:
            message = f"the heading `{'#' * heading.level} {heading.title}` is near `{near.title}`, but is not read"
            hint = f"name it `{near.title}` if it is meant, otherwise give it a clearly different name"
            self.problem(message, heading.line, hint)
            return
        blocks = [item.block for item in as_items(heading)]
        bullets = [block for block in blocks if isinstance(block, Bullet) and block.value.text]
        names = [bullet.name for bullet in bullets if self.parameters.by_column(bullet.name)]
        if names:
            listed = ", ".join(dict.fromkeys(names))
            message = f"`{heading.title}` is a section of your own, so it does not set {listed}"
            hint = "settings are read from `## Configuration` and from the columns of `## All Runs`"
            self.warn(message, heading.line, hint)


class SectionReader:
    """Gives a section its blocks and remembers which it took; a section that the plan lacks has no blocks."""

    def __init__(self, section: Section, headings: Sequence[MarkdownSection], reading: Reading) -> None:
        self.section = section
        self._headings = list(headings)
        self._reading = reading
        self.parameters = reading.parameters
        self.problem = reading.problem
        self.warn = reading.warn
        self.line = headings[0].line if headings else 1
        self.exists = bool(headings)
        reading.readers.append(self)

    def part(self, section: Section) -> SectionReader | None:
        """The subsections with this title, which the caller reads."""
        found = self._without_subsections(lambda heading: section.is_titled(heading.title))
        return SectionReader(section, found, self._reading) if found else None

    def leave_own_parts(self, parts: Sequence[Section]) -> None:
        """Records the subsections that are left as a person's own; one near a known part is a problem."""
        for heading in self._without_subsections(lambda _: True):
            self._reading.leave(heading, parts)

    def _without_subsections(self, is_taken: Callable[[MarkdownSection], bool]) -> list[MarkdownSection]:
        taken: list[MarkdownSection] = []
        for index, heading in enumerate(self._headings):
            inside = [part for part in heading.sections if is_taken(part)]
            taken += inside
            others = [part for part in heading.sections if part not in inside]
            self._headings[index] = replace(heading, sections=others)
        return taken

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """The blocks, with every spelling of a setting as a bullet; also from subsections that are not parts."""
        return tuple(item for heading in self._headings for item in as_items(heading))

    @cached_property
    def bullets(self) -> tuple[Bullet, ...]:
        """The settings, without remarks and without those in quotations, which are not read."""
        blocks = [item.block for item in self.items]
        bullets = [block for block in blocks if isinstance(block, Bullet) and not block.is_quoted]
        return tuple(
            item for item in bullets if not self.section.is_remark(item) and not doubtful_heading(*item.groups)
        )

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """The tables whose rows are not settings, in their order."""
        blocks = [item.block for item in self.items if not doubtful_heading(item.heading)]
        return tuple(block for block in blocks if isinstance(block, Table) and not block.is_quoted)

    @property
    def rows(self) -> Iterator[Row]:
        """The rows of all tables, also of those whose rows are settings."""
        for heading in self._headings:
            for part in heading.walk():
                for table in part.tables:
                    yield from table.rows

    def take(self, block: Block) -> None:
        """Records that a block was read, or is a fact for people."""
        self._reading.read_lines.add(block.line)

    def take_code(self, code: Cell) -> None:
        """Records that the code block of a bullet was read."""
        self._reading.read_lines.add(code.line)

    def is_read(self, block: Block) -> bool:
        """Whether a block was taken."""
        return block.line in self._reading.read_lines

    def bullet(self, *keys: str) -> Bullet | None:
        """Takes the bullets with one of these names (in lower case); two values are a problem."""
        found = [bullet for bullet in self.bullets if bullet.key in keys]
        for bullet in found:
            self.take(bullet)
            if bullet.value.value != found[0].value.value:
                self.report_twice(bullet.name, found[0].value, bullet.value)
        return found[0] if found else None

    def report_twice(self, name: str, first: Cell, second: Cell) -> None:
        """Records that a setting has two values."""
        message = f"`{name}` is given twice: `{first.text}` on line {first.line}, and `{second.text}`"
        self.problem(message, second.line, "keep one of them")

    def text(self, *keys: str) -> str:
        """Takes a bullet and returns its value; an empty text if the bullet is missing."""
        bullet = self.bullet(*keys)
        return bullet.value.value if bullet else ""

    def path(self, cell: Cell, name: str) -> str:
        """A path; an unclear one is a problem."""
        try:
            return cell.path
        except ValueError as error:
            hint = "write one path between backticks"
            self.problem(f"{name} `{cell.text}` is not clear: {error}", cell.line, hint)
            return cell.value

    def count(self, key: str) -> Written | None:
        """Takes a bullet and returns the number at the start of its value; ``None`` without a number."""
        bullet = self.bullet(key)
        if bullet is None or bullet.value.is_empty:
            return None
        match = re.match(r"~?\s*(\d{1,18})(?![\d.,]*\d)", bullet.value.text)
        if match is None:
            self.problem(f"{bullet.name} is `{bullet.value.text}`; it must begin with a whole number", bullet.line)
            return None
        return Written(int(match[1]), match[1], bullet.line)

    def minutes(self, cell: Cell, name: str) -> float | None:
        """A duration; ``None`` for an empty cell, and with a problem for one that cannot be read."""
        if cell.is_empty or cell.key in _NOT_KNOWN:
            return None
        duration = read_duration(cell.text)
        if duration is None:
            hint = "write a time such as `8 min`, `1 h 30 min` or `0:45:00`, or `-`"
            self.problem(f"{name} is `{cell.text}`, which is not a time that can be read", cell.line, hint)
        return duration

    def ignore(self, *prefixes: str) -> None:
        """Takes the bullets whose names have one of these prefixes: facts for people that tunebook writes."""
        for bullet in self.bullets:
            if bullet.key.startswith(prefixes):
                self.take(bullet)

    def ignore_all(self) -> None:
        """Takes every block: the section is for people."""
        for item in self.items:
            self.take(item.block)

    def unreadable(self, key: str) -> None:
        """Records that the plan gives a parameter whose value could not be read."""
        self._reading.unreadable.add(key)

    def is_unreadable(self, key: str) -> bool:
        """Whether a value of a parameter could not be read."""
        return key in self._reading.unreadable

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


def doubtful_heading(*names: str) -> str:
    """The heading or label of these that may say that what is below it does not apply; empty if none does."""
    for name in names:
        if not _DOUBTFUL.isdisjoint(title_key(name).split()):
            return name
    return ""


def cell_text(row: Row, columns: Mapping[str, int], name: str) -> str:
    """The text of a row's cell; an empty text if the cell is blank or the column is missing."""
    index = columns.get(name)
    if index is None or row.cells[index].is_empty:
        return ""
    return row.cells[index].text


def cell_value(row: Row, columns: Mapping[str, int], name: str) -> str:
    """As :func:`cell_text`, without the remark that may follow a code span."""
    index = columns.get(name)
    if index is None or row.cells[index].is_empty:
        return ""
    return row.cells[index].value


@dataclass(frozen=True)
class Writing:
    """The values that sections are written from."""

    plan: Plan
    details: PlanDetails

    def tick(self, path: str | None, text: str = " ✓") -> str:
        """A mark after the path of a file or directory that was found."""
        return text if path in self.details.verified else ""


class Section(ABC):
    """One section of the plan.

    Attributes:
        title: its heading.
        aliases: other headings that mean it, as :func:`tunebook.core.markdown.title_key` gives them.
        decides: whether it decides what runs, so that a block in it that cannot be read is a problem.
        stands_alone: for a part: whether its heading may also be that of a section.
        has_settings: whether it has the settings of all runs, so that code in it may be settings.
        names: the names of its bullets.
        remarks: the names of bullets that are for people only, in lower case.
    """

    title: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    decides: ClassVar[bool] = False
    stands_alone: ClassVar[bool] = False
    has_settings: ClassVar[bool] = False
    names: ClassVar[tuple[str, ...]] = ()
    remarks: ClassVar[frozenset[str]] = frozenset()

    def is_titled(self, heading: str) -> bool:
        """Whether a heading means this section."""
        return title_key(heading) in {title_key(self.title), *self.aliases}

    def known_names(self, parameters: ParameterTable) -> Sequence[str]:
        """The names of its bullets, for suggestions."""
        del parameters
        return self.names

    def is_remark(self, bullet: Bullet) -> bool:
        """Whether a bullet, or what it is below, is a remark for people."""
        names = {bullet.key, *bullet.groups}
        return not names.isdisjoint(_REMARKS | self.remarks)

    @abstractmethod
    def read(self, source: SectionReader, plan: Plan) -> Plan:
        """The plan with the values of this section; earlier sections are read already.

        The section takes each block that it reads from ``source``: the others are listed as unread.
        """

    @abstractmethod
    def write(self, target: Writing) -> Iterator[str]:
        """The lines below the heading; a section without lines is left out."""


class SectionOfParts(Section):
    """A section that consists of subsections; others are a person's own."""

    parts: ClassVar[Sequence[Section]]
    has_own_parts: ClassVar[bool] = True

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        for part in self.parts:
            found = source.part(part)
            if found is not None:
                plan = part.read(found, plan)
        if self.has_own_parts:
            source.leave_own_parts(self.parts)
        return plan

    def write(self, target: Writing) -> Iterator[str]:
        for part in self.parts:
            lines = list(part.write(target))
            if lines:
                yield from ("", f"### {part.title}", *lines)
