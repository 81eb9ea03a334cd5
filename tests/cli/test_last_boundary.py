"""An error that nothing expected: what a person reads, where the traceback is, and how the command ends."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tunebook import api
from tunebook.cli.main import main
from tunebook.core.paths import PLAN_FILE

ERRORS = [ValueError("odd"), RecursionError("deep"), MemoryError(), UnicodeEncodeError("ascii", "é", 0, 1, "no")]


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    (tmp_path / PLAN_FILE).write_text("# Plan\n")
    (tmp_path / ".tunebook").mkdir()
    return tmp_path


def ended(monkeypatch: pytest.MonkeyPatch, error: Exception, *arguments: object) -> object:
    """The exit code of a command whose verb raises."""

    def raises(*_: object) -> None:
        raise error

    monkeypatch.setattr(api, "status", raises)
    monkeypatch.setattr(sys, "argv", ["tunebook", "status", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    return exit_.value.code


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_unexpected_error_is_a_bug_whose_traceback_is_in_the_experiment(
    error: Exception, experiment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, error, experiment) == 1
    shown = capsys.readouterr().err
    assert f"this is a bug in tunebook: {type(error).__name__}" in shown
    assert "report it with that file" in shown
    assert "Traceback" not in shown
    (report,) = (experiment / ".tunebook").glob("bug-*.txt")
    assert str(report) in shown
    assert "Traceback" in report.read_text()
    assert report.stat().st_mode & 0o077 == 0


def test_json_output_has_the_bug_as_a_document(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, ValueError("odd"), experiment, "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 1
    assert document["errors"][0]["message"].startswith("this is a bug in tunebook: ValueError: odd")


def test_a_bug_where_the_experiment_cannot_be_written_is_reported_in_the_temporary_directory(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (experiment / ".tunebook").rmdir()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    ended(monkeypatch, ValueError("odd"), experiment)
    (report,) = temporary.glob("bug-*.txt")
    assert str(report) in capsys.readouterr().err


def test_a_bug_that_can_be_written_nowhere_names_its_place(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (experiment / ".tunebook").rmdir()
    monkeypatch.setattr("tempfile.tempdir", str(experiment / "absent"))
    assert ended(monkeypatch, ValueError("odd"), experiment) == 1
    assert re.search(r"ValueError: odd, raised in raises \(test_last_boundary.py:\d+\)", capsys.readouterr().err)


def test_a_bug_report_is_not_written_through_a_link_out_of_the_experiment(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere, temporary = tmp_path_factory.mktemp("elsewhere"), tmp_path_factory.mktemp("temporary")
    (experiment / ".tunebook").rmdir()
    (experiment / ".tunebook").symlink_to(elsewhere)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    ended(monkeypatch, ValueError("odd"), experiment)
    assert list(elsewhere.iterdir()) == []
    assert len(list(temporary.glob("bug-*.txt"))) == 1
