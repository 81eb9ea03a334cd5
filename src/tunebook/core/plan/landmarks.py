"""The parts without which a text is not a plan: they tell a whole plan from one that an editor is still writing."""

from __future__ import annotations

from tunebook.core.markdown import parse_markdown
from tunebook.core.plan.all_runs import AllRunsSection

__all__ = ["RUNS_TABLE", "TITLE", "landmarks"]

TITLE = "title"
RUNS_TABLE = "runs table"


def landmarks(text: str) -> frozenset[str]:
    """Which of :data:`TITLE` and :data:`RUNS_TABLE` a text has."""
    found = set()
    runs = AllRunsSection()
    for heading in parse_markdown(text).walk():
        if heading.level == 1 and heading.title.strip():
            found.add(TITLE)
        if runs.is_titled(heading.title) and any(table.rows for part in heading.walk() for table in part.tables):
            found.add(RUNS_TABLE)
    return frozenset(found)
