"""Streams that are closed or full, a locale without UTF-8, and a working directory that is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.command_line import TUNEBOOK
from tunebook.cli.main import main

ODD_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def ended(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> object:
    """The exit code of a command in this process."""
    monkeypatch.setattr(sys, "argv", ["tunebook", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    return exit_.value.code


def shell(command: str, experiment: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TUNEBOOK": str(TUNEBOOK), **variables}
    return subprocess.run(
        ["bash", "-c", command], cwd=experiment, env=environment, capture_output=True, text=True, check=False
    )


def test_paths_are_right_in_a_locale_without_utf8(experiment: Path) -> None:
    place = experiment.rename(experiment.with_name("lät"))
    done = shell('"$TUNEBOOK" scaffold --stage preparation', place, **ODD_LOCALE)
    assert done.returncode == 0, done.stderr
    (script, *_) = place.glob("*/finetune.slurm")
    assert "/lät/" in script.read_text("utf-8")
    assert done.stdout.isascii(), "the terminal's encoding is not changed"


def test_a_locale_without_utf8_that_cannot_be_changed_is_an_error_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], experiment: Path
) -> None:
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    monkeypatch.setenv("TUNEBOOK_TERMINAL_ENCODING", "iso8859-1")  # it was started again already
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("it is started again and again"))
    assert ended(monkeypatch, "status", experiment) == 1
    shown = capsys.readouterr().err
    assert "the locale's encoding is iso8859-1" in shown
    assert "export PYTHONUTF8=1" in shown


@pytest.mark.parametrize("closed", ["stdin", "stdout", "stderr"])
@pytest.mark.parametrize("arguments", [["status", "--json"], ["status"]], ids=" ".join)
def test_a_closed_stream_is_no_error(
    closed: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, closed, None)
    assert ended(monkeypatch, *arguments) == 2, "there is no plan, and no bug"
    getattr(sys, closed).close()


def test_a_program_that_is_started_with_a_closed_stream_ends_as_usual(experiment: Path) -> None:
    done = shell('"$TUNEBOOK" status --json >&- 2>&- <&-', experiment)
    assert done.returncode == shell('"$TUNEBOOK" status --json', experiment).returncode


@pytest.mark.parametrize("arguments", ["tools", "tools --json", "status --json"])
def test_an_output_that_cannot_be_written_is_an_error(arguments: str, tmp_path: Path) -> None:
    done = shell(f'"$TUNEBOOK" {arguments} >/dev/full', tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the output cannot be written: the disk is full")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["for a person", "as JSON"])
def test_a_working_directory_that_was_deleted_is_named(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert ended(monkeypatch, "status", *options) == 1
    shown = capsys.readouterr()
    if options:
        (error,) = json.loads(shown.out)["errors"]
        assert (error["message"], error["hint"]) == (
            "the directory that you are in was deleted",
            "`cd` to another one",
        )
    else:
        assert "the directory that you are in was deleted" in shown.err
