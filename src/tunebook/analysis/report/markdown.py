"""``report.md``: the content as Markdown for people, and for GitHub. Pure.

No value can end a cell, start a block, or be markup: every text goes through :func:`text`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tunebook.analysis.report.content import (
    Block,
    Cell,
    Command,
    Content,
    Entries,
    Entry,
    Heading,
    Pictures,
    SampleGroup,
    Table,
    Terms,
    Text,
)

__all__ = ["link", "markdown_report", "markdown_table", "text"]

_LEFT_OUT = ("best", "jobs")  # sections; the table of scores starts with the best
_MOST_ROWS = 60
_MOST_CASES = 10
_MOST_ANSWERS = 3
_LONG = 2000  # letters

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
    for fact in content.facts:
        yield f"- **{text(fact.name)}:** {text(fact.value)} ({text(fact.more)})"
    yield ""
    for section in content.sections:
        if section.key in _LEFT_OUT:
            continue
        yield f"## {text(section.title)}"
        yield ""
        for block in section.blocks:
            yield from _block(block)
            yield ""


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text():
            yield _paragraph(block)
        case Heading():
            yield f"### {text(block.text)}"
        case Command():
            yield f"`{text(block.text)}`"
        case Entries():
            yield from _entries(block)
        case Terms():
            rows = [[text(name), text(value, most=_LONG)] for name, value in block.items]
            yield from markdown_table(("What", "Value"), rows)
        case Table():
            yield from _table(block)
        case Pictures():
            for figure in block.figures:
                yield f"![{text(figure.title)}](<{link(f'figures/{figure.name}.svg')}>)"
                yield ""
                yield f"*{text(figure.title)}.* {text(figure.caption, most=_LONG)}"
                yield ""
        case SampleGroup():
            yield from _samples(block)


def _paragraph(block: Text) -> str:
    shown = text(block.text, most=_LONG)
    if not block.files:
        return shown
    return f"{shown} {', '.join(f'[{name}]({name})' for name in block.files)}."


def _entries(block: Entries) -> Iterator[str]:
    bullet = "1." if block.is_ordered else "-"
    for entry in block.entries[:_MOST_ROWS]:
        yield f"{bullet} {_entry(entry)}"
    if len(block.entries) > _MOST_ROWS:
        yield f"- and {len(block.entries) - _MOST_ROWS} more"


def _entry(entry: Entry) -> str:
    shown = text(entry.text, most=_LONG)
    if entry.subject:
        shown = f"{text(entry.subject)}: {shown}"
    return f"{shown} ({text(entry.hint)})" if entry.hint else shown


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
    rows = []
    for row in table.rows[:_MOST_ROWS]:
        cells = zip(table.columns, row.cells, strict=True)
        rows.append([_cell(cell, has_detail=bool(column.detail)) for column, cell in cells])
    yield from markdown_table(header, rows, right=[place for place, each in enumerate(table.columns) if each.is_number])
    yield from _left_out(table.left_out(_MOST_ROWS))


def _cell(cell: Cell, *, has_detail: bool) -> str:
    if cell.log:
        return f"[log](<{link('../' + cell.log)}>)"
    shown = text(cell.text)
    return f"{shown} ({text(cell.detail)})" if has_detail and cell.detail else shown


def _left_out(note: Text | None) -> Iterator[str]:
    if note is not None:
        yield ""
        yield _paragraph(note)


def _samples(group: SampleGroup) -> Iterator[str]:
    yield f"### {text(group.title)}"
    yield ""
    rows = []
    for case in group.cases[:_MOST_CASES]:
        answers = [f"{text(answer.run)}: {text(answer.text, most=80) or '(empty)'}" for answer in case.answers]
        sample = [text(case.task), text(case.sample), text(case.prompt, most=200), text(case.target, most=100)]
        rows.append([*sample, "<br>".join(answers[:_MOST_ANSWERS]), str(case.runs)])
    yield from markdown_table(("Task", "Sample", "Prompt", "Target", "Answers", "Runs"), rows, right=(5,))
    yield from _left_out(group.left_out(_MOST_CASES))


def text(value: str, *, most: int = 300) -> str:
    """A value as inline text that reads as this value: one line, markup escaped, cut after ``most`` characters.

    Line breaks become ``⏎``, other control characters the replacement character.
    """
    value = value if len(value) <= most else value[: most - 1] + "…"
    value = value.replace("\r\n", "\n").replace("\r", "\n").strip().replace("\n", " ⏎ ")
    value = "".join(_visible(character) for character in value)
    value = _SPECIAL.sub(lambda match: f"\\{match[0]}", value)
    return _START.sub(_escaped_start, value)


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else "\ufffd"


def _escaped_start(match: re.Match[str]) -> str:
    """A number that would start a list is broken at its full stop; everything else gets a backslash in front."""
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
