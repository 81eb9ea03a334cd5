"""What the readers of the page's sections share: the list of problems, and columns by name."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.core.markdown import Row, Table
from tunebook.core.parameters import ParameterTable, suggestion
from tunebook.errors import Problem

__all__ = ["Reader"]


class Reader:
    """Collects the problems of one file, and the keys of parameters that could not be read."""

    def __init__(self, file: str, parameters: ParameterTable) -> None:
        self.file = file
        self.parameters = parameters
        self.problems: list[Problem] = []
        self.unreadable: set[str] = set()

    def problem(self, message: str, line: int | None, hint: str = "") -> None:
        """Notes a problem; reading goes on."""
        self.problems.append(Problem(message, self.file, line, hint))

    def columns(
        self, table: Table, known: Sequence[str], *, required: Sequence[str], extra: Sequence[str] = ()
    ) -> dict[str, int] | None:
        """Column name (lower case) to index; unknown, repeated and missing columns are problems.

        Returns ``None`` if a required column is missing, since the rows cannot be read then.
        """
        allowed = {name.lower() for name in (*known, *extra)}
        found: dict[str, int] = {}
        for index, cell in enumerate(table.header):
            name = " ".join(cell.text.lower().split())
            if name in found:
                self.problem(f"column `{cell.text}` appears twice", cell.line)
            elif name in allowed:
                found[name] = index
            elif name:
                self.problem(f"unknown column `{cell.text}`", cell.line, suggestion(cell.text, (*known, *extra)))
        missing = [name for name in required if name.lower() not in found]
        for name in missing:
            self.problem(f"the table has no column `{name}`", table.line, "columns: " + ", ".join(known))
        return None if missing else found

    def optional(self, row: Row, columns: dict[str, int], name: str) -> str | None:
        """The text of a cell that may be absent or empty."""
        index = columns.get(name)
        return None if index is None or row.cells[index].is_empty else row.cells[index].text
