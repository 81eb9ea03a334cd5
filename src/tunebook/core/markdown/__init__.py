"""Markdown that people edit: its blocks with their lines, values as Markdown, and tables rewritten line by line."""

from tunebook.core.markdown.blocks import (
    Block,
    Bullet,
    Cell,
    MarkdownSection,
    Row,
    Table,
    TextBlock,
    name_key,
    plain,
)
from tunebook.core.markdown.headings import title_key
from tunebook.core.markdown.labels import read_label
from tunebook.core.markdown.lines import TableLine, join_lines, split_lines
from tunebook.core.markdown.marks import without_comments
from tunebook.core.markdown.quotes import literal
from tunebook.core.markdown.text import (
    backtick_fence,
    code_cell,
    code_span,
    escape_cell,
    escape_text,
    fact_line,
    prose,
    quoted,
    table_lines,
    table_row,
)
from tunebook.core.markdown.tree import parse_markdown

__all__ = [
    "Block",
    "Bullet",
    "Cell",
    "MarkdownSection",
    "Row",
    "Table",
    "TableLine",
    "TextBlock",
    "backtick_fence",
    "code_cell",
    "code_span",
    "escape_cell",
    "escape_text",
    "fact_line",
    "join_lines",
    "literal",
    "name_key",
    "parse_markdown",
    "plain",
    "prose",
    "quoted",
    "read_label",
    "split_lines",
    "table_lines",
    "table_row",
    "title_key",
    "without_comments",
]
