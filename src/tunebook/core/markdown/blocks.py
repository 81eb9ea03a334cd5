"""The blocks of a Markdown text as values, each with its line, and texts without their inline markup.

Inline markup is parsed only in texts that contain markup: a plan of a thousand runs has ten thousand plain cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tunebook.core.markdown.marks import LeadingCode, leading_code, without_comments, without_ticks

__all__ = ["Block", "Bullet", "Cell", "MarkdownSection", "Row", "Table", "TextBlock", "name_key", "plain"]

# An underscore inside a word, as in `rank8_lr1e-5`, is not markup.
_MARKUP = re.compile(r"[`*\\\[<&]|(?:^|\W)_|_(?:\W|$)")
# What may follow a code span that is a value: nothing, or a remark.
_REMARK_START = re.compile(r"$|[\s(,;–—✓✔✅☑]")
_UNCLEAR_PATH = re.compile(r", |\s[(#]|\s(?:and|or)\s|^(?:tbd|todo|see .*|same .*|\?+)$", re.IGNORECASE)


def name_key(name: str) -> str:
    """A name for matching: lower case, single spaces."""
    return " ".join(name.lower().split())


@dataclass(frozen=True)
class Cell:
    """A text as it was written, and its one-based line."""

    raw: str
    line: int

    @property
    def text(self) -> str:
        """The text as a reader sees it: without markup and without a trailing tick."""
        return plain(self.raw)

    @property
    def value(self) -> str:
        """The code span at its start, after which only a remark may follow; otherwise the text."""
        code = self._leading_code
        return plain(code.code) if code else self.text

    @property
    def path(self) -> str:
        """The value as a path: between backticks or quotes, or as it is written.

        Raises:
            ValueError: the text may mean another path; the message says why.
        """
        raw = self.raw.strip()
        code = self._leading_code
        if code is not None:
            if "`" in re.sub(r"\([^()]*\)", "", code.rest):
                raise ValueError("it has two code spans")
            return plain(code.code)
        text = self.text
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            return text[1:-1]
        if _UNCLEAR_PATH.search(text):
            raise ValueError("a remark may be a part of it or not")
        written = without_ticks(without_comments(raw).strip(), most=1)
        may_be = {written.replace("\\", ""), written.strip("*_"), written.replace("`@", "@").lstrip("`")}
        if _MARKUP.search(written) and text not in may_be:
            raise ValueError("its Markdown hides a part of it")
        return text

    @property
    def remark(self) -> str:
        """The text after the code span at its start."""
        code = self._leading_code
        return plain(code.rest) if code else ""

    @property
    def _leading_code(self) -> LeadingCode | None:
        """The code span at its start, if only a remark follows it."""
        code = leading_code(self.raw.strip())
        return code if code is not None and _REMARK_START.match(code.rest) else None

    @property
    def key(self) -> str:
        """The text for matching: lower case, single spaces."""
        return name_key(self.text)

    @property
    def is_empty(self) -> bool:
        """Whether the cell is blank or says "not applicable" (``-``, ``N/A``)."""
        return self.text.strip().lower() in {"", "-", "–", "—", "n/a"}


@dataclass(frozen=True)
class Bullet:
    """``- **Name:** value`` or ``- Name = value``; a bullet without a label has an empty name.

    Attributes:
        depth: the number of bullets that this one is nested in.
        code: the code block that belongs to the bullet.
        is_item: whether it is the item of a list, not a line of a paragraph or the row of a table.
        is_quoted: whether it is inside a quotation.
        groups: the keys of the headings and labels that it is below, from the outermost.
        remark: the text in parentheses between its name and the colon.
        raw: the whole text as it was written; empty for the row of a table.
    """

    name: str
    value: Cell
    line: int
    depth: int = 0
    code: Cell | None = None
    is_item: bool = True
    is_quoted: bool = False
    groups: tuple[str, ...] = ()
    remark: str = ""
    raw: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """The name for matching: lower case, single spaces."""
        return name_key(self.name)

    @property
    def text(self) -> str:
        """The bullet as a reader sees it, on one line."""
        code = self.code.raw if self.code else ""
        return " ".join(f"{self.name}: {self.value.text} {code}".removeprefix(": ").split())


@dataclass(frozen=True)
class Row:
    """One row of a table's body; ``surplus`` is the number of cells beyond the header's, which Markdown drops."""

    cells: tuple[Cell, ...]
    line: int
    surplus: int = 0


@dataclass(frozen=True)
class Table:
    """A table; every row has as many cells as the header."""

    header: tuple[Cell, ...]
    rows: tuple[Row, ...]
    line: int
    is_quoted: bool = False

    @property
    def text(self) -> str:
        """The header as a reader sees it."""
        return " | ".join(cell.text for cell in self.header)


@dataclass(frozen=True)
class TextBlock:
    """Any other block: lines of a paragraph, code that belongs to no bullet, or HTML."""

    raw: str
    line: int
    is_code: bool = False
    is_html: bool = False
    is_quoted: bool = False
    depth: int = 0

    @property
    def text(self) -> str:
        """The block as a reader sees it, on one line."""
        text = self.raw if self.is_code or self.is_html else plain(self.raw)
        return " ".join(text.split())


Block = Bullet | Table | TextBlock


@dataclass
class MarkdownSection:
    """A heading, and the blocks below it up to the next heading of its level or above."""

    title: str
    level: int
    line: int
    end_line: int = 0
    blocks: list[Block] = field(default_factory=list)
    sections: list[MarkdownSection] = field(default_factory=list)

    @property
    def bullets(self) -> list[Bullet]:
        """The items of lists, and the labelled lines of paragraphs."""
        return [block for block in self.blocks if isinstance(block, Bullet)]

    @property
    def tables(self) -> list[Table]:
        """The tables, in their order."""
        return [block for block in self.blocks if isinstance(block, Table)]

    @property
    def code_blocks(self) -> list[Cell]:
        """The code of the section, also that which belongs to a bullet."""
        code: list[Cell] = []
        for block in self.blocks:
            if isinstance(block, Bullet) and block.code is not None:
                code.append(block.code)
            elif isinstance(block, TextBlock) and block.is_code:
                code.append(Cell(block.raw, block.line))
        return code

    def walk(self) -> Iterator[MarkdownSection]:
        """This section and all below it, in the order of the text."""
        yield self
        for section in self.sections:
            yield from section.walk()

    def find(self, title: str) -> MarkdownSection | None:
        """The first section below this one with this title, without regard to case."""
        wanted = title.lower()
        below = (section for part in self.sections for section in part.walk())
        return next((section for section in below if section.title.lower() == wanted), None)


@lru_cache(maxsize=1)
def _inline_parser() -> MarkdownIt:
    return MarkdownIt("commonmark")


@lru_cache(maxsize=4096)  # the cells of a column are often the same
def plain(raw: str) -> str:
    """A text without its inline markup, and without a trailing ``✓`` or ``✓ verified``."""
    text = without_ticks(raw, most=1)
    if _MARKUP.search(text):
        text = "".join(_visible(_inline_parser().parseInline(text)))
        text = without_ticks(text, most=1)
    return text.strip()


def _visible(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.children:
            yield from _visible(token.children)
        elif token.type in {"softbreak", "hardbreak"}:
            yield " "
        elif token.type == "html_inline" and token.content.startswith("<!--"):
            yield ""
        else:
            yield token.content
