"""The report as a value: sections of texts, lists, tables, figures and samples, independent of the output format.

Every output is made from this value: a fact, its label, its format and its sentence are defined once, where the content
is built (:mod:`tunebook.analysis.report.sections`). All texts are plain; each output escapes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.formatting import MISSING
from tunebook.analysis.statistics.cases import Case
from tunebook.tools.results import LogViewer

__all__ = [
    "CODE",
    "Block",
    "Browser",
    "Cell",
    "Column",
    "Content",
    "Entries",
    "Entry",
    "Samples",
    "Section",
    "Style",
    "Table",
    "Text",
]

CODE = re.compile("`([^`\n]+)`")
"""A command, path or hash within a sentence."""
_MOST_OPTIONS = 30  # a filter with more values would be slower than searching


class Style(Enum):
    """How texts and lists are set."""

    PLAIN = "plain"
    NOTE = "note"  # a text that explains
    HEADING = "heading"  # within a section
    SUBHEADING = "subheading"  # below a heading
    COMMAND = "command"  # to copy
    ORDERED = "ordered"
    TERMS = "terms"  # a list of names and what they stand for


@dataclass(frozen=True)
class Text:
    """A paragraph; ``files`` are data files next to the report that end it."""

    text: str
    style: Style = Style.PLAIN
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """An entry of a list.

    Attributes:
        subject: what it is about.
        more: what else there is to know or to do about it.
        tag: its kind, in one or two words.
        significant: whether the test behind it passed; ``None`` without a test.
        log: a log's path, relative to the experiment's directory, to be linked.
    """

    text: str
    subject: str = ""
    more: str = ""
    tag: str = ""
    significant: bool | None = None
    log: str = ""


@dataclass(frozen=True)
class Entries:
    """A list; ``fold`` is the line that stands for it until a reader opens it, and empty for a list that is open."""

    entries: tuple[Entry, ...]
    style: Style = Style.PLAIN
    fold: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        key: the column's name in rows; the part before ``:`` is its group, such as ``factor``.
        cell: makes the cell of one of the table's items.
        note: the sentence that explains the column.
        detail: the title of the cells' details; without it, only outputs with room for a second line show them.
        highest_first: whether readers want the highest value first.
        has_filter: whether readers may choose one of the values.
        is_long: whether its texts need room.
    """

    key: str
    title: str
    cell: Callable[[Any], Cell]
    is_number: bool = False
    note: str = ""
    detail: str = ""
    highest_first: bool = False
    has_filter: bool = False
    is_long: bool = False

    @property
    def has_interval(self) -> bool:
        """Whether the details are intervals."""
        return self.detail.endswith("interval")


@dataclass(frozen=True)
class Cell:
    """A value as it is shown.

    Attributes:
        text: with its unit.
        value: for sorting and for CSV files; empty if nothing is known.
        detail: what belongs to the text, such as its interval.
        unit: the end of ``text`` and ``detail`` that a column's title may say for all its cells.
        state: a job's state, which has a colour.
        log: a log's path, relative to the experiment's directory, to be linked.
    """

    text: str = MISSING
    value: str = ""
    detail: str = ""
    unit: str = ""
    state: str = ""
    log: str = ""


