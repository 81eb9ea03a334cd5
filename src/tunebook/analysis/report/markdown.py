"""``report.md``: the content as Markdown for people, and for GitHub. Pure.

No value can end a cell, start a block, or be markup: every text goes through :func:`text`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.formatting import printable
from tunebook.analysis.report.content import (
    CODE,
    Block,
    Browser,
    Cell,
    Column,
    Content,
    Entries,
    Entry,
    Samples,
    Style,
    Table,
    Text,
)

__all__ = ["link", "markdown_report", "markdown_table", "prose", "text"]

_MOST_ROWS = 60
_MOST_SAMPLES = 10
_MOST_ANSWERS = 3
_LONG = 2000  # letters

_SPACES = re.compile(r"\s")
_SPECIAL = re.compile(r"[\\`*\[\]<>|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|&(?=#|[A-Za-z]+[0-9]*;)")
_START = re.compile(r"^([#+=-]|\d{1,9}(?=[.)](\s|$)))")


def markdown_report(content: Content) -> str:
    """The whole report."""
    return "\n".join(_lines(content)) + "\n"


def _lines(content: Content) -> Iterator[str]:
    yield f"# {text(content.name)}"
    yield ""
    if content.question:
        yield f"**Question:** {text(content.question, most=_LONG)}"
        yield ""
    yield text(content.status, most=_LONG)
    yield ""
    for section in content.sections:
        yield f"## {text(section.title)}"
        yield ""
        for block in section.blocks:
            yield from _block(block)
            yield ""


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text():
            yield _text(block)
        case Entries():
            yield from _entries(block)
        case Table():
            yield from _table(block)
        case Figure():
            yield f"![{text(block.title)}](<{link(f'figures/{block.name}.svg')}>)"
            yield ""
            yield f"*{text(block.title)}.* {text(block.caption, most=_LONG)}"
        case Samples():
            yield from _samples(block)
        case Browser():
            yield "`report.html` compares the answers of any two runs; `samples.parquet` has all samples."


def _text(block: Text) -> str:
    if block.style is Style.COMMAND:
        return f"    {_printable(block.text)}"
    shown = prose(block.text)
    if block.style is Style.HEADING:
        return f"### {shown}"
    if block.style is Style.SUBHEADING:
        return f"#### {shown}"
    if not block.files:
        return shown
    return f"{shown} {', '.join(f'[{name}]({name})' for name in block.files)}."


def _entries(block: Entries) -> Iterator[str]:
    if block.fold:
        yield f"{prose(block.fold)}:"
        yield ""
    bullet = "1." if block.style is Style.ORDERED else "-"
    for entry in block.entries[:_MOST_ROWS]:
        yield f"{bullet} {_entry(entry)}"
    if len(block.entries) > _MOST_ROWS:
        yield f"- and {len(block.entries) - _MOST_ROWS} more"


def _entry(entry: Entry) -> str:
    shown = prose(entry.text)
    if entry.log:
        shown = f"[{text(entry.log)}](<{link('../' + entry.log)}>) {shown}"
    if entry.subject:
        shown = f"{text(entry.subject)}: {shown}"
    if entry.more:
        shown += f" ({prose(entry.more)})"
    return shown


def _table(table: Table) -> Iterator[str]:
    if table.key == "runs":
        table = table.without("score", "base")  # a table of scores follows
    if table.key.startswith("scores"):
        table = table.without("factor")  # the table of runs has them
    if table.caption:
        yield text(table.caption, most=_LONG)
        yield ""
    header = []
    for column in table.columns:
        title = text(column.title)
        header.append(f"{title} ({text(column.detail)})" if column.has_interval else title)
    rows = [[_cell(*pair) for pair in table.cells(row)] for row in table.rows[:_MOST_ROWS]]
    yield from markdown_table(header, rows, right=[place for place, each in enumerate(table.columns) if each.is_number])
    yield from _left_out(table.left_out(_MOST_ROWS))


def _cell(column: Column, cell: Cell) -> str:
    if cell.log:
        return f"[log](<{link('../' + cell.log)}>)"
    shown = text(cell.text)
    if column.detail and cell.detail:
        shown += f" ({text(cell.detail)})"
    return shown


def _left_out(note: Text | None) -> Iterator[str]:
    if note is not None:
        yield ""
        yield _text(note)


def _samples(group: Samples) -> Iterator[str]:
    yield f"### {text(group.title)}"
    yield ""
    rows = []
    for sample in group.samples[:_MOST_SAMPLES]:
        answers = [f"{text(each.subject)}: {text(each.text, most=80) or '(empty)'}" for each in group.answers(sample)]
        row = [text(sample.task), text(sample.sample), text(sample.prompt, most=200), text(sample.target, most=100)]
        rows.append([*row, "<br>".join(answers[:_MOST_ANSWERS]), str(len(sample.runs))])
    yield from markdown_table(("Task", "Sample", "Prompt", "Target", "Answers", "Runs"), rows, right=(5,))
    yield from _left_out(group.left_out(_MOST_SAMPLES))


def text(value: str, *, most: int = 300) -> str:
    """A value as inline text that reads as this value: one line, markup escaped, cut after ``most`` characters.

    Line breaks become ``⏎``, other control characters the replacement character.
    """
    if len(value) > most:
        value = value[: most - 1] + "…"
    value = value.replace("\r\n", "\n").replace("\r", "\n").strip().replace("\n", " ⏎ ")
    value = _printable(value)
    value = _SPECIAL.sub(lambda match: f"\\{match[0]}", value)
    return _START.sub(_escaped_start, value)


def prose(value: str) -> str:
    """A sentence as inline text; its commands and paths, which stand between backticks, are code."""
    parts = []
    for place, part in enumerate(CODE.split(value)):
        if place % 2:
            parts.append(f"`{_printable(part)}`")
        elif part.strip():
            parts.append(part[: len(part) - len(part.lstrip())] + text(part, most=_LONG) + part[len(part.rstrip()) :])
        else:
            parts.append(part)
    return "".join(parts).strip()


def _printable(value: str) -> str:
    """The text with spaces for white space, and the replacement character for control characters."""
    return printable(_SPACES.sub(" ", value), "\ufffd")


def _escaped_start(match: re.Match[str]) -> str:
    """A number that would start a list is broken at its full stop; everything else gets a backslash in front."""
    return f"{match[1]}\\" if match[1].isdecimal() else f"\\{match[1]}"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """The lines of a table; cells are Markdown already. Columns in ``right`` are aligned to the right."""
    rule = ["---"] * len(header)
    for place in right:
        rule[place] = "---:"
    return [_line(header), _line(rule), *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell or "–" for cell in cells) + " |"


def link(path: str) -> str:
    """A path as a link's target between ``<`` and ``>``."""
    return path.replace("\\", "%5C").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C").replace("\n", "%0A")
