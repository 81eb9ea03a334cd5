"""Texts that took quadratic or cubic time, each by the function that reads them; and what these functions return."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from stress.growth import Shape, growth_of
from stress.text_functions import TextFunction
from tunebook.analysis.collect.numbers import first_number
from tunebook.artifacts.output import last_lines
from tunebook.core.hypothesis_grammar import HypothesisError, parse_hypothesis
from tunebook.core.markdown.blocks import Cell, plain
from tunebook.core.markdown.labels import read_label
from tunebook.core.markdown.marks import leading_code, without_comments, without_ticks
from tunebook.core.markdown.quotes import literal
from tunebook.core.markdown.text import prose
from tunebook.core.numbers import number, without_equal
from tunebook.core.plan.evaluation_plan import parse_epochs
from tunebook.core.plan.overview import tool_names
from tunebook.core.quoting import escape_interpolation
from tunebook.core.site_values import is_placeholder, normalized, written_value
from tunebook.core.units import minutes, read_duration
from tunebook.design.documents import Node, Place, assignments, levels
from tunebook.design.preserve import with_own_sections
from tunebook.errors import UsageError
from tunebook.tools.inspect.task_source import _parsed


def with_error(call: Callable[[Any], Any], value: Any) -> None:
    """Calls a function that refuses the value."""
    with suppress(UsageError, SyntaxError):
        call(value)


_HARD: dict[str, tuple[Callable[[str], Any], Shape]] = {
    "a bold label without end": (lambda text: read_label(text, 1), Shape("**", " ", "x")),
    "a marked label without end": (lambda text: read_label(text, 1), Shape("_a", " ", "x")),
    "a plain label without a sign": (lambda text: read_label(text, 1), Shape("a", " ", "x")),
    "a code span without end": (literal, Shape("", "`", "a")),
    "code spans of other lengths": (lambda text: Cell(text, 1).value, Shape("", "``a`", "x")),
    "an exact text with blanks": (literal, Shape('"a"', " ", "x")),
    "comments that are not closed": (without_comments, Shape("", "<!--", "")),
    "ticks at the end": (prose, Shape("a", "✓ ", "")),
    "verified ticks that are none": (plain, Shape("a", "✓ verified ", "x")),
    "sections of a person's own": (lambda text: with_own_sections(text, "# Experiment: x\n"), Shape("", "# a\n", "")),
    "a duration without a unit": (minutes, Shape("", "1", "x")),
    "a duration with words before it": (read_duration, Shape("about ", " about ", "x")),
    "a number without end": (number, Shape("", "1", "x")),
    "the same number in parentheses": (without_equal, Shape("2 (=", " ", "2")),
    "backslashes": (escape_interpolation, Shape("", "\\", "x")),
    "epochs": (parse_epochs, Shape("0", " ", "x")),
    "tool names": (tool_names, Shape("a", " ", "b")),
    "a value with remarks": (lambda text: written_value(Cell(text, 1)), Shape("x", " (a", "x")),
    "a placeholder": (lambda text: is_placeholder("account", text), Shape("", "<a>", "\n")),
    "a list of mail types": (lambda text: normalized("mail_type", text), Shape("a", " ", "b")),
    "a hypothesis with remarks": (parse_hypothesis, Shape("a > b", " (c)", "")),
    "a hypothesis with signs": (parse_hypothesis, Shape("a", "=", "b within 1")),
    "a hypothesis of many terms": (parse_hypothesis, Shape("a", ", b=1", " = c within 1")),
    "a hypothesis with a name": (parse_hypothesis, Shape("**", "\t", "x")),
    "a design's pairs": (lambda text: assignments(Node(text, Place())), Shape("a,", " ", "x")),
    "a design's pair without a name": (lambda text: with_error(assignments, Node(text, Place())), Shape("", " ", "")),
    "a script in no language": (lambda text: with_error(_parsed, text), Shape("{", "<!--", "")),
    "a design's words": (lambda text: levels(Node(text, Place())), Shape("a", " ", "b,c")),
    "the number of an answer": (first_number, Shape("", "−", "x")),
}


@pytest.mark.parametrize("name", _HARD)
def test_the_time_grows_with_the_text_only(name: str) -> None:
    call, shape = _HARD[name]
    found = growth_of(TextFunction(name, call), [shape], longest=6_400)
    assert found is None, str(found)


def test_the_last_lines_of_an_output_are_read_whatever_they_are_made_of(tmp_path: Any) -> None:
    path = tmp_path / "job.out"
    for piece in ("1", "\x1b]", "\x1b[", "\r", "9%"):
        function = TextFunction(piece, lambda text: (path.write_text(text), last_lines(str(path))))
        found = growth_of(function, [Shape("", piece, "\nRuntimeError: x")], longest=25_600)
        assert found is None, str(found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`a` b", ("`a`", "a", " b")),
        ("``a`b``", ("``a`b``", "a`b", "")),
        ("`a``b`", ("`a``b`", "a``b", "")),
        ("``a`", None),
        ("`a", None),
        ("a `b`", None),
    ],
)
def test_a_code_span_ends_at_as_many_backticks_as_it_begins_with(text: str, found: tuple[str, ...] | None) -> None:
    assert leading_code(text) == found


@pytest.mark.parametrize(
    ("text", "most", "found"),
    [
        ("a ✓", 1, "a"),
        ("a ✓ verified ", 1, "a"),
        ("a ✔\ufe0f Verified", 1, "a"),
        ("a ✓ ✓", 1, "a ✓"),
        ("a ✓ ✓ verified ✅", None, "a"),
        ("✓", None, "✓"),
        ("✓ ✓", None, "✓"),
        ("verified", None, "verified"),
        ("a ✓ b", None, "a ✓ b"),
    ],
)
def test_ticks_at_the_end_are_left_out(text: str, most: int | None, found: str) -> None:
    assert without_ticks(text, most=most) == found


def test_comments_are_left_out_and_one_without_end_stays() -> None:
    assert without_comments("a<!-- b -->c<!--\n-->d<!-- e") == "acd<!-- e"


@pytest.mark.parametrize(
    ("text", "name", "value", "remark"),
    [
        ("**Seed:** 7", "Seed", "7", ""),
        ("**Seed : ** 7", "Seed", "7", ""),
        ("**Seed** (all): 7", "Seed", "7", "all"),
        ("**Seed** (all) 7", "Seed", "(all) 7", ""),
        ("**Seed: 7**", "Seed", "7", ""),
        ("***Seed:*** 7", "Seed", "7", ""),
        ("*Seed* = 7", "Seed", "7", ""),
        ("_Seed:_ 7", "Seed", "7", ""),
        ("__Seed__: 7", "Seed", "7", ""),
        ("`seed` = 7", "seed", "7", ""),
        ("Seed: 7", "Seed", "7", ""),
        ("Seed = 7 = 8", "Seed", "7 = 8", ""),
        ("Seed:", "Seed", "", ""),
        ("*word* and text", "", "*word* and text", ""),
        ("hf:name", "", "hf:name", ""),
        ("= 7", "", "= 7", ""),
        ("**", "", "**", ""),
        ("** 7", "", "** 7", ""),
    ],
)
def test_a_label_is_read_in_every_spelling(text: str, name: str, value: str, remark: str) -> None:
    bullet = read_label(text, 1)
    assert (bullet.name, bullet.value.raw, bullet.remark) == (name, value, remark)


@pytest.mark.parametrize(
    ("text", "contrast", "words"),
    [
        ("a > b — because", "a > b", "because"),
        ("a > b (one) (two).", "a > b", "one two"),
        ("a > b (one - two)", "a > b", "one - two"),
        ("a > b - one (two)", "a > b", "one (two)"),
        ("a > b (one) — two", "a > b", "one two"),
        ("a > `b (c)`", "a > `b (c)`", ""),
    ],
)
def test_remarks_behind_a_contrast_are_its_words(text: str, contrast: str, words: str) -> None:
    found = parse_hypothesis(text)
    assert (found.contrast, found.words) == (contrast, words)


def test_the_equals_sign_that_compares_leaves_one_in_each_term() -> None:
    found = parse_hypothesis("rank=8, lr=1 = lr=2 within 5 points")
    assert [len(side) for side in (found.left, found.right)] == [2, 1]
    assert len(parse_hypothesis("rank=8 = rank=16 within 5 points").left) == 1
    with pytest.raises(HypothesisError, match="2 ways"):
        parse_hypothesis("a = b = c within 1")


@pytest.mark.parametrize(
    ("text", "found"),
    [("1.", 1.0), (".5", 0.5), ("1.5e3", 1500.0), ("1e", None), ("1..2", None), ("12", 12)],
)
def test_numbers_are_read(text: str, found: float | None) -> None:
    assert number(text) == found


def test_values_with_remarks_and_equal_numbers_are_read() -> None:
    assert without_equal("2e-4 (0.0002)") == "2e-4"
    assert without_equal("2e-4 (= 0.0002)") == "2e-4"
    assert without_equal("2e-4 (0.002)") == "2e-4 (0.002)"
    assert written_value(Cell("gpu (a) (b)", 1)) == "gpu"
    assert written_value(Cell("(none) (yet)", 1)) == ""
    assert written_value(Cell("none (yet)", 1)) == ""
    assert parse_epochs("0 , 2 and 3-4") == (0, 2, 3, 4)
    assert tool_names("inspect-ai , lm-eval and x") == ("inspect-ai", "lm-eval", "x")
