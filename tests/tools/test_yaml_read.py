"""Reading key by key gives what reading the whole text gives, or the same refusal."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tunebook.tools.runtime.yaml_reading import load_yaml
from tunebook.tools.yaml_read import read_mapping

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
KEYS = st.from_regex(r"[A-Za-z_]\w{0,5}", fullmatch=True) | st.text(max_size=5)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
LINES = [
    "a: 1",
    "b: [1, 2",
    "  3]",
    "c:",
    "- x",
    "  d: &here 2",
    "e: *here",
    "f: |",
    "  text",
    'g: "open',
    'shut"',
    "h: 'x: y'",
    "a: 2",
    "# note",
    "",
    "---",
    "...",
    "- - 1",
    "'i': 1",
    "? j",
    ": 1",
    "k: plain",
    "  goes on",
    "l: x # note",
    "m: >+",
    "%YAML 1.1",
    "<<: {n: 1}",
    "o: x\u2028p: y",
    "q:\tz",
    "true: 1",
    "yes: 2",
    "r: 2024-01-01",
    "s: ${t}",
    "{}",
]


def answer(read: Any, text: str) -> tuple[str, object]:
    try:
        return "value", read(text)
    except yaml.YAMLError:
        return "refused", None


@given(st.dictionaries(KEYS, VALUES, max_size=5), st.sampled_from([False, None]))
def test_what_is_dumped_is_read(values: dict[str, object], flow: bool | None) -> None:
    text = yaml.safe_dump(values, allow_unicode=True, sort_keys=False, default_flow_style=flow)
    for _ in range(2):  # the second time from memory
        assert read_mapping(text) == load_yaml(text)


@given(st.lists(st.sampled_from(LINES), max_size=7), st.sampled_from(["", "\n"]))
def test_any_order_of_lines_is_read_as_a_whole_or_refused(lines: list[str], end: str) -> None:
    text = "\n".join(lines) + end
    whole, found = answer(load_yaml, text), answer(read_mapping, text)
    if whole == ("value", None):  # comments only
        assert found[1] in (None, {})
    else:
        assert found == whole
        assert repr(found) == repr(whole)


@pytest.mark.parametrize("text", ["", "# only\n", "a: 1\na: 2\n", "a: [" * 200])
def test_unusual_texts(text: str) -> None:
    assert answer(read_mapping, text) == answer(load_yaml, text)


def test_values_keep_their_types() -> None:
    assert repr(read_mapping("a: 1\n")) == "{'a': 1}"
    assert repr(read_mapping("a: 1.0\n")) == "{'a': 1.0}"
    assert repr(read_mapping("a: true\n")) == "{'a': True}"
    assert repr(read_mapping("a: '1'\n")) == "{'a': '1'}"


@pytest.mark.parametrize("mark", ["|", ">", "|+", "|-", ">+"])
def test_a_block_of_text_keeps_its_last_line_break(mark: str) -> None:
    text = f"a:\n  prompt: {mark}\n    Answer.\n\nb: 1\n"
    assert read_mapping(text) == load_yaml(text)


def test_an_anchor_that_two_parts_define_is_refused_as_in_the_whole_text() -> None:
    text = "a: &x 1\nb: &x 2\n"
    assert _outcome(read_mapping, text) == _outcome(load_yaml, text)


def _outcome(read: Any, text: str) -> Any:
    try:
        return read(text)
    except yaml.YAMLError:
        return "refused"
