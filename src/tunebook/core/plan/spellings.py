"""The spellings of a setting: a bullet, a labelled line of a paragraph, or the row of a Parameter | Value table.

All become bullets here, each with the headings and labels that it is below, so that a section reads only bullets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tunebook.core.markdown import Block, Bullet, MarkdownSection, Table, TextBlock, name_key, read_label

__all__ = ["Item", "as_items", "is_settings_table"]

_NAMES = {
    "parameter", "parameters", "setting", "settings", "name", "key", "option", "hyperparameter", "hyperparameters",
    "property", "field", "item", "stage", "component", "role", "step", "model", "split", "",
}  # fmt: skip
_VALUES = {"value", "values", "setting", "tool", "choice", "path", "location", "time", "est. time", "estimate", "count"}
_REMARKS = {"note", "notes", "description", "remark", "remarks", "comment", "comments", "rationale", "reason", "source"}
# A longer text before a colon is prose.
_MOST_WORDS = 4


@dataclass(frozen=True)
class Item:
    """A block, or one setting of a block, with the heading just above it and the keys of all that it is below."""

    heading: str
    block: Block
    groups: tuple[str, ...] = ()


def as_items(heading: MarkdownSection, groups: Sequence[str] = ()) -> Iterator[Item]:
    """The content of a heading and of those below it; ``groups`` are the keys of the headings around it."""
    placing = _Placing([*groups, name_key(heading.title)])
    for block in heading.blocks:
        for part in placing.place(block):
            yield Item(heading.title, part, placing.groups())
    for section in heading.sections:
        yield from as_items(section, placing.headings)


def is_settings_table(table: Table) -> bool:
    """Whether each row gives one setting: its name, its value, and remarks."""
    names = [cell.key for cell in table.header]
    if len(names) < 2 or not set(names[2:]) <= _REMARKS:  # noqa: PLR2004
        return False
    return names[1] in {"value", "values"} or (names[0] in _NAMES and names[1] in _VALUES)


@dataclass
class _Placing:
    """The labels that the next block is below: of the headings, of a line such as ``**Evaluation:**``, of bullets."""

    headings: list[str]
    label: str = ""
    label_line: int | None = None
    bullets: list[str] = field(default_factory=list)

    def place(self, block: Block) -> Iterator[Block]:
        if isinstance(block, Bullet):
            yield from self._bullet(block)
        elif isinstance(block, Table) and is_settings_table(block):
            self.bullets = []
            yield from self._rows(block)
        elif isinstance(block, TextBlock) and not block.is_code and not block.is_html:
            yield from self._lines(block)
        elif isinstance(block, TextBlock):
            del self.bullets[block.depth :]
            yield block
        else:
            yield block

    def _bullet(self, bullet: Bullet) -> Iterator[Block]:
        if bullet.depth == 0 and not bullet.is_item:
            self._end_label(bullet)
        del self.bullets[bullet.depth :]
        yield replace(bullet, groups=self.groups())
        if bullet.code is not None:
            yield TextBlock(bullet.code.raw, bullet.code.line, is_code=True, is_quoted=bullet.is_quoted)
        self.label_line = bullet.line
        if bullet.is_item:
            self.bullets.append(name_key(bullet.name or bullet.value.text))
        elif bullet.depth == 0 and not bullet.value.raw and bullet.code is None:
            self.label, self.label_line = bullet.key, None

    def _end_label(self, bullet: Bullet) -> None:
        """A label applies to the block that follows it, or to the next lines of its own paragraph."""
        if not bullet.value.raw or self.label_line not in {None, bullet.line - 1}:
            self.label = ""

    def _rows(self, table: Table) -> Iterator[Block]:
        for row in table.rows:
            name, value = row.cells[:2]
            groups = self.groups()
            yield Bullet(name.text, value, row.line, is_item=False, is_quoted=table.is_quoted, groups=groups)

    def _lines(self, text: TextBlock) -> Iterator[Block]:
        """Labelled lines are settings; the lines between them stay text."""
        del self.bullets[text.depth :]
        for offset, line in enumerate(text.raw.split("\n")):
            bullet = read_label(line, text.line + offset)
            is_prose = not bullet.name or len(bullet.name.split()) > _MOST_WORDS
            if is_prose:
                yield replace(text, raw=line, line=bullet.line)
            else:
                yield from self._bullet(replace(bullet, depth=text.depth, is_item=False, is_quoted=text.is_quoted))

    def groups(self) -> tuple[str, ...]:
        """The keys of the headings and labels that the last block is below."""
        label = [self.label] if self.label else []
        return (*self.headings, *label, *self.bullets)
