"""The experiment is found from inside its directories, by every verb."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.command_line import TUNEBOOK
from support.design_inputs import OPTIONS, make_inputs
from support.scaffolding import scaffolded
from tunebook.errors import ExitCode

RUN = "rank8_lr1e-5"
VERBS = [
    "check",
    "scaffold --dry-run",
    "scaffold-torchtune --dry-run",
    "run --dry-run --executor local",
    "run-inspect --dry-run --executor local",
    "status",
    "cancel",
    "setup-finetune . --dry-run",
    "site show --quick",
]
PLACES = [RUN, f"{RUN}/eval", ".tunebook", ".tunebook/plan"]


def called(words: str, place: Path, *, shown: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Calls a verb in a directory; ``shown`` is the path by which the shell got there."""
    environment = os.environ | {"PWD": str(shown or place)}
    return subprocess.run(
        [str(TUNEBOOK), *shlex.split(words)], cwd=place, env=environment, capture_output=True, text=True, check=False
    )


def data(done: subprocess.CompletedProcess[str]) -> Any:
    document = json.loads(done.stdout)
    assert document["exit_code"] in {ExitCode.DONE, ExitCode.UNFINISHED}, document["errors"]
    for part in document["data"].get("parts", ()):
        del part["duration_s"]
    return document["data"]


@pytest.mark.parametrize("words", VERBS)
def test_every_verb_works_inside_a_run_as_in_the_experiment(experiment: Path, words: str) -> None:
    scaffolded(experiment)
    inside = called(f"{words} --json", experiment / RUN)
    if words.startswith("setup-finetune"):
        words = words.replace(".", RUN, 1)
    assert data(inside) == data(called(f"{words} --json", experiment))


@pytest.mark.parametrize("place", PLACES)
def test_the_experiment_is_found_from_any_place_in_it(experiment: Path, place: str) -> None:
    scaffolded(experiment)
    (experiment / place).mkdir(parents=True, exist_ok=True)
    found = called("status", experiment / place)
    assert found.returncode == ExitCode.UNFINISHED, found.stderr
    assert f"experiment: {experiment}" in found.stderr
    assert "experiment: " not in called("status", experiment).stderr


def test_the_experiment_is_found_through_symbolic_links(
    experiment: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scaffolded(experiment)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    into = elsewhere / "into"
    into.symlink_to(experiment / RUN)
    out = experiment / "out"
    out.symlink_to(elsewhere)
    for link in (into, out):
        found = called("status", link, shown=link)
        assert f"experiment: {experiment}" in found.stderr, found.stderr


def test_a_shell_variable_that_names_another_directory_is_not_believed(
    experiment: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scaffolded(experiment)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert called("status", elsewhere, shown=experiment / RUN).returncode == ExitCode.USAGE


def test_a_directory_of_a_run_that_is_named_is_no_experiment(experiment: Path) -> None:
    """It may mean all runs or this one, so the message says how to write either."""
    scaffolded(experiment)
    done = called(f"run {RUN}", experiment)
    assert done.returncode == ExitCode.USAGE
    where = shlex.quote(str(experiment))
    assert f"it is in the experiment {where}: name that directory; `--run {RUN}` limits" in done.stderr


def test_an_update_of_the_design_finds_its_experiment(tmp_path: Path) -> None:
    inputs = make_inputs(tmp_path / "inputs")
    made = called(shlex.join(["design", "exp", *OPTIONS, "--yes"]), inputs)
    assert made.returncode == 0, made.stderr
    updated = called("design --update --replicates 2 --yes --json", inputs / "exp" / ".tunebook")
    assert data(updated)["experiment"] == str(inputs / "exp")
    assert data(updated)["written"]


def test_site_settings_are_written_for_the_experiment_around(experiment: Path) -> None:
    scaffolded(experiment)
    (experiment / "claude.local.md").unlink()
    done = called("site init --yes", experiment / RUN)
    assert done.returncode == 0, done.stderr
    assert (experiment / "claude.local.md").is_file()
    assert not (experiment / RUN / "claude.local.md").exists()