@dataclass(frozen=True)
class Table:
    """A table; rows have cells by their column's key, and columns without a value are left out.

    Attributes:
        note: sentences on the whole table.
        file: the data file next to the report that has all rows; empty if none has.
        best: the numbers of the rows that are marked.
        is_interactive: whether readers sort, filter and save it, where the output can do that.
        is_folded: whether it is a detail that readers open.
    """

    key: str
    label: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Cell], ...]
    note: str = ""
    file: str = ""
    best: frozenset[int] = frozenset()
    is_interactive: bool = False
    is_folded: bool = False

    @classmethod
    def of(cls, key: str, label: str, columns: Iterable[Column], items: Iterable[Any], **others: Any) -> Table:
        """The table of these items, one row each."""
        columns = tuple(columns)
        rows = []
        known = set()
        for item in items:
            row = {column.key: column.cell(item) for column in columns}
            known |= {name for name, cell in row.items() if cell.value}
            rows.append(row)
        return cls(key, label, tuple(column for column in columns if column.key in known), tuple(rows), **others)

    @property
    def caption(self) -> str:
        """The sentences on the table and on its columns."""
        notes = dict.fromkeys((self.note, *(column.note for column in self.columns)))
        return " ".join(filter(None, notes))

    def select(self, *names: str) -> Table:
        """The table with only the columns of these keys or groups, in the table's order."""
        return replace(self, columns=tuple(column for column in self.columns if _has_name(column, names)))

    def without(self, *names: str) -> Table:
        """The table without the columns of these keys or groups."""
        return replace(self, columns=tuple(column for column in self.columns if not _has_name(column, names)))

    def cells(self, row: Mapping[str, Cell]) -> list[tuple[Column, Cell]]:
        """The columns with a row's cells."""
        return [(column, row.get(column.key, Cell())) for column in self.columns]

    def options(self, column: Column) -> tuple[str, ...]:
        """The values of a column that readers may choose from; empty where that would be no help."""
        found: dict[str, None] = {}
        for row in self.rows:
            if column.key in row and row[column.key].value:
                found[row[column.key].text] = None
        if column.has_filter and 1 < len(found) <= _MOST_OPTIONS:
            return tuple(found)
        return ()

    def left_out(self, shown: int) -> Text | None:
        """The sentence on the rows after the first ``shown`` ones."""
        if len(self.rows) <= shown:
            return None
        text = f"The first {shown} of {len(self.rows)} rows"
        if not self.file:
            return Text(f"{text}.", Style.NOTE)
        return Text(f"{text}; all are in", Style.NOTE, (self.file,))


def _has_name(column: Column, names: Collection[str]) -> bool:
    return column.key in names or column.key.partition(":")[0] in names


@dataclass(frozen=True)
class Samples:
    """Samples of one kind.

    Attributes:
        total: how many were found, in words.
        labels: run name to its short name.
        logs: task and run to the log with the run's answers.
    """

    title: str
    samples: tuple[Case, ...]
    total: str
    labels: Mapping[str, str]
    logs: Mapping[tuple[str, str], str]

    def answers(self, sample: Case) -> list[Entry]:
        """A sample's answers; their subjects are runs."""
        answers = []
        for run, answer in sample.answers.items():
            answers.append(Entry(answer, self.labels[run], log=self.logs[sample.task, run]))
        return answers

    def left_out(self, shown: int) -> Text | None:
        """The sentence on the samples after the first ``shown`` ones."""
        if len(self.samples) <= shown:
            return None
        return Text(f"The first {shown} of {self.total}; all samples are in", Style.NOTE, ("samples.parquet",))


@dataclass(frozen=True)
class Browser:
    """The samples that a page with scripts compares for any two runs.

    Attributes:
        tasks: JSON of each task: its samples, and every run's values and answers.
        note: what is left out.
    """

    tasks: tuple[Mapping[str, Any], ...]
    note: str = ""


Block = Text | Entries | Table | Figure | Samples | Browser


@dataclass(frozen=True)
class Section:
    """A section; ``short`` is its title in a list of sections."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    short: str = ""


@dataclass(frozen=True)
class Content:
    """The whole report.

    Attributes:
        kind: the experiment's type and date of creation.
        status: how many trainings and evaluations have results.
        is_finished: whether nothing that was planned is missing.
        answer: what the results say about the question, in two or three sentences.
        findings: also in their section.
        tasks: the names of the evaluation tasks.
        viewer: the program that shows the logs, if there is one.
    """

    name: str
    kind: str
    question: str
    status: str
    is_finished: bool
    answer: tuple[str, ...]
    findings: tuple[Entry, ...]
    sections: tuple[Section, ...]
    tasks: tuple[str, ...]
    viewer: LogViewer | None

    def blocks(self) -> Iterator[Block]:
        """The blocks of all sections."""
        for section in self.sections:
            yield from section.blocks

    def browser(self) -> Browser | None:
        """The samples for the page's browser, if there are any."""
        return next((block for block in self.blocks() if isinstance(block, Browser)), None)

    def tables(self) -> dict[str, Table]:
        """All tables by their keys."""
        return {block.key: block for block in self.blocks() if isinstance(block, Table)}
