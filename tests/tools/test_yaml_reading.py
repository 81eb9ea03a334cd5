"""YAML that anyone may have written: no text ends the process, or makes more of itself than it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import yaml

from tunebook.errors import PlanError
from tunebook.tools.runtime.yaml_reading import DEEPEST, compose_yaml, load_yaml
from tunebook.tools.yaml_text import yaml_lines

ALIASES = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10) if n else 'x'}]" for n in range(30))
TOO_DEEP = {
    "brackets": "[" * 20_000,
    "braces": "{a: " * 20_000,
    "dashes": "- " * 20_000 + "a",
    "keys": "? " * 20_000 + "a",
    "lines": "\n".join(" " * depth + "a:" for depth in range(3000)),
}


_CHILD = """
import sys, yaml
from tunebook.tools.runtime.yaml_reading import compose_yaml, load_yaml
text = sys.stdin.read()
for read in (compose_yaml, load_yaml):
    try:
        read(text)
    except yaml.MarkedYAMLError as error:
        print(error.problem, error.problem_mark.line >= 0)
"""


@pytest.mark.parametrize("text", TOO_DEEP.values(), ids=TOO_DEEP)
def test_yaml_that_is_nested_too_deeply_is_an_error_with_a_line(text: str) -> None:
    child = subprocess.run([sys.executable, "-c", _CHILD], input=text, capture_output=True, text=True, check=False)
    assert (child.returncode, child.stdout) == (0, f"it is nested deeper than {DEEPEST} levels True\n" * 2)


def test_yaml_nested_to_the_bound_is_read() -> None:
    assert str(load_yaml("[" * DEEPEST + "]" * DEEPEST)).count("[") == DEEPEST


@pytest.mark.parametrize("read", [compose_yaml, load_yaml])
@pytest.mark.parametrize(
    ("text", "problem"),
    [(ALIASES, "repeat too many values"), ("a: &a [*a]", "refers to itself"), ("&a {<<: *a}", "refers to itself")],
    ids=["aliases of aliases", "a list in itself", "a mapping merged into itself"],
)
def test_aliases_that_grow_without_bound_are_an_error(read: Callable[[str], object], text: str, problem: str) -> None:
    with pytest.raises(yaml.YAMLError, match=problem):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        *('!!int ""', '!!float ""', "!!bool x", "!!timestamp x", "2024-99-99", "a: " + "9" * 5000, "0x" + "f" * 300),
        *("\udcff", "a: \0", '"\\ud800"', "? [a]\n: b", '!!binary "x"', "!!python/object:os.system x", "*a", "<<: 1"),
    ],
    ids=ascii,
)
def test_a_value_that_does_not_fit_its_form_is_a_yaml_error(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml(text)


def test_long_block_text_and_many_brackets_are_no_depth() -> None:
    text = "a: |\n" + "".join(f"{' ' * 80}[[[[ {{ - - \n" for _ in range(100))
    assert load_yaml(text)["a"].count("[") == 400


def test_a_path_that_yaml_cannot_hold_is_an_error_that_shows_it() -> None:
    with pytest.raises(PlanError, match=r"'/data/\\udcff' has bytes that are not UTF-8"):
        list(yaml_lines({"path": "/data/\udcff"}))
