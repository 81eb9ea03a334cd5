"""Headings, bullets, tables and other blocks of a Markdown text, each with its line.

A CommonMark parser (markdown-it-py with tables) reads the text, never regular expressions over lines. Inline markup is
parsed only in texts that contain markup: a plan of a thousand runs has ten thousand plain cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tunebook.core.markdown.lines import TableLine, split_lines
from tunebook.core.markdown.quotes import is_open

# An underscore inside a word, as in `rank8_lr1e-5`, is not markup.
_MARKUP = re.compile(r"[`*\\\[<&]|(?:^|\W)_|_(?:\W|$)")
# A tick alone is a value: it says yes.
_TICK = re.compile(r"(?<=\S)\s*[✓✔✅☑]\ufe0f?(?:\s*verified)?\s*$", re.IGNORECASE)
_LEADING_CODE = re.compile(r"(?P<code>(?P<fence>`+).+?(?<!`)(?P=fence)(?!`))(?P<remark>$|[\s(,;–—✓✔✅☑].*)", re.DOTALL)
_HTML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_UNCLEAR_PATH = re.compile(r", |\s[(#]|\s(?:and|or)\s|^(?:tbd|todo|see .*|same .*|\?+)$", re.IGNORECASE)
_TASK = re.compile(r"^\[[ xX]\]\s+")
_BOLD_LABEL = re.compile(
    r"\*\*(?P<name>[^*]+?)\s*[:=]?\s*\*\*(?P<remark>\s*\([^()]*\)(?=\s*[:=]\s))?\s*[:=]?\s*(?P<value>.*)", re.DOTALL
)
# Other marks need a colon or an equals sign, so that an emphasized word at a text's start is not a label.
_MARKED_LABEL = re.compile(
    r"(?P<mark>\*{1,3}|_{1,3}|`)(?P<name>(?:(?!(?P=mark)).)+?)"
    r"(?:\s*[:=]\s*(?P=mark)|(?P=mark)\s*[:=])\s*(?P<value>.*)",
    re.DOTALL,
)
# A colon needs white space after it, so that a path such as `hf:name` or a time is not a label.
_PLAIN_LABEL = re.compile(r"(?P<name>[^:=`\"]+?)(?::\s+|\s*=\s*)(?P<value>.*)|(?P<bare>[^:=`\"]+):$", re.DOTALL)
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
    def value(self) -> str:
        """The code span at its start, after which only a remark may follow; otherwise the text."""
        code = _LEADING_CODE.fullmatch(self.raw.strip())
        return plain(code["code"]) if code else self.text

    @property
    def path(self) -> str:
        """The value as a path: between backticks or quotes, or as it is written.

        Raises:
            ValueError: the text may mean another path; the message says why.
        """
        raw = self.raw.strip()
        code = _LEADING_CODE.fullmatch(raw)
        if code is not None:
            if "`" in re.sub(r"\([^()]*\)", "", code["remark"]):
                raise ValueError("it has two code spans")
            return plain(code["code"])
        text = self.text
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            return text[1:-1]
        if _UNCLEAR_PATH.search(text):
            raise ValueError("a remark may be a part of it or not")
        written = _TICK.sub("", _HTML_COMMENT.sub("", raw).strip())
        may_be = {written.replace("\\", ""), written.strip("*_"), written.replace("`@", "@").lstrip("`")}
        if _MARKUP.search(written) and text not in may_be:
            raise ValueError("its Markdown hides a part of it")
        return text

    @property
    def remark(self) -> str:
        """The text after the code span at its start."""
        code = _LEADING_CODE.fullmatch(self.raw.strip())
        return plain(code["remark"]) if code else ""

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
def _block_parser() -> MarkdownIt:
    # A link definition would vanish: `[Seed]: 7` is one.
    return MarkdownIt("commonmark").enable("table").disable(["inline", "reference"])


@lru_cache(maxsize=1)
def _inline_parser() -> MarkdownIt:
    return MarkdownIt("commonmark")


@lru_cache(maxsize=4096)  # the cells of a column are often the same
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
        elif token.type == "html_inline" and token.content.startswith("<!--"):
            yield ""
        else:
            yield token.content


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
    """Walks the parser's flat token list once."""

    def __init__(self, root: MarkdownSection, lines: list[str]) -> None:
        self.open = [root]
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

    def _close(self, level: int, line: int) -> None:
        while len(self.open) > 1 and self.open[-1].level >= level:
            self.open.pop().end_line = line - 1

    def _paragraph(self, token: Token, *, is_item: bool) -> None:
        """The first paragraph of a list item is a bullet; so is each labelled line below it or of another paragraph."""
        # A list and an item enclose each bullet that this text is nested in, a quotation is one level.
        depth = (token.level - self.quotes - 1) // 2 - is_item
        line = _line(token)
        for text, offset, is_bullet in _parts(token.content, is_item=is_item):
            if is_bullet:
                bullet = read_label(text, line + offset)
                is_first = is_item and offset == 0
                self._add(replace(bullet, depth=depth, is_item=is_first, is_quoted=self.quotes > 0))
            else:
                self._add(TextBlock(text, line + offset, is_quoted=self.quotes > 0, depth=depth))

    def _add(self, block: Block) -> None:
        self.open[-1].blocks.append(block)

    def _other(self, token: Token) -> None:
        """Code belongs to the bullet that it is nested in or, just after it, to one without a value."""
        blocks = self.open[-1].blocks
        if token.type == "html_block":
            self._add(TextBlock(token.content, _line(token), is_html=True, is_quoted=self.quotes > 0))
            return
        code = Cell(token.content, _line(token))
        bullet = next((block for block in reversed(blocks) if isinstance(block, Bullet)), None)
        is_nested = token.level - self.quotes > 0
        if bullet and bullet.code is None and (is_nested or (bullet is blocks[-1] and not bullet.value.raw)):
            blocks[blocks.index(bullet)] = replace(bullet, code=code)
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


