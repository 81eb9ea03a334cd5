"""A run that is interrupted tells a person what happens to the jobs and how to resume it, and a program that it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tunebook import api
from tunebook.cli.ending import left_behind
from tunebook.cli.main import app
from tunebook.cli.run import _Warnings

HERE = Path("/my sweep")
SIGNALLED = """
import os, sys
from tunebook import api
from tunebook.cli.main import main

api.status = lambda *_: os.kill(os.getpid(), NUMBER)
sys.argv[0] = "tunebook"
main()
"""


@pytest.mark.parametrize(
    ("jobs", "survive", "expected"),
    [
        (3, False, ["Ending 3 jobs; Ctrl-C again kills them at once.", "tunebook run '/my sweep'", "runs them again"]),
        (1, False, ["Ending 1 job; Ctrl-C again kills it at once.", "runs it again"]),
        (
            3,
            True,
            ["3 jobs continue without this command.", "tunebook status '/my sweep'", "tunebook cancel '/my sweep'"],
        ),
        (1, True, ["1 job continues without this command."]),
        (0, True, ["No job is queued or running.", "tunebook run '/my sweep'"]),
    ],
)
def test_what_happens_to_the_jobs_and_how_to_resume(jobs: int, *, survive: bool, expected: list[str]) -> None:
    text = left_behind(jobs, HERE, survive=survive)
    assert all(words in text for words in expected)
    assert "{" not in text


def test_an_interrupted_demo_says_how_to_continue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: Any, on_leave: Callable[[int], None], **__: Any) -> None:
        on_leave(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "demo", interrupted)
    result = CliRunner().invoke(app, ["demo", "--dir", str(tmp_path / "demo")])
    assert "Ending 1 job; Ctrl-C again kills it at once." in result.output
    assert "The same command again continues" in result.output


def test_a_warning_of_a_run_is_printed_when_it_arises_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    warnings = _Warnings(quiet=False, every=False)
    show = warnings.before(lambda _: None)
    now = datetime(2025, 10, 22, 12, tzinfo=UTC)
    show(api.Snapshot((), now, warnings=("SLURM does not answer",)))
    assert capsys.readouterr().err.count("SLURM does not answer") == 1
    warnings.tell(("SLURM does not answer", "the plan has lost its title"))
    told = capsys.readouterr().err
    assert "SLURM does not answer" not in told
    assert "the plan has lost its title" in told


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["INT", "TERM", "HUP"]
)
def test_with_json_an_interrupted_verb_prints_its_document_and_nothing_else(
    experiment: Path, number: signal.Signals, code: int
) -> None:
    played = SIGNALLED.replace("NUMBER", str(int(number)))
    done = subprocess.run(
        [sys.executable, "-c", played, "status", "--json"], cwd=experiment, capture_output=True, text=True, check=False
    )
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (code, "")
    assert (document["command"], document["ok"], document["exit_code"]) == ("status", False, code)
    (error,) = document["errors"]
    assert (error["message"], error["hint"]) == ("interrupted", "call the same command again: it continues")
