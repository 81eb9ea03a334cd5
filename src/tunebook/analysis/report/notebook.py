"""The report in a notebook: findings and runs as HTML, every text escaped. Pure."""

from __future__ import annotations

from html import escape

from tunebook.analysis.formatting import significance_mark
from tunebook.analysis.report.content import Content, Table

__all__ = ["notebook_html"]

_MOST_ROWS = 30


def notebook_html(content: Content) -> str:
    """A heading, the findings, what is missing, and one row per run with its factors, loss and scores."""
    parts = [f"<h3>{escape(content.name)}</h3>"]
    if content.question:
        parts.append(f"<p><em>{escape(content.question)}</em></p>")
    items = [f"<li>{significance_mark(item.significant)} {escape(item.text)}</li>" for item in content.findings]
    if items:
        parts.append(f'<ul style="list-style:none;padding-left:0">{"".join(items)}</ul>')
    else:
        parts.append("<p>No findings.</p>")
    if not content.is_finished:
        parts.append(f"<p>{escape(content.status)} <code>.analysis.gaps</code> lists what is missing.</p>")
    runs = content.tables()["runs"].select("run", "factor", "score", "loss")
    return "".join(parts) + _table(runs)


def _table(table: Table) -> str:
    """The first rows; the details of a column are a column of their own."""
    header: list[str] = []
    for column in table.columns:
        header += filter(None, (column.title, column.detail))
    lines = [_row("th", header)]
    for row in table.rows[:_MOST_ROWS]:
        texts: list[str] = []
        for column, cell in table.cells(row):
            texts.append(cell.text)
            if column.detail:
                texts.append(cell.detail)
        lines.append(_row("td", texts))
    more = ""
    if len(table.rows) > _MOST_ROWS:
        more = f"<p>{len(table.rows) - _MOST_ROWS} more in <code>.runs</code>.</p>"
    return f"<table>{''.join(lines)}</table>{more}"


def _row(tag: str, texts: list[str]) -> str:
    cells = "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)
    return f"<tr>{cells}</tr>"
