"""Headings, bullets, tables and other blocks of a Markdown text, each with its line.

A CommonMark parser (markdown-it-py with tables) reads the text, never regular expressions over lines. Inline markup is
parsed only in texts that contain markup: a plan of a thousand runs has ten thousand plain cells.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

# An underscore inside a word, as in `rank8_lr1e-5`, is not markup.
_MARKUP = re.compile(r"[`*\\\[<&~]|(?:^|\W)_|_(?:\W|$)")
_TICK = re.compile(r"\s*[✓✔✅☑](?:\s*verified)?\s*$", re.IGNORECASE)
_LABEL = re.compile(r"\*\*(?P<name>[^*]+?)\s*:?\s*\*\*\s*:?\s*(?P<value>.*)", re.DOTALL)
# A colon needs white space after it, so that a path such as `hf:name` or a time is not a label.
_PLAIN_LABEL = re.compile(r"(?P<name>[^:`\"]+?):\s+(?P<value>.*)|(?P<bare>[^:`\"]+):$", re.DOTALL)
_OTHER_BLOCKS = {"fence", "code_block", "html_block"}


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
    def key(self) -> str:
        """The text for matching: lower case, single spaces."""
        return name_key(self.text)

    @property
    def is_empty(self) -> bool:
        """Whether the cell is blank or says "not applicable" (``-``, ``N/A``)."""
        return self.text.strip().lower() in {"", "-", "–", "—", "n/a"}


@dataclass(frozen=True)
class Bullet:
    """``- **Name:** value`` or ``- Name: value``; a bullet without a colon has an empty name.

    Attributes:
        depth: the number of bullets that this one is nested in.
        code: the code block that belongs to the bullet.
    """

    name: str
    value: Cell
    line: int
    depth: int = 0
    code: Cell | None = None

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
    """One row of a table's body."""

    cells: tuple[Cell, ...]
    line: int


@dataclass(frozen=True)
class Table:
    """A table; every row has as many cells as the header."""

    header: tuple[Cell, ...]
    rows: tuple[Row, ...]
    line: int

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

    @property
    def text(self) -> str:
        """The block as a reader sees it, on one line."""
        text = self.raw if self.is_code else plain(self.raw)
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
def _block_parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").disable("inline")


@lru_cache(maxsize=1)
def _inline_parser() -> MarkdownIt:
    return MarkdownIt("commonmark")


def plain(raw: str) -> str:
    """A text without its inline markup, and without a trailing ``✓`` or ``✓ verified``."""
    text = _TICK.sub("", raw)
    if _MARKUP.search(text):
        text = "".join(_visible(_inline_parser().parseInline(text)))
        text = _TICK.sub("", text)
    return text.strip()


