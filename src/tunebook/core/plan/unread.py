"""Blocks that no section took: problems where they may decide what runs, otherwise listed for people."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tunebook.core.markdown import Bullet, Row, Table, TextBlock, read_label
from tunebook.core.parameters import suggestion
from tunebook.core.plan.section import Reading, Section, SectionReader, UnreadBlock
from tunebook.core.plan.spellings import Item

__all__ = ["report_unread"]

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_LIST_MARK = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")
_BARS = 2
_MOST_SHOWN = 60


def report_unread(reading: Reading) -> tuple[UnreadBlock, ...]:
    """Records a problem for every unread block that may decide what runs, and returns the others in their order."""
    seen: dict[int, UnreadBlock] = {}
    for source in reading.readers:
        mentions = _mentions(source)
        for item in source.items:
            if source.section.decides:
                for row in _rows(item.block):
                    _report_surplus(row, reading)
            if source.is_read(item.block) or not item.block.text or item.block.line in seen:
                continue
            if not (source.section.decides and _report(item, source, mentions)):
                seen[item.block.line] = UnreadBlock(source.section.title, item.heading, item.block)
    return tuple(seen[line] for line in sorted(seen))


def _rows(block: object) -> Iterable[Row]:
    return block.rows if isinstance(block, Table) else ()


def _report_surplus(row: Row, reading: Reading) -> None:
    if row.surplus:
        message = f"the row has {len(row.cells) + row.surplus} cells, but its table has {len(row.cells)} columns"
        reading.problem(message, row.line, "remove the surplus cells, or write `\\|` for a bar inside a cell")


def _report(item: Item, source: SectionReader, mentions: re.Pattern[str]) -> bool:
    """Records the problem, if the block is one."""
    block, title = item.block, source.section.title
    if isinstance(block, Bullet):
        if source.section.is_remark(block) or not source.parameters.is_complete:
            return False
        source.problem(*_bullet_problem(block, source.section))
        return True
    if isinstance(block, Table):
        hint = f"known here: {', '.join(source.section.names)}" if source.section.names else _ELSEWHERE
        source.problem(f"`{title}` has a table `{_short(block.text)}` that is not read", block.line, hint)
        return True
    if block.is_html:
        if not _TAG.sub("", _COMMENT.sub("", block.raw)).strip():
            return False
        source.problem(f"`{title}` has HTML, which is not read", block.line, "write it as Markdown, or as a comment")
        return True
    return _report_text(block, source, mentions)


_ELSEWHERE = "move it to a section of your own, such as `## Notes`"


def _bullet_problem(bullet: Bullet, section: Section) -> tuple[str, int, str]:
    text = _short(bullet.text)
    if bullet.is_quoted:
        hint = "take it out of the quotation if it applies, otherwise move it to a section of your own"
        return f"`{text}` is in a quotation in `{section.title}`, and is not read", bullet.line, hint
    if not bullet.name:
        hint = f"write `- **NAME:** VALUE`; {suggestion('', section.names)}" if section.names else _ELSEWHERE
        return f"`{text}` in `{section.title}` is not read", bullet.line, hint
    hint = _ELSEWHERE
    if section.names:
        hint = f"{suggestion(bullet.name, section.names)}; write a remark for people as `- **Notes:** …`"
    return f"unknown `{_short(bullet.name)}` in `{section.title}`", bullet.line, hint


def _report_text(block: TextBlock, source: SectionReader, mentions: re.Pattern[str]) -> bool:
    """Text and code are for people, unless they look like a setting or like a row of a table."""
    is_found = False
    lines = block.raw.split("\n") if block.is_code else [block.raw]
    for offset, line in enumerate(lines):
        # The text of a code block begins below its fence.
        number = block.line + offset + block.is_code
        found = mentions.search(_label_text(line))
        if found:
            message = f"`{source.section.title}` has the text `{_short(line.strip())}`, which sets nothing"
            source.problem(message, number, f"write `- **{found['name']}:** VALUE` in a list, or {_ELSEWHERE}")
            is_found = True
        elif not block.is_code and line.count("|") >= _BARS:
            hint = "a table has a header, a line of dashes, and no empty line between its rows"
            source.problem(f"`{_short(line.strip())}` looks like the row of a table, but is in none", number, hint)
            is_found = True
    return is_found


def _label_text(line: str) -> str:
    """A line as a reader sees it: without the mark of a list and without emphasis."""
    bullet = read_label(_LIST_MARK.sub("", line.lstrip("> ")), 0)
    return f"{bullet.name}: {bullet.value.raw}" if bullet.name else bullet.value.text


def _mentions(source: SectionReader) -> re.Pattern[str]:
    """Text that names a setting and gives its value."""
    names = set(source.section.names)
    for parameter in source.parameters:
        names |= {parameter.column, *parameter.aliases}
    ordered = "|".join(re.escape(name) for name in sorted(names - {""}, key=lambda name: (-len(name), name)))
    joint = r"(?:\s+(?:of|is|was|to|at|be|set to)\s+|\s*[:=→]\s*|\s+)"
    return re.compile(rf"(?<!\w)(?P<name>{ordered}){joint}(?=[\"“`„]|[-+]?\.?\d)", re.IGNORECASE)


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
