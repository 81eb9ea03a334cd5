"""Several experiments in one report: pairs, names, links, cautions and errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from support.scaffolding import CLOCK
from support.sweeps import Sweep, SweepRun
from tunebook import api
from tunebook.cli.main import app

pytestmark = pytest.mark.filterwarnings("ignore")  # inspect-ai's and pandas' own
RIGHT, WRONG = "C", "I"
BASE = [WRONG] * 36 + [RIGHT] * 4
HALF = [RIGHT, WRONG] * 20
MOST = [RIGHT] * 36 + [WRONG] * 4


def ranks(*values: Sequence[Any], levels: Sequence[str] = ("4", "16")) -> tuple[SweepRun, ...]:
    rows = zip(values, levels, strict=False)
    return tuple(SweepRun(f"run{level}", {"LoRA Rank": level}, {0: own}) for own, level in rows)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two experiments of the same ranks; the second one is better."""
    folder = tmp_path_factory.mktemp("experiments")
    Sweep(ranks(BASE, HALF), base=BASE, name="first").write(folder / "a")
    Sweep(ranks(HALF, MOST), base=BASE, name="second").write(folder / "b")
    return folder


@pytest.fixture
def two(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the two experiments in the current directory."""
    for name in ("a", "b"):
        shutil.copytree(written / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def together(folder: Path, **options: Any) -> api.AnalyzeReport:
    chosen = api.AnalyzeOptions(write=False, **options)
    return api.analyze_together([folder / "a", folder / "b"], chosen, clock=lambda: CLOCK)


def test_runs_of_two_experiments_are_paired_by_their_samples(two: Path) -> None:
    analysis = together(two).analysis
    assert [factor.label for factor in analysis.factors] == ["Experiment", "LoRA Rank"]
    assert analysis.factors[0].levels == ("first", "second")
    (own,) = [each for each in analysis.comparisons if each.against == "best" and each.run == "first/run16"]
    assert (own.other, own.n, own.unpaired) == ("second/run16", 40, 0)
    assert own.difference == pytest.approx(-0.4)
    bases = {each.run: each.other for each in analysis.comparisons if each.against == "base"}
    assert bases["first/run4"] == "first/tiny_base"
    assert bases["second/run4"] == "second/tiny_base"


def test_the_command_writes_one_report_beside_the_experiments(two: Path) -> None:
    result = CliRunner().invoke(app, ["analyze", "a", "b", "--json"])
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)["data"]
    folder = two / "analysis-of-a-and-b"
    assert data["report"] == str(folder / "report.html")
    assert (two / data["files"][0]).parent == folder
    assert {row["run"] for row in data["scores"]} >= {"first/run4", "second/run16"}
    assert "](<../a/rank4/eval/logs/" in (folder / "report.md").read_text()
    assert not (two / "a" / "analysis").exists()


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_read(two: Path) -> None:
    (two / "mine").mkdir()
    (two / "mine" / "thesis.md").write_text("text")
    for arguments, message in {
        ("a", "a"): "is given twice",
        ("a", "nowhere"): "no experiment_summary.md",
        ("a", "b", "--output", "a/both"): "is in the directory of an experiment",
        ("a", "b", "--output", "mine"): "holds other files",
        ("a", "--output", "x"): "for the report about several experiments",
    }.items():
        result = CliRunner().invoke(app, ["analyze", *arguments])
        assert result.exit_code not in {0, 4}
        assert message in result.output + str(result.exception)


def test_an_unchanged_report_about_several_experiments_is_not_made_again(two: Path) -> None:
    options = api.AnalyzeOptions()
    assert api.analyze_together([two / "a", two / "b"], options, clock=lambda: CLOCK).is_new
    again = api.analyze_together([two / "a", two / "b"], options, clock=lambda: CLOCK)
    assert not again.is_new
    assert again.experiments == (two / "a", two / "b")
