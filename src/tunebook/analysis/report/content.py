"""The report as a value: sections of texts, lists, tables, figures and samples, whatever they are written in.

Every output is made from this value: a fact, its label, its format and its sentence are defined once, where the content
is built (:mod:`tunebook.analysis.report.sections`). All texts are plain; each output escapes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.formatting import MISSING

__all__ = [
    "Answer",
    "Block",
    "Cell",
    "Column",
    "Command",
    "Content",
    "Entries",
    "Entry",
    "Fact",
    "Heading",
    "Pictures",
    "Row",
    "SampleCase",
    "SampleGroup",
    "Section",
    "Table",
    "Terms",
    "Text",
    "table_of",
]

_MOST_OPTIONS = 30  # a filter with more values would be slower than searching


@dataclass(frozen=True)
class Text:
    """A paragraph; ``is_note`` says that it explains, and ``files`` are data files next to the report that end it."""

    text: str
    is_note: bool = False
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True)
class Command:
    """A command line to copy."""

    text: str


@dataclass(frozen=True)
class Entry:
    """An entry of a list.

    Attributes:
        hint: what to do about it.
        tag: its kind, in one or two words.
        significant: whether the test behind it passed; ``None`` without a test.
        log: a log's path, relative to the experiment's directory, to be linked.
    """

    text: str
    subject: str = ""
    hint: str = ""
    tag: str = ""
    significant: bool | None = None
    log: str = ""


@dataclass(frozen=True)
class Entries:
    """A list; ``fold`` is the line that stands for it until a reader opens it, and empty for a list that is open."""

    entries: tuple[Entry, ...]
    fold: str = ""
    is_ordered: bool = False


@dataclass(frozen=True)
class Terms:
    """Names and what they stand for."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        key: the column's name in rows; the part before ``:`` is its group, such as ``factor``.
        note: the sentence that explains the column.
        detail: the title of the cells' details; without it, only outputs with room for a second line show them.
        highest_first: whether readers want the highest value first.
        has_filter: whether readers may choose one of the values.
        is_long: whether its texts need room.
    """

    key: str
    title: str
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

    def is_one_of(self, names: Collection[str]) -> bool:
        """Whether the names have this column's key or its group."""
        return self.key in names or self.key.partition(":")[0] in names


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
class Row:
    """A row; ``run`` is the run's number in the plan's order, ``is_best`` marks the best run."""

    cells: tuple[Cell, ...]
    run: int = -1
    is_best: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        note: sentences on the whole table.
        file: the data file next to the report that has all rows.
        is_interactive: whether readers sort, filter and save it, where the output can do that.
        is_folded: whether it is a detail that readers open.
    """

    key: str
    label: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""
    file: str = ""
    is_interactive: bool = False
    is_folded: bool = False

    @property
    def caption(self) -> str:
        """The sentences on the table and on its columns."""
        notes = dict.fromkeys((self.note, *(column.note for column in self.columns)))
        return " ".join(note for note in notes if note)

    def select(self, *names: str) -> Table:
        """The table with only the columns of these keys or groups, in the table's order."""
        return self._with_columns([place for place, each in enumerate(self.columns) if each.is_one_of(names)])

    def without(self, *names: str) -> Table:
        """The table without the columns of these keys or groups."""
        return self._with_columns([place for place, each in enumerate(self.columns) if not each.is_one_of(names)])

    def _with_columns(self, places: Sequence[int]) -> Table:
        rows = [replace(row, cells=tuple(row.cells[place] for place in places)) for row in self.rows]
        return replace(self, columns=tuple(self.columns[place] for place in places), rows=tuple(rows))

    def options(self, place: int) -> tuple[str, ...]:
        """The values of a column that readers may choose from; empty where that would be no help."""
        if not self.columns[place].has_filter:
            return ()
        found = dict.fromkeys(row.cells[place].text for row in self.rows if row.cells[place].value)
        return tuple(found) if 1 < len(found) <= _MOST_OPTIONS else ()

    def left_out(self, shown: int) -> Text | None:
        """The sentence on the rows after the first ``shown`` ones."""
        if len(self.rows) <= shown:
            return None
        return Text(f"The first {shown} of {len(self.rows)} rows; all are in", is_note=True, files=(self.file,))


def table_of(
    table: Table, rows: Sequence[Mapping[str, Cell]], runs: Sequence[int] = (), best: frozenset[int] = frozenset()
) -> Table:
    """The table with these rows, cells by their column's key, and without the columns that would be empty.

    Args:
        runs: the number of each row's run; ``best`` are the numbers of the best ones.
    """
    known = {key for row in rows for key, cell in row.items() if cell.value}
    columns = tuple(column for column in table.columns if column.key in known)
    numbers = runs or [-1] * len(rows)
    made = []
    for row, number in zip(rows, numbers, strict=True):
        cells = tuple(row.get(column.key, Cell()) for column in columns)
        made.append(Row(cells, number, number in best))
    return replace(table, columns=columns, rows=tuple(made))


@dataclass(frozen=True)
class Pictures:
    """Figures that have data."""

    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Answer:
    """A run's answer to a sample; ``log`` is the log that has it, or empty."""

    run: str
    text: str
    log: str = ""


@dataclass(frozen=True)
class SampleCase:
    """A sample with answers; ``runs`` counts the runs that are concerned."""

    task: str
    sample: str
    prompt: str
    target: str
    answers: tuple[Answer, ...]
    runs: int


@dataclass(frozen=True)
class SampleGroup:
    """Samples of one kind; ``total`` says how many were found."""

    title: str
    cases: tuple[SampleCase, ...]
    total: str

    def left_out(self, shown: int) -> Text | None:
        """The sentence on the samples after the first ``shown`` ones."""
        if len(self.cases) <= shown:
            return None
        return Text(f"The first {shown} of {self.total}; all samples are in", is_note=True, files=("samples.parquet",))


Block = Text | Heading | Command | Entries | Terms | Table | Pictures | SampleGroup


@dataclass(frozen=True)
class Section:
    """A section; ``short`` is its title in a list of sections."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    short: str = ""


@dataclass(frozen=True)
class Fact:
    """A number at the head of the report, and a line about it."""

    name: str
    value: str
    more: str = ""


@dataclass(frozen=True)
class Content:
    """The whole report.

    Attributes:
        kind: the experiment's type and date of creation.
        status: how many trainings and evaluations have results.
        is_finished: whether nothing that was planned is missing.
        findings: also in their section.
        tasks: the names of the evaluation tasks.
    """

    name: str
    kind: str
    question: str
    status: str
    is_finished: bool
    facts: tuple[Fact, ...]
    findings: tuple[Entry, ...]
    sections: tuple[Section, ...]
    figures: tuple[Figure, ...]
    tasks: tuple[str, ...]

    def tables(self) -> Iterator[Table]:
        """All tables, in their order."""
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, Table))

    def table(self, key: str) -> Table:
        """The table with this key.

        Raises:
            KeyError: there is none.
        """
        return {table.key: table for table in self.tables()}[key]
