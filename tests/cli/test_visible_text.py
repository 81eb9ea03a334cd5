"""Texts that reach a terminal: no control character of a name, a path, a note or an output does, in any encoding."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from support.command_line import TUNEBOOK
from tunebook.cli.main import main
from tunebook.cli.output import console, print_json, print_problems
from tunebook.cli.visible import visible_text
from tunebook.errors import ExitCode, Problem

TITLE = "\x1b]0;mine\x07"
LINK = "\x1b]8;;https://example.org\x1b\\click\x1b]8;;\x1b\\"
HOSTILE = [TITLE, LINK, "\x1b[31mred", "\x9b31m", "a\rb", "a\bb", "\u202eltr", "\x00", "\x7f", "\u2028", "\ud800"]


def is_harmless(shown: str) -> bool:
    return all(character == "\n" or character.isprintable() for character in shown)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_control_characters_are_shown_as_escapes_wherever_a_text_is_printed(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table("name", caption=Text(text))
    table.add_row(Text.assemble((text, "cyan")))
    out = console()
    out.print(table)
    out.print(text, markup=False)
    out.print(Text(text))
    print_problems([Problem(text, text, 1, text)], kind="error")
    print_json("check", ExitCode.DONE, {text: text})
    shown = capsys.readouterr()
    assert is_harmless(shown.out + shown.err)
    assert ascii(text)[1:-1].partition("\\x1b")[2][:4] in shown.out


def test_usual_text_and_its_lines_stay_as_they_are() -> None:
    text = "é ✓ 日本語 👩‍🔬 a\tb\nc\u00a0d [bold] :warning:"
    assert visible_text(text) == text


def test_text_that_looks_like_markup_or_an_emoji_code_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_problems([Problem("[red]x[/red] :warning: [/]")], kind="error")
    assert "[red]x[/red] :warning: [/]" in capsys.readouterr().err


def test_a_message_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_problems([Problem("a\nerror: forged\tx")], kind="error")
    assert capsys.readouterr().err == "error: a\\nerror: forged\\tx\n"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252"])
def test_json_is_valid_in_every_encoding_and_has_null_for_numbers_beyond_range(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", stream)
    print_json("status", ExitCode.DONE, {"loss": float("nan"), "text": "é✓😀\udcff", "list": [float("inf"), 1.5]})
    stream.flush()
    document = json.loads(stream.buffer.getvalue().decode(encoding))
    assert document["data"] == {"loss": None, "text": "é✓😀\udcff", "list": [None, 1.5]}


def test_a_usage_error_shows_the_arguments_control_characters_as_escapes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tunebook", "check", f"--{TITLE}"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "--\\x1b]0;mine\\x07" in capsys.readouterr().err


LOCALES = [
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1"},
]


@pytest.mark.parametrize("variables", LOCALES, ids=lambda variables: variables["PYTHONIOENCODING"])
def test_a_plan_in_utf8_is_checked_and_written_where_the_locale_is_another(
    variables: dict[str, str], experiment: Path, tmp_path: Path
) -> None:
    plan = experiment / "experiment_summary.md"
    plan.write_text(plan.read_text(encoding="utf-8") + "\n## Notizen\n\nZweck für Größe ✓\n", encoding="utf-8")
    environment = {**os.environ, **variables}
    for verb in ("check", "scaffold"):
        done = subprocess.run(
            [TUNEBOOK, verb, experiment], env=environment, cwd=tmp_path, capture_output=True, check=False
        )
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
        assert b"\\u2713" not in done.stdout + done.stderr  # a tick has a plain mark
        done.stdout.decode(variables["PYTHONIOENCODING"])
