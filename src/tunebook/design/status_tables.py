"""The rows of a plan's status tables: which run, or which evaluation, each is about. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.core.markdown import MarkdownSection, Row, Table, parse_markdown

__all__ = ["RowKey", "column_names", "keyed_rows", "status_section", "submitted"]

_LEVEL = 2

RowKey = tuple[str, ...]
"""The run; or the run, the task and the zero-based epoch, which is empty for a model that is not trained."""


def status_section(text: str) -> MarkdownSection | None:
    """``## Status``, if the plan has it."""
    for part in parse_markdown(text).walk():
        if part.level == _LEVEL and part.title.lower() == "status":
            return part
    return None


def column_names(table: Table) -> list[str]:
    """The header in lower case."""
    return [" ".join(cell.text.lower().split()) for cell in table.header]


def keyed_rows(section: MarkdownSection | None) -> Iterator[tuple[RowKey, Row]]:
    """The rows of the status tables in a section."""
    for key, row, _ in _rows(section):
        yield key, row


def _rows(section: MarkdownSection | None) -> Iterator[tuple[RowKey, Row, list[str]]]:
    if section is None:
        return
    for part in section.walk():
        for table in part.tables:
            names = column_names(table)
            if "run name" not in names or "status" not in names:
                continue
            wanted = [names.index(name) for name in ("run name", "task", "epoch") if name in names]
            for row in table.rows:
                texts = ["" if row.cells[index].is_empty else row.cells[index].text for index in wanted]
                yield tuple(texts), row, names


def submitted(text: str) -> tuple[frozenset[str], bool]:
    """The runs whose training was submitted, as the plan's status says, and whether any evaluation was."""
    trained: set[str] = set()
    is_evaluated = False
    for key, row, names in _rows(status_section(text)):
        cells = [row.cells[index] for index, name in enumerate(names) if name in {"status", "job id"}]
        if all(cell.is_empty or cell.text == "pending" for cell in cells):
            continue
        if len(key) == 1:
            trained.add(key[0])
        else:
            is_evaluated = True
    return frozenset(trained), is_evaluated
