"""Headings, bullets, tables and code blocks of a Markdown page, every value with the line it stands on.

The page is read by a CommonMark parser (markdown-it-py with tables), never by regular expressions over lines. Inline
markup is parsed only where a text holds some: a page of a thousand runs has ten thousand plain cells.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

__all__ = ["Bullet", "Cell", "Row", "Section", "Table", "literal", "parse_page", "plain"]

_MARKUP = re.compile(r"[`*\\\[<&~]|(?:^|\W)_|_(?:\W|$)")
_TICK = re.compile(r"\s*[✓✔✅☑](?:\s*verified)?\s*$", re.IGNORECASE)
_LABEL = re.compile(r"\*\*(?P<name>[^*]+?)\s*:?\s*\*\*\s*:?\s*(?P<value>.*)", re.DOTALL)
_PLAIN_LABEL = re.compile(r"(?P<name>[^:`\"]+?):\s+(?P<value>.*)|(?P<bare>[^:`\"]+):$", re.DOTALL)


@dataclass(frozen=True)
class Cell:
    """A text of the page as it was written, and its one-based line."""

    raw: str
    line: int

    @property
    def text(self) -> str:
        """What a reader sees: without markup and without a trailing tick."""
        return plain(self.raw)

    @property
    def is_empty(self) -> bool:
        """Whether the cell says "not applicable" (``-``, ``N/A``) or nothing."""
        return self.text.strip().lower() in {"", "-", "–", "—", "n/a"}


@dataclass(frozen=True)
class Bullet:
    """``- **Name:** value`` or ``- Name: value``; a bullet without a colon has an empty name."""

    name: str
    value: Cell
    line: int
    depth: int = 0
    code: str | None = None

    @property
    def key(self) -> str:
        """The name for matching: lower case, single spaces."""
        return " ".join(self.name.lower().split())


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


@dataclass
class Section:
    """A heading and what stands under it, up to the next heading of its level or above."""

    title: str
    level: int
    line: int
    end_line: int = 0
    bullets: list[Bullet] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    code_blocks: list[Cell] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

    def walk(self) -> Iterator[Section]:
        """This section and all below it, in the page's order."""
        yield self
        for section in self.sections:
            yield from section.walk()

    def find(self, title: str) -> Section | None:
        """The first section below with this title, without regard to case."""
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
    r"""A text that must arrive to the letter: a prompt.

    Between backticks it is taken verbatim; between double quotes it is a JSON string (``\n`` is a new line); otherwise
    it is taken as it stands.

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
def parse_page(text: str) -> Section:
    """The page as a tree of sections; the root has level 0, no title, and what stands before the first heading.

    The same text gives the same tree, which is only to be read.
    """
    root = Section("", 0, 1, text.count("\n") + 1)
    _Builder(root).read(_block_parser().parse(text))
    return root


class _Builder:
    """Walks the parser's flat token list once."""

    def __init__(self, root: Section) -> None:
        self.open = [root]

    def read(self, tokens: list[Token]) -> None:
        index = 0
        while index < len(tokens):
            token = tokens[index]
            if token.type == "heading_open":
                self._heading(int(token.tag[1:]), tokens[index + 1])
            elif token.type == "table_open":
                index = self._table(tokens, index)
            elif token.type in {"fence", "code_block"}:
                self._code(token)
            elif token.type == "inline" and tokens[index - 1].type == "paragraph_open":
                self._paragraph(tokens, index)
            index += 1
        self._close(0, self.open[0].end_line + 1)

    def _heading(self, level: int, inline: Token) -> None:
        line = _line(inline)
        self._close(level, line)
        section = Section(plain(inline.content), level, line)
        self.open[-1].sections.append(section)
        self.open.append(section)

    def _close(self, level: int, line: int) -> None:
        while len(self.open) > 1 and self.open[-1].level >= level:
            self.open.pop().end_line = line - 1

    def _paragraph(self, tokens: list[Token], index: int) -> None:
        """A list item's first paragraph is a bullet; so is each labelled line of an ordinary paragraph."""
        token = tokens[index]
        depth = (token.level - 3) // 2 if token.level >= 3 else 0  # noqa: PLR2004  list, item, paragraph
        in_list = tokens[index - 2].type == "list_item_open" if index > 1 else False
        if in_list:
            self.open[-1].bullets.append(_bullet(token.content, _line(token), depth))
            return
        for offset, line in enumerate(token.content.split("\n")):
            if line.startswith("**") and token.level == 1:
                self.open[-1].bullets.append(_bullet(line, _line(token) + offset, 0))

    def _code(self, token: Token) -> None:
        section = self.open[-1]
        section.code_blocks.append(Cell(token.content, _line(token)))
        if token.level > 0 and section.bullets:
            last = section.bullets[-1]
            code = token.content.removesuffix("\n")
            section.bullets[-1] = Bullet(last.name, last.value, last.line, last.depth, code)

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
        self.open[-1].tables.append(Table(header, tuple(rows), _line(tokens[start])))
        return index


def _line(token: Token) -> int:
    return (token.map[0] if token.map else 0) + 1


def _bullet(content: str, line: int, depth: int) -> Bullet:
    match = _LABEL.fullmatch(content)
    if match:
        return Bullet(plain(match["name"]), Cell(match["value"].strip(), line), line, depth)
    match = _PLAIN_LABEL.fullmatch(content)
    if match:
        name, value = (match["bare"], "") if match["bare"] else (match["name"], match["value"])
        return Bullet(plain(name.strip()), Cell(value.strip(), line), line, depth)
    return Bullet("", Cell(content.strip(), line), line, depth)
