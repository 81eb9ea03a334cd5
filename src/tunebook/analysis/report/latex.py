r"""Tables for papers: booktabs, as wide as the text of ``article``, with every special character escaped. Pure.

A table of few rows is a ``table``; a longer one a ``longtable``, which breaks over pages. The letters are as small as
the columns need, and what does not fit upright lies on its side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tunebook.analysis.formatting import MISSING
from tunebook.analysis.report.content import Cell, Column, Content, Table

__all__ = ["escape", "latex_tables"]

_LEFT_OUT: dict[str, tuple[str, ...]] = {  # columns, by the beginning of a table's key
    "scores": ("best", "p:best", "log", "logged", "missing", "no_answer"),
    "effects": ("task", "test", "family", "verdict"),
    "seeds": ("task", "measure"),
}
_COMMAND = re.compile(r"\\[A-Za-z]+(?:\{\})?|\\(?=[%&#_{}$])")  # one letter on paper, or none
_LONGEST_TITLE = 12  # letters of a title in one line
_MOST_ROWS = 35  # of a table on one page
_SIZES = {70: r"\small", 86: r"\footnotesize", 102: r"\scriptsize"}  # by the letters of the widest row
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
    "±": r"$\pm$",
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
    r"""File name to a table: the scores of each measure of each task, settings over seeds, and the effects.

    They need ``\usepackage{booktabs,longtable,pdflscape}`` and, for ``"``, a T1 font encoding.
    """
    found = {}
    for key, table in content.tables().items():
        kind = key.partition("-")[0]
        if kind in _LEFT_OUT:
            found[f"{key}.tex"] = _latex(_for_paper(table, kind))
    return found


def _for_paper(table: Table, kind: str) -> Table:
    """The table with the columns that a paper shows."""
    table = table.without(*_LEFT_OUT[kind])
    if kind == "seeds":
        return _with_deviations(table)
    if kind == "scores" and _identifies_rows(table):
        note = f"{table.note} Rows without levels are base models."
        return replace(table.without("run"), note=note.strip())
    return table


def _identifies_rows(table: Table) -> bool:
    """Whether the factors' levels and the epoch tell all rows apart, so that a run's name says nothing more."""
    shown = table.select("factor", "epoch")
    rows = [tuple(cell.value for _, cell in shown.cells(row)) for row in table.rows]
    return len(set(rows)) == len(rows) and any(column.key.startswith("factor") for column in shown.columns)


def _with_deviations(table: Table) -> Table:
    """Each mean with its standard deviation over the seeds in one column."""
    rows: list[Mapping[str, Cell]] = []
    for row in table.rows:
        mean, deviation = row.get("mean", Cell()), row.get("deviation", Cell())
        text = mean.text
        if deviation.value:
            apart = deviation.text.removesuffix(f" {deviation.unit}")
            text = f"{mean.text.removesuffix(f' {mean.unit}')} ± {apart}"
        rows.append({**row, "mean": replace(mean, text=text)})
    columns = [replace(each, title="Mean ± SD") if each.key == "mean" else each for each in table.columns]
    return replace(table, rows=tuple(rows), columns=tuple(columns)).without("deviation")


def _latex(table: Table) -> str:
    columns: list[list[str]] = []
    alignment = ""
    for column in table.columns:
        found = _columns(column, [row.get(column.key, Cell()) for row in table.rows])
        columns += found
        alignment += ("r" if column.is_number else "l") * len(found)
    header, *body = zip(*columns, strict=True)
    letters = sum(map(_width, columns)) + 2 * len(columns)
    caption = rf"\caption{{{escape(table.label)}. {escape(table.caption)}}}\label{{tab:{_label(table.label)}}}"
    made = _long if len(body) > _MOST_ROWS else _short
    lines = list(made(alignment, caption, list(map(_stacked, header)), body))
    return "\n".join(_sized(lines, letters)) + "\n"


def _width(column: Sequence[str]) -> int:
    """The letters of the widest cell; a title may have two lines."""
    title, *texts = column
    return max(len(_COMMAND.sub("x", text)) for text in (*_halves(title), *texts))


def _halves(title: str) -> list[str]:
    """A long title in two lines, broken at the space that is nearest to its middle."""
    spaces = [place for place, letter in enumerate(title) if letter == " "]
    if len(title) <= _LONGEST_TITLE or not spaces:
        return [title]
    middle = min(spaces, key=lambda place: abs(place - len(title) / 2))
    return [title[:middle], title[middle + 1 :]]


def _stacked(title: str) -> str:
    halves = _halves(title)
    if len(halves) == 1:
        return title
    return rf"\shortstack{{{halves[0]}\\{halves[1]}}}"


def _short(alignment: str, caption: str, header: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from (r"\begin{table}[htbp]", r"\centering", caption, rf"\begin{{tabular}}{{@{{}}{alignment}@{{}}}}")
    yield from (r"\toprule", _line(header), r"\midrule", *map(_line, body), r"\bottomrule", r"\end{tabular}")
    yield r"\end{table}"


def _long(alignment: str, caption: str, header: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    """The header is repeated on each page."""
    yield rf"\begin{{longtable}}{{@{{}}{alignment}@{{}}}}"
    yield from (rf"{caption}\\", r"\toprule", _line(header), r"\midrule", r"\endfirsthead")
    yield from (r"\toprule", _line(header), r"\midrule", r"\endhead", r"\bottomrule", r"\endlastfoot")
    yield from map(_line, body)
    yield r"\end{longtable}"


def _sized(lines: list[str], letters: int) -> list[str]:
    r"""The table in the largest letters that fit into ``\textwidth``; on its side if none do."""
    size = next((size for most, size in _SIZES.items() if letters <= most), "")
    setup = [r"\begingroup", rf"{size or list(_SIZES.values())[-1]}\setlength{{\tabcolsep}}{{3pt}}"]
    table = [*setup, *lines, r"\endgroup"]
    return table if size else [r"\begin{landscape}", *table, r"\end{landscape}"]


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
    return re.sub("[^A-Za-z0-9]+", "-", text).strip("-")
