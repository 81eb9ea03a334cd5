"""The help of every verb: examples that can be called, and words for values instead of Python's types."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer.main

from support.command_line import TUNEBOOK
from support.make_reference import commands
from support.terminal import Terminal
from tunebook.cli.helped import EXAMPLES
from tunebook.cli.main import app

GROUP: Any = typer.main.get_command(app)
COMMANDS = dict(commands(GROUP))
TOOLS = ("torchtune", "inspect")
NARROW = 40


def help_of(words: str) -> str:
    """What `--help` prints."""
    context = GROUP.make_context("tunebook", [], resilient_parsing=True)
    command = COMMANDS[words]
    return str(command.get_help(command.make_context(f"tunebook {words}", [], parent=context, resilient_parsing=True)))


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_every_help_has_an_example(words: str) -> None:
    shown = help_of(words)
    assert re.search(rf"^  Examples?:\n    tunebook {words.removesuffix(' show')}\b", shown, re.MULTILINE), shown


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_values_have_words_and_no_types(words: str) -> None:
    shown = help_of(words)
    assert not re.search(r"<\w|list\[|\b(INTEGER|FLOAT|range)\b", shown), shown


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_usage_has_brackets_for_what_may_be_left_out_only(words: str) -> None:
    shown = help_of(words)
    assert "{" not in shown.partition("\n\n")[0]
    assert "(default:" not in " ".join(shown.split())


def test_every_example_is_of_a_command_and_can_be_parsed() -> None:
    for words, calls in EXAMPLES.items():
        for call in calls:
            for tool in TOOLS if "TOOL" in call else ("",):
                assert_parsed(words.replace("TOOL", tool), call.replace("TOOL", tool))


def assert_parsed(words: str, call: str) -> None:
    program, *arguments = shlex.split(call)
    assert program == "tunebook"
    assert arguments[: len(words.split())] == words.split() or words == "site show"
    if "--help" in arguments:
        return
    command, context = GROUP, GROUP.make_context("tunebook", arguments, allow_extra_args=True)
    while hasattr(command, "commands"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, list(rest), parent=context)


def test_the_help_of_all_verbs_has_whole_summaries() -> None:
    shown = " ".join(GROUP.get_help(GROUP.make_context("tunebook", [], resilient_parsing=True)).split())
    assert "..." not in shown.partition("Commands:")[2]
    assert "Example" in shown


def test_a_long_example_is_broken_into_lines_that_a_shell_joins() -> None:
    lines = help_of("design").partition("Examples:")[2].splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.endswith("\\") for line in lines)


@pytest.mark.parametrize("words", ["", "design", "run", "site init"])
def test_the_help_fits_a_narrow_terminal(words: str) -> None:
    person = Terminal([TUNEBOOK, *words.split(), "--help"], columns=NARROW)
    assert person.ends() == 0
    lines = person.before.partition("Example")[0].splitlines()
    assert lines
    assert max(map(len, lines)) <= NARROW
