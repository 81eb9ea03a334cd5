"""Verbs on a terminal of 40 columns, and with NO_COLOR."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from support.command_line import TUNEBOOK
from support.scaffolding import scaffolded
from support.terminal import Terminal

NARROW = 40
WRAPPED = ["check", "status", "site --quick", "tools", "explain", "explain locked", "cancel", "run nowhere"]
WRAPPED_BY_THE_TERMINAL = ["scaffold", "run --dry-run --executor local", "setup-finetune rank8_lr1e-5"]
"""Verbs whose commands can be pasted: a line is not broken, so that the terminal joins it when it is copied."""
ONE_THING = re.compile(r"\S+|\S*`[^`]+`\S*")  # a path, a name or a command, which stays whole
STYLES = re.compile(r"\x1b\[([0-9;]*)m")
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
COLOURS = {*map(str, range(30, 50)), *map(str, range(90, 108))}


def shown(experiment: Path, words: str, *, columns: int, **variables: str) -> str:
    """What a person sees, with its control sequences."""
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | variables
    person = Terminal([TUNEBOOK, *words.split()], directory=experiment, columns=columns, env=environment)
    person.ends()
    return person.before


def colours(text: str) -> set[str]:
    return {number for style in STYLES.findall(text) for number in style.split(";")} & COLOURS


@pytest.mark.parametrize("words", WRAPPED)
def test_lines_fit_a_narrow_terminal(experiment: Path, words: str) -> None:
    scaffolded(experiment)
    lines = CONTROLS.sub("", shown(experiment, words, columns=NARROW)).splitlines()
    assert lines
    too_long = [line.strip() for line in lines if len(line.rstrip()) > NARROW]
    assert [line for line in too_long if not ONE_THING.fullmatch(line)] == []


@pytest.mark.parametrize("words", WRAPPED_BY_THE_TERMINAL)
def test_commands_stay_whole_on_a_narrow_terminal(experiment: Path, words: str) -> None:
    scaffolded(experiment)
    text = CONTROLS.sub("", shown(experiment, words, columns=NARROW))
    assert "Traceback" not in text
    assert any("rank8_lr1e-5" in line or "tunebook run" in line for line in text.splitlines())


@pytest.mark.parametrize("words", ["run nowhere", "check"])
def test_no_color_is_obeyed(experiment: Path, words: str) -> None:
    scaffolded(experiment)
    assert colours(shown(experiment, words, columns=120)) != set()
    assert colours(shown(experiment, words, columns=120, NO_COLOR="1")) == set()


def test_questions_obey_no_color_too(tmp_path: Path) -> None:
    environment = os.environ | {"NO_COLOR": "1"}
    person = Terminal([TUNEBOOK, "design"], directory=tmp_path, env=environment)
    person.answers("The scientific question", "\x03")
    assert person.ends() == 130
    assert colours(person.before) == set()


def test_a_table_breaks_no_name(experiment: Path) -> None:
    scaffolded(experiment)
    text = CONTROLS.sub("", shown(experiment, "status", columns=NARROW))
    assert "Llama-3.2-1B-Instruct_rank8_lr1e-5" in text
