"""Hypotheses are frozen before the first job, tested first, and what was changed later is reported."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.played_programs import play_programs
from support.scaffolding import CLOCK, replace
from support.sweeps import Sweep, SweepRun
from support.tiny_model import build_tiny_model, write_tiny_experiment
from tunebook import api
from tunebook.analysis.statistics.hypotheses import HypothesisResult
from tunebook.core.paths import HYPOTHESES, LEDGER, PLAN_FILE
from tunebook.errors import ExitCode, PlanError

pytestmark = pytest.mark.filterwarnings("ignore")  # pandas' own
LOCAL = api.RunOptions(executor="local", slots=2, poll_s=0.05, runs=("rank4",))
WRITTEN = "**H1:** rank16 > rank4 — more capacity"
SECTION = f"## Hypotheses\n- {WRITTEN}\n\n## "


def versions(experiment: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((experiment / HYPOTHESES).read_text())["versions"]
    return found


def analyzed(experiment: Path, **options: Any) -> api.AnalyzeReport:
    return api.analyze(experiment, api.AnalyzeOptions(**options), clock=lambda: CLOCK)


# --- freezing ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scaffolded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment with a hypothesis; none of its jobs was submitted."""
    root = tmp_path_factory.mktemp("hypotheses")
    build_tiny_model(root / "tiny")
    here = root / "sweep"
    write_tiny_experiment(here, root / "tiny")
    replace(here / PLAN_FILE, "## Tools", f"{SECTION}Tools")
    (here / "claude.local.md").write_text(f"# Site\n- **Virtual environment:** `{play_programs(root / 'venv')}`\n")
    assert api.scaffold(here).exit_code is ExitCode.DONE
    return here


@pytest.fixture(scope="module")
def trained(scaffolded: Path) -> Path:
    """Its trainings have run; no evaluation has."""
    assert api.analyze(scaffolded, api.AnalyzeOptions(ask=False)).analysis.frozen == ()
    assert not (scaffolded / HYPOTHESES).exists()
    refused = api.run(scaffolded, LOCAL, approve=lambda _: False)
    assert not refused.submitted
    assert not (scaffolded / HYPOTHESES).exists()
    assert api.run(scaffolded, dataclasses.replace(LOCAL, stage=api.Stage.PREPARATION)).submitted
    return scaffolded


@pytest.fixture
def experiment(trained: Path, tmp_path: Path) -> Path:
    here = tmp_path / "copy"
    subprocess.run(["/bin/cp", "-a", trained, here], check=True)
    assert api.scaffold(here).exit_code is ExitCode.DONE
    return here


def test_the_text_is_frozen_with_time_and_digest_before_the_first_job(experiment: Path) -> None:
    (frozen,) = versions(experiment)
    digest = hashlib.sha256(f"{WRITTEN}\n".encode()).hexdigest()
    assert (frozen["texts"], frozen["sha256"], frozen["when"]) == ([WRITTEN], digest, "before the first job")
    first = json.loads((experiment / LEDGER).read_text().splitlines()[1])
    assert frozen["time"] <= first["time"]
    assert (frozen["first_job"], frozen["first_result"]) == ("", "")


def test_a_change_after_jobs_and_after_results_adds_versions_and_is_reported(experiment: Path) -> None:
    replace(experiment / PLAN_FILE, f"- {WRITTEN}", f"- {WRITTEN}\n- **H2:** rank4 > base")
    assert api.run(experiment, LOCAL).exit_code is ExitCode.DONE
    replace(experiment / PLAN_FILE, f"- {WRITTEN}\n", "")
    assert not api.run(experiment, LOCAL).submitted
    kept = versions(experiment)
    assert [item["when"] for item in kept] == ["before the first job", "after the first job", "after the first result"]
    assert kept[1]["first_job"]
    assert kept[2]["first_result"] > kept[1]["first_job"]
    report = analyzed(experiment)
    assert versions(experiment) == kept
    second, first = report.analysis.hypotheses
    assert (second.name, second.is_exploratory, second.family.name) == ("H2", True, "hypotheses added later")
    assert (first.name, first.is_exploratory, first.frozen.removed) == ("H1 (removed)", False, kept[2]["time"])
    text = (experiment / "analysis" / "report.md").read_text()
    assert f"first result {kept[2]['first_result']}, change seen {kept[2]['time']}). Removed: “" in text
    assert "The hypotheses were changed after the first job (first job" in text


def test_words_and_names_may_change_without_making_a_hypothesis_exploratory(experiment: Path) -> None:
    replace(experiment / PLAN_FILE, WRITTEN, "**First:**  rank16 > rank4 — as we said")
    report = analyzed(experiment, write=False)
    (result,) = report.analysis.hypotheses
    assert (result.name, result.is_exploratory) == ("First", False)
    assert len(report.analysis.frozen) == 2
    assert len(versions(experiment)) == 1


def test_a_damaged_record_is_an_error(experiment: Path) -> None:
    replace(experiment / HYPOTHESES, "more capacity", "less capacity")
    replace(experiment / PLAN_FILE, WRITTEN, f"{WRITTEN} indeed")
    with pytest.raises(PlanError, match=r"record of the frozen hypotheses is damaged, or was edited"):
        api.run(experiment, LOCAL)


# --- verdicts ------------------------------------------------------------------------------------------------------

PLANNED = """\
## Hypotheses

- **H1:** rank64 > rank4
- **H2:** rank4 > rank64
- **H3:** rank4 better than base
- **H4:** rank4 = rank16 within 30 points
- **H5:** rank64 > rank4 by at least 2 points
- **H6:** rank4 ≠ rank16
- **H7:** rank4 = rank16 within 1 points
- **H8:** rank4 > rank16 with length

## All Runs"""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three ranks with two seeds each: 4 and 16 are alike, 64 is much better; the base model is always wrong."""
    rights = {"4": (20, 22), "16": (21, 22), "64": (36, 38)}
    runs = []
    for rank, counts in rights.items():
        for seed, right in enumerate(counts, start=1):
            values = ["C"] * right + ["I"] * (40 - right)
            runs.append(SweepRun(f"r{rank}s{seed}", {"LoRA Rank": rank, "Seed": str(seed)}, {0: values}))
    here = Sweep(tuple(runs), base=["I"] * 40).write(tmp_path_factory.mktemp("verdicts") / "sweep", curves=False)
    replace(here / PLAN_FILE, "## All Runs", PLANNED)
    return here


@pytest.fixture(scope="module")
def report(sweep: Path) -> api.AnalyzeReport:
    return analyzed(sweep, write=False)


def result_of(report: api.AnalyzeReport, name: str) -> HypothesisResult:
    return next(item for item in report.analysis.hypotheses if item.name == name)


def test_each_hypothesis_gets_the_verdict_of_its_test(report: api.AnalyzeReport) -> None:
    verdicts = {item.name: item.verdict.value for item in report.analysis.hypotheses}
    assert verdicts == {
        "H1": "supported",
        "H2": "contradicted",
        "H3": "supported",
        "H4": "supported",
        "H5": "supported",
        "H6": "not supported",
        "H7": "not supported",
        "H8": "not testable",
    }
