"""Ctrl-C and the end of the input at any question end the verb with exit code 130, and nothing is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.command_line import TUNEBOOK
from support.scaffolding import replace, tree
from support.terminal import Terminal

CTRL_C, CTRL_D = "\x03", "\x04"
KEYS = pytest.mark.parametrize("key", [CTRL_C, CTRL_D], ids=["ctrl-c", "ctrl-d"])
DATA = "- **Path:** `/scratch/gpfs/LAB/data/words_4L_80P_300.json`"
REPEATING = """
import sys
from types import SimpleNamespace
from tunebook import api
from tunebook.cli.main import main

def run(experiment, options, *, on_choice, approve, **others):
    on_choice(SimpleNamespace(executor=SimpleNamespace(name="local"), reason="played"))
    approve(api.Preview(to_run=(PREVIEWED,), watched=(), left=(), completed=0))
    print("AFTER THE QUESTION")

job = SimpleNamespace(name="rank8/finetune", run="rank8", stage=api.Stage.PREPARATION)
PREVIEWED = SimpleNamespace(job=job, reason="its inputs have changed", details=(), repeats=True)
api.run = run
api.preview_lines = lambda preview: ["rank8/finetune: again"]
main()
"""


@KEYS
@pytest.mark.parametrize("verb", ["scaffold", "status", "check", "run", "cancel", "analyze"])
def test_the_question_for_the_directory(tmp_path: Path, verb: str, key: str) -> None:
    person = Terminal([TUNEBOOK, verb], directory=tmp_path)
    person.sees("Where is the experiment's directory?")
    person.keys(key)
    assert person.ends() == 130
    assert "Traceback" not in person.before
    assert list(tmp_path.iterdir()) == []


@KEYS
def test_the_question_after_a_failed_stage(experiment: Path, key: str) -> None:
    (experiment / "words.json").write_text("{")
    replace(experiment / "experiment_summary.md", DATA, "- **Path:** `words.json`")
    before = tree(experiment)
    person = Terminal([TUNEBOOK, "scaffold"], directory=experiment)
    person.sees("Do you want to continue with evaluation scaffolding?")
    person.keys(key)
    assert person.ends() == 130
    assert tree(experiment) == before


@KEYS
def test_the_question_before_completed_work_is_repeated(experiment: Path, key: str) -> None:
    person = Terminal([sys.executable, "-c", REPEATING, "run"], directory=experiment)
    person.sees("Run these jobs again?")
    person.keys(key)
    assert person.ends() == 130
    assert "AFTER THE QUESTION" not in person.before
