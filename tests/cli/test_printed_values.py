"""Values that a plan may make very long, and numbers, as verbs print them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from support.scaffolding import replace
from tunebook.cli.main import main
from tunebook.core.jobs import JobState, count_states
from tunebook.scaffold.reconcile import Action, Step
from tunebook.scaffold.report import PartReport
from tunebook.tools.registry import installed_tools


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    monkeypatch.setattr(sys, "argv", ["tunebook", *map(str, arguments)])
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr()
    return shown.out + shown.err


def test_a_run_name_of_megabytes_is_shortened_on_the_screen_and_in_the_log(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace(experiment / "experiment_summary.md", "| Llama-3.2-1B-Instruct_rank8_lr1e-5 |", f"| {'a' * 2_000_000} |")
    assert len(printed(monkeypatch, capsys, "check", experiment)) < 20_000
    printed(monkeypatch, capsys, "scaffold", experiment)
    assert (experiment / "scaffold-experiment.log").stat().st_size < 20_000


def test_a_title_of_megabytes_is_shortened(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = experiment / "experiment_summary.md"
    title, *lines = plan.read_text().splitlines()
    plan.write_text("\n".join([f"{title} {'long ' * 400_000}", *lines]) + "\n")
    assert len(printed(monkeypatch, capsys, "check", experiment)) < 20_000


def test_counts_are_printed_with_thousands_and_real_plurals(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert count_states([JobState.PENDING] * 1_732) == "1,732 pending"
    tool = installed_tools().tools[0]
    steps = tuple(Step(f"f{number}", Action.UNCHANGED, None, None) for number in range(3_000))
    assert PartReport(tool=tool, steps=steps).counts("file") == "3,000 files unchanged"
    assert PartReport(tool=tool, steps=steps[:1]).counts("file") == "1 file unchanged"
    replace(experiment / "experiment_summary.md", "Model Preparation:** torchtune", "Model Preparation:** axolotl")
    assert "\n1 error in " in printed(monkeypatch, capsys, "check", experiment)


def test_site_settings_that_are_no_file_are_an_error_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "claude.local.md")
    shown = printed(monkeypatch, capsys, "site", "--quick", tmp_path)
    assert "it is not a regular file" in shown
    assert "rename or remove it" in shown
