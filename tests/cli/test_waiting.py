"""A verb that takes some seconds says so at a terminal; nothing of it stays, and nothing gets into files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.terminal import Terminal
from tunebook.cli import waiting as waits
from tunebook.cli.waiting import waiting

PROGRAM = """
import threading
from tunebook import api
from tunebook.cli.main import main

over = threading.Event()
api.doctor = lambda *given, on_examined: over.wait()
main()
"""
CLEAR = "\r\x1b[K"


def doctor(directory: Path, term: str, *options: str) -> Terminal:
    return Terminal(["env", f"TERM={term}", sys.executable, "-c", PROGRAM, "doctor", *options], directory=directory)


def test_a_person_reads_what_is_done_and_the_line_goes(tmp_path: Path) -> None:
    person = doctor(tmp_path, "xterm")
    person.sees("… examining (")
    person.keys("\x03")
    assert person.ends() == 130
    assert CLEAR in person.before
    assert person.before.endswith("tunebook: interrupted\r\n")


def test_a_terminal_that_cannot_replace_lines_gets_one_line(tmp_path: Path) -> None:
    person = doctor(tmp_path, "dumb")
    person.sees("… examining\r\n")
    person.keys("\x03")
    assert person.ends() == 130
    assert "\x1b" not in person.before


def test_files_get_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "_FIRST_S", 0)
    with waiting("examining") as line:
        line.before(print)("found")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("found\n", "")
