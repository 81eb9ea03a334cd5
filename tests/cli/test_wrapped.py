"""Texts and tables on a terminal: lines break between words, and a table that is too wide is shown below each other."""

from __future__ import annotations

import pytest
from rich.text import Text

from tunebook.cli.wrapped import in_columns, wrapped

PATH = "/scratch/gpfs/LAB/models/Llama-3.2-1B-Instruct"
TITLES = ("Run", "State", "Notes")


def lines(text: str, width: int) -> list[str]:
    return wrapped(Text(text), width).plain.split("\n")


def table(*rows: tuple[str, ...], width: int | None, labelled: bool = False) -> list[str]:
    cells = [[Text(cell) for cell in row] for row in rows]
    return [line.plain for line in in_columns(cells, titles=TITLES, width=width, labelled=labelled)]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("short", 11, ["short"]),
        ("two words and more", 11, ["two words", "and more"]),
        (f"no model in {PATH} at all", 11, ["no model in", PATH, "at all"]),
        ("• a finding that goes on", 12, ["• a finding", "  that goes", "  on"]),
        ("    → do what is said here", 20, ["    → do what is", "      said here"]),
        ("see `tunebook check --deep` first", 11, ["see", "`tunebook check --deep`", "first"]),
        ("one\n\ntwo", 11, ["one", "", "two"]),
    ],
)
def test_lines_break_between_words_and_stand_below_the_first(text: str, width: int, expected: list[str]) -> None:
    assert lines(text, width) == expected


def test_columns_stand_beside_each_other_where_they_fit() -> None:
    assert table(("rank8", "failed", "out of memory"), width=40) == [
        "Run    State   Notes",
        "rank8  failed  out of memory",
    ]


def test_a_long_last_cell_has_several_lines_and_no_name_is_broken() -> None:
    shown = table(("Llama-3.2-1B_rank8", "failed", "out of memory on the second node"), width=44)
    assert shown == [
        "Run                 State   Notes",
        "Llama-3.2-1B_rank8  failed  out of memory on",
        "                            the second node",
    ]


def test_an_empty_column_takes_no_space() -> None:
    assert table(("rank8", "running", ""), width=40) == ["Run    State", "rank8  running"]


def test_a_table_that_cannot_fit_is_shown_below_each_other() -> None:
    row = ("Llama-3.2-1B-Instruct_rank8", "failed", "out of memory")
    assert table(row, width=30) == [row[0], "    failed  out of memory"]
    assert table(row, width=30, labelled=True) == [row[0], "    State: failed", "    Notes: out of memory"]


def test_a_row_of_a_file_is_one_line() -> None:
    notes = "out of memory " * 30
    assert table(("rank8", "failed", notes), width=None)[1] == f"rank8  failed  {notes}".rstrip()


def test_a_table_without_rows_or_contents_has_no_lines() -> None:
    assert table(width=40) == []
    assert table(("", "", ""), width=40) == []
