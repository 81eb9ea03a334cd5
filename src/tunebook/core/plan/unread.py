"""Blocks that no section took: problems where they may decide what runs, otherwise listed for people."""

from __future__ import annotations

import re
from functools import lru_cache

from tunebook.core.markdown import Bullet, Table, TextBlock, read_label, without_comments
from tunebook.core.parameters import suggestion
from tunebook.core.plan.section import Reading, SectionReader, UnreadBlock, doubtful_heading
from tunebook.core.plan.spellings import Item

__all__ = ["report_unread"]

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_LIST_MARK = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
_NAME_END = re.compile(r"(?<!\s)(?:\s*[^\w\s-]|\s+-\s|\s*\d)")
_ELSEWHERE = "move it to a section of your own, such as `## Notes`"
_BARS = 2
_MOST_SHOWN = 60


def report_unread(reading: Reading) -> tuple[UnreadBlock, ...]:
    """Records a problem for every unread block that may decide what runs, and returns the others in their order."""
    listed: dict[int, UnreadBlock] = {}
    for source in reading.readers:
        _report_surplus(source)
        mentions = _mentions(source)
        for item in source.items:
            is_done = source.is_read(item.block) or not item.block.text
            if not is_done and not _report(item, source, mentions):
                listed.setdefault(item.block.line, UnreadBlock(source.section.title, item.heading, item.block))
    return tuple(listed[line] for line in sorted(listed))


def _report_surplus(source: SectionReader) -> None:
    for row in source.rows:
        if row.surplus and source.section.decides:
            columns = len(row.cells)
            message = f"the row has {columns + row.surplus} cells, but its table has {columns} columns"
            source.problem(message, row.line, "remove the surplus cells, or write `\\|` for a bar inside a cell")


def _report(item: Item, source: SectionReader, mentions: re.Pattern[str]) -> bool:
    """Records the problem, if the block is one."""
    block = item.block
    if not source.section.decides:
        return False
    if isinstance(block, Bullet):
        return _report_bullet(block, source)
    if isinstance(block, Table):
        hint = f"write each setting as `- **NAME:** VALUE`, or {_ELSEWHERE}"
        message = f"`{source.section.title}` has a table `{_short(block.text)}` that is not read"
        source.problem(message, block.line, hint)
        return True
    if block.is_html:
        return _report_html(block, source)
    return _report_text(block, source, mentions) or _report_below_setting(item, block, source)


def _report_below_setting(item: Item, block: TextBlock, source: SectionReader) -> bool:
    """In a section of settings, text below a setting may be its value, and code may be settings."""
    above = [name for name in item.groups if source.parameters.by_column(name)]
    if not source.section.has_settings or not (above or block.is_code):
        return False
    message = f"`{_short(block.text)}` in `{source.section.title}` is not read"
    hint = f"write a setting as `- **NAME:** VALUE`, or {_ELSEWHERE}"
    if above:
        message = f"`{_short(block.text)}` is below `{above[-1]}`, and is not read"
        hint = "write the whole value after the setting's name, or in one code block below it"
    source.problem(message, block.line, hint)
    return True


def _report_html(block: TextBlock, source: SectionReader) -> bool:
    """Comments, and tags without a text between them, are for people."""
    if not _TAG.sub("", without_comments(block.raw)).strip():
        return False
    message = f"`{source.section.title}` has HTML, which is not read"
    source.problem(message, block.line, "write it as Markdown, or as a comment")
    return True


def _report_bullet(bullet: Bullet, source: SectionReader) -> bool:
    """Remarks are for people, unless they seem to give a setting."""
    title, names = source.section.title, source.section.known_names(source.parameters)
    is_setting = bool(bullet.value.text) and source.parameters.by_column(bullet.name) is not None
    if not source.parameters.is_complete or (source.section.is_remark(bullet) and not is_setting):
        return False
    message = f"unknown `{_short(bullet.name)}` in `{title}`"
    hint = _ELSEWHERE
    if not bullet.name:
        message = f"`{_short(bullet.text)}` in `{title}` is not read"
    if bullet.is_quoted:
        message = f"`{_short(bullet.text)}` is in a quotation in `{title}`, and is not read"
        hint = "take it out of the quotation if it applies, otherwise move it to a section of your own"
    elif doubtful_heading(*bullet.groups):
        message = f"`{_short(bullet.text)}` is below `{doubtful_heading(*bullet.groups)}`, and is not read"
        hint = "move it to another heading if it applies, otherwise to a section of your own"
    elif is_setting and source.section.is_remark(bullet):
        message = f"`{_short(bullet.text)}` in `{title}` is below a remark, and is not read"
        hint = "write it outside of the remark if it applies, otherwise move it to a section of your own"
    elif names:
        name = bullet.name or _NAME_END.split(bullet.value.text, maxsplit=1)[0]
        hint = f"{suggestion(name, names)}; write a setting as `- **NAME:** VALUE`, and a remark as `- **Notes:** TEXT`"
    source.problem(message, bullet.line, hint)
    return True


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
            message = f"`{_short(line.strip())}` looks like the row of a table, but is outside of a table"
            source.problem(message, number, hint)
            is_found = True
    return is_found


def _label_text(line: str) -> str:
    """A line as a reader sees it: without the mark of a list and without emphasis."""
    bullet = read_label(_LIST_MARK.sub("", line.lstrip("> ")), 0)
    return f"{bullet.name}: {bullet.value.raw}" if bullet.name else bullet.value.text


def _mentions(source: SectionReader) -> re.Pattern[str]:
    """Text that names a setting and gives its value."""
    names = set(source.section.known_names(source.parameters))
    words = {"yes", "no", "true", "false"}
    for parameter in source.parameters:
        names |= {parameter.column, parameter.key, *parameter.aliases}
        words |= set(parameter.choices)
    return _value_pattern(frozenset(names - {""}), frozenset(words))


@lru_cache(maxsize=64)
def _value_pattern(names: frozenset[str], words: frozenset[str]) -> re.Pattern[str]:
    ordered = "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
    joint = r"(?:\s+(?:of|is|was|to|at|be|set to)\s+|\s*[:=→]\s*|\s+)"
    value = r"[\"“`„]|[-+]?\.?\d|(?:" + "|".join(map(re.escape, sorted(words))) + r")\b"
    return re.compile(rf"(?<!\w)(?P<name>{ordered}){joint}(?={value})", re.IGNORECASE)


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
