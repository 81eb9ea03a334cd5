"""Texts at the edge of what a number, a duration, a path or a character can be: an answer or an error."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.plans import EXAMPLE, problems_of
from tunebook.artifacts.metrics import parse_metrics
from tunebook.core.json_text import UNFIT, finite_number, parse_json
from tunebook.core.markdown import literal
from tunebook.core.paths import expanded, path_problem
from tunebook.core.site_reading import parse_site
from tunebook.core.units import clock_minutes, megabytes, minutes, read_duration, spoken_minutes

DIGITS = "9" * 5000


@pytest.mark.parametrize("text", [DIGITS, f"1:{DIGITS}", f"{DIGITS}-00:00:00", "9" * 400, "99999999999-00:00:00"])
def test_a_time_of_hundreds_of_digits_is_no_duration(text: str) -> None:
    assert clock_minutes(text) is None
    assert read_duration(f"{text} h") is None
    assert minutes(f"{text} min") is None


def test_a_size_of_thousands_of_digits_is_no_size() -> None:
    assert megabytes(f"{DIGITS}G") == 0.0


def test_the_longest_duration_that_is_read_can_be_written() -> None:
    longest = minutes("999999999 min")
    assert longest is not None
    assert spoken_minutes(longest)


@pytest.mark.parametrize("text", ['"\\ud800"', '"a\\udcffb"', "“\\udc80”"], ids=ascii)
def test_half_a_character_in_a_quoted_text_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is half a character"):
        literal(text)


def test_the_home_of_an_unknown_user_stays_as_it_is_written() -> None:
    assert expanded("~nobody-of-this-name/x") == "~nobody-of-this-name/x"


def test_a_path_with_half_a_character_has_a_length() -> None:
    name = "\udcff"
    assert path_problem(f"/a/{name}") == ("", "")
    assert "longer than 255 bytes" in path_problem(f"/{name * 100}")[0]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, DIGITS, "[" + DIGITS + "]"], ids=lambda text: text[:3]
)
def test_json_beyond_every_bound_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"nested too deeply|Exceeds the limit|integer"):
        parse_json(text)


@pytest.mark.parametrize(
    "read",
    [
        lambda: int(parse_json("1e999")),
        lambda: float(parse_json("1" * 400)),
        lambda: parse_json("[]")["key"],
        lambda: parse_json("{}")["key"],
        lambda: parse_json("1").items(),
    ],
)
def test_every_wrong_shape_of_a_json_value_is_unfit(read: object) -> None:
    assert callable(read)
    with pytest.raises(UNFIT):
        read()


@pytest.mark.parametrize("name", ["experiment_summary.md", "claude.local.md"])
def test_a_byte_that_is_not_utf8_is_an_error_with_its_line_wherever_it_is(name: str) -> None:
    lines = (EXAMPLE / name).read_bytes().split(b"\n")
    for number, line in enumerate(lines):
        changed = [*lines[:number], line + b" /a\xa3/b", *lines[number + 1 :]]
        text = b"\n".join(changed).decode("utf-8", "surrogateescape")
        problems = parse_site(text).errors if name == "claude.local.md" else problems_of(text)
        assert any("UTF-8" in problem.message and problem.line == number + 1 for problem in problems)


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3.0), (0.5, 0.5), (True, None), ("3", None), (10**400, None), (float("nan"), None), (float("inf"), None)],
    ids=str,
)
def test_a_number_that_no_float_can_hold_is_none(value: object, number: float | None) -> None:
    assert finite_number(value) == number


def test_a_step_and_a_loss_of_hundreds_of_digits_are_unreadable_and_not_an_error() -> None:
    many = "9" * 400
    metrics = parse_metrics([f'{{"step": {many}, "loss": 1}}', f'{{"step": 1, "loss": {many}}}'])
    assert metrics.unreadable == 1
    assert [record.loss for record in metrics.records] == [None]


MANY = "9" * 5000


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("train (240)", f"train ({MANY})"),
        ("train (240)", "train (,)"),
        ("**Total Runs:** 9", f"**Total Runs:** {MANY}"),
    ],
)
def test_a_count_that_is_no_number_is_an_error_with_its_line(old: str, new: str, edited: Callable[..., str]) -> None:
    assert any(problem.line for problem in problems_of(edited((old, new))))


@pytest.mark.parametrize("value", [MANY, "²", "0" * 300])
def test_a_memory_of_odd_digits_is_no_traceback(value: str) -> None:
    parse_site(f"# Site\n\n## Compute\n- mem: {value}\n")
