"""A Markdown text as a tree of headings with their blocks.

A CommonMark parser (markdown-it-py with tables) reads the text, never regular expressions over lines.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tunebook.core.markdown.blocks import Block, Bullet, Cell, MarkdownSection, Row, Table, TextBlock, plain
from tunebook.core.markdown.labels import labelled_parts, read_label
from tunebook.core.markdown.lines import TableLine, split_lines

__all__ = ["parse_markdown"]

_OTHER_BLOCKS = {"fence", "code_block", "html_block"}


@lru_cache(maxsize=1)
def _block_parser() -> MarkdownIt:
    # A link definition would vanish: `[Seed]: 7` is one.
    return MarkdownIt("commonmark").enable("table").disable(["inline", "reference"])


@lru_cache(maxsize=4)
def parse_markdown(text: str) -> MarkdownSection:
    """The text as a tree of sections; the root has level 0, no title, and the blocks before the first heading.

    A byte order mark is not part of the text. The same text gives the same object: callers must not change it.
    """
    text = text.removeprefix("\ufeff")
    root = MarkdownSection("", 0, 1, text.count("\n") + 1)
    _Builder(root, split_lines(text)[0]).read(_block_parser().parse(text))
    return root


class _Builder:
    """Walks the parser's flat token list once.

    Attributes:
        open: the section that is being read, after those that it is in.
        bullets: the place of the last bullet in each of them.
    """

    def __init__(self, root: MarkdownSection, lines: list[str]) -> None:
        self.open = [root]
        self.bullets: list[int | None] = [None]
        self.lines = lines
        self.quotes = 0

    def read(self, tokens: list[Token]) -> None:
        index = 0
        while index < len(tokens):
            token = tokens[index]
            if token.type == "heading_open":
                self._heading(int(token.tag[1:]), tokens[index + 1])
            elif token.type == "table_open":
                index = self._table(tokens, index)
            elif token.type in {"blockquote_open", "blockquote_close"}:
                self.quotes += token.nesting
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
        self.bullets.append(None)

    def _close(self, level: int, line: int) -> None:
        while len(self.open) > 1 and self.open[-1].level >= level:
            self.open.pop().end_line = line - 1
            self.bullets.pop()

    def _paragraph(self, token: Token, *, is_item: bool) -> None:
        """The first paragraph of a list item is a bullet; so is each labelled line below it or of another paragraph."""
        # A list and an item enclose each bullet that this text is nested in, a quotation is one level.
        depth = (token.level - self.quotes - 1) // 2 - is_item
        line = _line(token)
        for text, offset, is_bullet in labelled_parts(token.content, is_item=is_item):
            if is_bullet:
                bullet = read_label(text, line + offset)
                is_first = is_item and offset == 0
                self._add(replace(bullet, depth=depth, is_item=is_first, is_quoted=self.quotes > 0))
            else:
                self._add(TextBlock(text, line + offset, is_quoted=self.quotes > 0, depth=depth))

    def _add(self, block: Block) -> None:
        if isinstance(block, Bullet):
            self.bullets[-1] = len(self.open[-1].blocks)
        self.open[-1].blocks.append(block)

    def _other(self, token: Token) -> None:
        """Code belongs to the bullet that it is nested in or, just after it, to one without a value."""
        blocks = self.open[-1].blocks
        if token.type == "html_block":
            self._add(TextBlock(token.content, _line(token), is_html=True, is_quoted=self.quotes > 0))
            return
        code = Cell(token.content, _line(token))
        place = self.bullets[-1]
        bullet = None if place is None else blocks[place]
        is_nested = token.level - self.quotes > 0
        has_no_code = isinstance(bullet, Bullet) and bullet.code is None
        is_next = isinstance(bullet, Bullet) and bullet is blocks[-1] and not bullet.value.raw
        if isinstance(bullet, Bullet) and place is not None and has_no_code and (is_nested or is_next):
            blocks[place] = replace(bullet, code=code)
        else:
            depth = (token.level - self.quotes) // 2
            self._add(TextBlock(code.raw, code.line, is_code=True, is_quoted=self.quotes > 0, depth=depth))

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
                rows.append(Row(tuple(cells), line, self._surplus(line, len(header))))
            index += 1
        self._add(Table(header, tuple(rows), _line(tokens[start]), is_quoted=self.quotes > 0))
        return index

    def _surplus(self, line: int, columns: int) -> int:
        written = TableLine.read(self.lines[line - 1].lstrip("> \t"))
        return max(0, len(written.cells) - columns)


def _line(token: Token) -> int:
    return (token.map[0] if token.map else 0) + 1