def _parts(content: str, *, is_item: bool) -> list[tuple[str, int, bool]]:
    """A paragraph's labelled lines and the texts between them, each with its offset and whether it is a bullet.

    A label inside a quote that is still open is a part of the quoted text. The lines below a bullet continue its text.
    """
    parts: list[tuple[str, int, bool]] = []
    for offset, text in enumerate(content.split("\n")):
        follows = parts[-1][2] if parts else is_item
        is_labelled = text.startswith("**") or _MARKED_LABEL.match(text) is not None
        is_labelled = is_labelled or (follows and _PLAIN_LABEL.fullmatch(text) is not None)
        continues = bool(parts) and (is_open(parts[-1][0]) or (not is_labelled and (is_item or not follows)))
        if continues:
            before, start, is_bullet = parts[-1]
            parts[-1] = (f"{before}\n{text}", start, is_bullet)
        else:
            parts.append((text, offset, is_labelled or (is_item and offset == 0)))
    return parts


def read_label(content: str, line: int) -> Bullet:
    """A text as a bullet: its label, if it has one, and its value."""
    content = _TASK.sub("", content)
    match = _BOLD_LABEL.fullmatch(content) or _MARKED_LABEL.fullmatch(content)
    if match and not match["value"]:
        match = _PLAIN_LABEL.fullmatch(match["name"]) or match  # **Seed: 7**
    match = match or _PLAIN_LABEL.fullmatch(content)
    if match is None:
        return Bullet("", Cell(content.strip(), line), line)
    parts = match.groupdict()
    if parts.get("bare"):
        return Bullet(plain(parts["bare"].strip()), Cell("", line), line)
    remark = (parts.get("remark") or "").strip(" ()")
    return Bullet(plain(parts["name"].strip()), Cell(parts["value"].strip(), line), line, remark=remark)