def _visible(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.children:
            yield from _visible(token.children)
        elif token.type in {"softbreak", "hardbreak"}:
            yield " "
        else:
            yield token.content


def literal(raw: str) -> str:
    r"""The exact text, such as a prompt.

    Between backticks it is taken verbatim; between double quotes it is a JSON string (``\n`` is a new line); otherwise
    it is taken as it is written.

    Raises:
        ValueError: a text between double quotes is not a JSON string.
    """
    text = raw.strip()
    ticked = re.fullmatch(r"(`+)(.*?)\1", text, re.DOTALL)
    if ticked and ticked[1] not in ticked[2]:
        return ticked[2]
    if len(text) > 1 and text[0] == text[-1] == '"':
        return str(json.loads(text, strict=False))
    return text


@lru_cache(maxsize=4)
def parse_markdown(text: str) -> MarkdownSection:
    """The text as a tree of sections; the root has level 0, no title, and the blocks before the first heading.

    The same text gives the same object: callers must not change it.
    """
    root = MarkdownSection("", 0, 1, text.count("\n") + 1)
    _Builder(root).read(_block_parser().parse(text))
    return root


class _Builder:
    """Walks the parser's flat token list once."""

    def __init__(self, root: MarkdownSection) -> None:
        self.open = [root]

    def read(self, tokens: list[Token]) -> None:
        index = 0
        while index < len(tokens):
            token = tokens[index]
            if token.type == "heading_open":
                self._heading(int(token.tag[1:]), tokens[index + 1])
            elif token.type == "table_open":
                index = self._table(tokens, index)
            elif token.type in _OTHER_BLOCKS:
                self._other(token)
            elif token.type == "inline" and tokens[index - 1].type == "paragraph_open":
                is_item = index > 1 and tokens[index - 2].type == "list_item_open"
                self._paragraph(token, is_item=is_item)
            index += 1
        self._close(0, self.open[0].end_line + 1)

    def _heading(self, level: int, inline: Token) -> None:
        line = _line(inline)
        self._close(level, line)
        section = MarkdownSection(plain(inline.content), level, line)
        self.open[-1].sections.append(section)
        self.open.append(section)

    def _close(self, level: int, line: int) -> None:
        while len(self.open) > 1 and self.open[-1].level >= level:
            self.open.pop().end_line = line - 1

    def _paragraph(self, token: Token, *, is_item: bool) -> None:
        """The first paragraph of a list item is a bullet; so is each labelled line of an ordinary paragraph."""
        if is_item:
            depth = (token.level - 3) // 2  # a list, an item and a paragraph enclose the text of an outer bullet
            self.open[-1].blocks.append(_bullet(token.content, _line(token), depth))
            return
        others: list[str] = []
        line = _line(token)
        for text in token.content.split("\n"):
            if text.startswith("**") and token.level == 1:
                self._text(others, line)
                others = []
                self.open[-1].blocks.append(_bullet(text, line, 0))
            else:
                others.append(text)
            line += 1
        self._text(others, line)

    def _text(self, lines: list[str], end: int) -> None:
        """Adds the lines in front of line ``end`` as a block."""
        if lines:
            self.open[-1].blocks.append(TextBlock("\n".join(lines), end - len(lines)))

    def _other(self, token: Token) -> None:
        """Code inside a list belongs to the bullet before it, unless that has code already."""
        section = self.open[-1]
        is_code = token.type != "html_block"
        bullet = section.bullets[-1] if section.bullets else None
        if is_code and token.level > 0 and bullet is not None and bullet.code is None:
            code = Cell(token.content, _line(token))
            section.blocks[section.blocks.index(bullet)] = replace(bullet, code=code)
        else:
            section.blocks.append(TextBlock(token.content, _line(token), is_code))

    def _table(self, tokens: list[Token], start: int) -> int:
        header: tuple[Cell, ...] = ()
        rows: list[Row] = []
        cells: list[Cell] = []
        line = _line(tokens[start])
        index = start
        while tokens[index].type != "table_close":
            token = tokens[index]
            if token.type == "tr_open":
                line, cells = _line(token), []
            elif token.type == "inline":
                cells.append(Cell(token.content, line))
            elif token.type == "thead_close":
                header = tuple(cells)
            elif token.type == "tr_close" and header:
                rows.append(Row(tuple(cells), line))
            index += 1
        self.open[-1].blocks.append(Table(header, tuple(rows), _line(tokens[start])))
        return index


def _line(token: Token) -> int:
    return (token.map[0] if token.map else 0) + 1


def _bullet(content: str, line: int, depth: int) -> Bullet:
    match = _LABEL.fullmatch(content)
    if match:
        return Bullet(plain(match["name"]), Cell(match["value"].strip(), line), line, depth)
    match = _PLAIN_LABEL.fullmatch(content)
    if match is None:
        return Bullet("", Cell(content.strip(), line), line, depth)
    if match["bare"]:
        return Bullet(plain(match["bare"].strip()), Cell("", line), line, depth)
    return Bullet(plain(match["name"].strip()), Cell(match["value"].strip(), line), line, depth)
