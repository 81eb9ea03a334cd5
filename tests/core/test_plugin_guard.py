"""What a stranger's code raises or returns: an error that names it, and the errors of the contract as they are."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from tunebook.core.plugin_guard import guarded, mismatch, output_aside
from tunebook.errors import PlanError, ToolError


@dataclass(frozen=True)
class Answer:
    name: str
    sizes: tuple[int, ...] = ()


class Contract(Protocol):
    def ask(self, question: str) -> tuple[Answer, ...]: ...

    def optional(self) -> float | None:
        return None


class Plugin(Contract):
    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def ask(self, question: str) -> Any:  # noqa: ARG002
        return self.act()


def raising(error: BaseException) -> Plugin:
    def act() -> None:
        raise error

    return guarded(Plugin(act), Contract, described="the tool `x` of the package y")


@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit(0), RecursionError(), KeyError("k"), OSError("gone")])
def test_what_a_method_raises_names_plug_in_method_error_and_place(error: BaseException) -> None:
    with pytest.raises(ToolError) as caught:
        raising(error).ask("?")
    words = str(caught.value)
    assert words.startswith(f"the tool `x` of the package y failed in `ask`: {type(error).__name__}")
    assert "(test_plugin_guard.py:" in words


@pytest.mark.parametrize("error", [PlanError("wrong plan"), KeyboardInterrupt()])
def test_errors_of_the_contract_and_ctrl_c_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        raising(error).ask("?")
    assert caught.value is error


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "None in place of tuple"),
        ("text", "a str in place of tuple"),
        ([Answer("a")], "a list in place of tuple"),
        ((Answer("a"), 3), "an int in place of Answer"),
        ((Answer(7),), "an Answer whose `name` is an int in place of str"),  # type: ignore[arg-type]
        ((Answer("a", sizes=("b",)),), "an Answer whose `sizes` is a str in place of int"),  # type: ignore[arg-type]
    ],
)
def test_what_a_method_returns_is_held_to_the_contract(value: object, told: str) -> None:
    plugin = guarded(Plugin(lambda: value), Contract, described="the tool `x`")
    with pytest.raises(ToolError) as caught:
        plugin.ask("?")
    assert f"the tool `x` breaks its contract: `ask` returned {told}" in str(caught.value)


def test_a_guarded_plug_in_is_still_of_its_class_and_answers() -> None:
    plugin = guarded(Plugin(lambda: (Answer("a", (1,)),)), Contract, described="x")
    assert isinstance(plugin, Plugin)
    assert plugin.ask("?") == (Answer("a", (1,)),)
    assert plugin.optional() is None


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1, float), (1.5, float | None), ([("a", True)], Sequence[tuple[str, bool]]), ({"a": 1}, Mapping[str, Any]),
        (object(), Any), (None, None), ("a", str), (print, Callable[[], None]), ({}, Mapping[str, int]),
    ],
)  # fmt: skip
def test_values_of_a_type_are_no_mismatch(value: object, wanted: object) -> None:
    assert mismatch(value, wanted) == ""


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (True, float), ("1", float | None), ("ab", Sequence[str]), ([("a",)], Sequence[tuple[str, bool]]),
        ({"a": "b"}, Mapping[str, int]), ([1], Mapping[str, int]), (0, None),
    ],
)  # fmt: skip
def test_values_of_another_type_are_told(value: object, wanted: object) -> None:
    assert " in place of " in mismatch(value, wanted)


def test_the_output_is_back_after_two_threads_have_loaded_plug_ins(capsys: pytest.CaptureFixture[str]) -> None:
    """Each thread would otherwise put back what the other one had set."""
    first_is_in, second_is_in, first_is_out = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with output_aside():
            first_is_in.set()
            second_is_in.wait(timeout=0.5)  # it never comes while this block lasts
        first_is_out.set()

    def second() -> None:
        first_is_in.wait()
        with output_aside():
            second_is_in.set()
            first_is_out.wait(timeout=0.5)

    before = sys.stdout
    with ThreadPoolExecutor(2) as pool:
        loaded = [pool.submit(first), pool.submit(second)]
    for one in loaded:
        one.result()
    assert sys.stdout is before
    with output_aside():
        print("of a plug-in")  # noqa: T201  as plug-ins do
    assert capsys.readouterr() == ("", "of a plug-in\n")
