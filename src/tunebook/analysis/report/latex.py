"""Tables for papers: booktabs, with every special character of LaTeX escaped. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tunebook.analysis.formatting import MISSING
from tunebook.analysis.report.content import Cell, Column, Content, Table

__all__ = ["escape", "latex_tables"]

_LEFT_OUT: dict[str, tuple[str, ...]] = {  # columns, by the beginning of a table's key
    "scores": ("best", "p:best", "log"),
    "effects": ("test", "family", "verdict"),
    "seeds": (),
}
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "[": "{[}",
    "]": "{]}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "×": r"$\times$",
    "−": "$-$",
    "η": r"$\eta$",
    "²": "$^2$",
    "–": "--",
    "…": r"\dots{}",
}


def escape(value: str) -> str:
    """A value as text of LaTeX: one line, no command, no control character."""
    words = " ".join(value.split())
    return "".join(_SPECIAL.get(character, character) for character in words if character.isprintable())


def latex_tables(content: Content) -> dict[str, str]:
    r"""File name to a ``table``: the scores of each measure of each task, settings over seeds, and the effects.

    They need ``\usepackage{booktabs}`` and, for ``"``, a T1 font encoding.
    """
    found = {}
    for key, table in content.tables().items():
        kind = key.partition("-")[0]
        if kind in _LEFT_OUT:
            found[f"{key}.tex"] = _latex(table.without(*_LEFT_OUT[kind]))
    return found


def _latex(table: Table) -> str:
    columns: list[list[str]] = []
    alignment = ""
    for column in table.columns:
        found = _columns(column, [row.get(column.key, Cell()) for row in table.rows])
        columns += found
        alignment += ("r" if column.is_number else "l") * len(found)
    header, *body = zip(*columns, strict=True)
    caption = f"{escape(table.label)}. {escape(table.caption)}"
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{caption}}}",
        rf"  \label{{tab:{_label(table.label)}}}",
        rf"  \begin{{tabular}}{{{alignment}}}",
        r"    \toprule",
        f"    {_line(header)}",
        r"    \midrule",
        *(f"    {_line(row)}" for row in body),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _columns(column: Column, cells: Sequence[Cell]) -> list[list[str]]:
    """A column, title first: a unit goes into the title, and intervals are a column of their own."""
    unit = next((cell.unit for cell in cells if cell.unit), "")
    texts, details = [column.title], [column.detail]
    if unit:
        texts = [f"{column.title} ({unit})"]
    for cell in cells:
        texts.append(escape(cell.text.removesuffix(f" {unit}")))
        details.append(escape((cell.detail or MISSING).removesuffix(f" {unit}")))
    texts[0], details[0] = escape(texts[0]), escape(details[0])
    return [texts, details] if column.has_interval else [texts]


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _label(text: str) -> str:
    return re.sub("[^A-Za-z0-9]", "-", text)
