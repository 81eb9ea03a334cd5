"""Experiments from elsewhere, from the other project's files to the report, with real trainings and evaluations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.examples import ExampleCopy, copied
from tunebook.core.json_text import parse_json

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
SYSTEM, WORD = "You write words with a capital letter.", "Capitalize the given word: "


@dataclass(frozen=True)
class Moved:
    """An experiment after its analysis.

    Attributes:
        imported: what ``import`` warned of; empty without an import.
        analysis: the document that ``analyze --json`` printed.
    """

    example: ExampleCopy
    imported: str
    analysis: dict[str, Any]

    def logs(self) -> dict[str, Any]:
        """The log of each run, by its directory."""
        from inspect_ai.log import read_eval_log

        paths = self.example.directory.glob("*/eval/logs/*.eval")
        return {path.parents[2].name: read_eval_log(str(path)) for path in paths}

    def rows(self, table: str, **values: str) -> list[dict[str, Any]]:
        """The rows of a table of the analysis that have these values."""
        return [row for row in self.analysis[table] if all(row[key] == value for key, value in values.items())]


def moved(name: str, root: Path) -> Moved:
    """Takes the steps of the example's README."""
    example = copied(name, root)
    example.make_inputs()
    imported = ""
    if (example.directory / "experiment_summary.yaml").is_file():
        done = example.tunebook("import", "experiment_summary.yaml", ".")
        assert done.returncode == 0, done.stderr
        imported = done.stderr
    for verb in (("check",), ("scaffold",), ("run", "--executor", "local", "--jobs", "2")):
        example.tunebook_text(*verb)
    return Moved(example, imported, parse_json(example.tunebook_text("analyze", "--json"))["data"])


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Moved:
    return moved("moved_capitalization", tmp_path_factory.mktemp("capitalization"))


@pytest.fixture(scope="module")
def income(tmp_path_factory: pytest.TempPathFactory) -> Moved:
    return moved("moved_income", tmp_path_factory.mktemp("income"))


def test_import_names_everything_that_it_leaves_behind(sweep: Moved) -> None:
    pattern = r"^experiment_summary\.yaml:\d+: warning: not carried over: ([\w.\[\]]+)"
    left = re.findall(pattern, sweep.imported, re.MULTILINE)
    assert left == [
        "models.base[].size_gb",
        "data.training.size_kb",
        "data.training.splits",
        "output.base_directory",
        "output.checkpoint_pattern",
        "output.wandb_project",
        "evaluation.scorers",
    ]


def test_all_models_are_asked_with_the_plans_prompts_by_the_task_as_it_was(sweep: Moved) -> None:
    """The untrained model too, although the task reads prompts from a file only."""
    logs = sweep.logs()
    assert set(logs) == {"rank4", "rank8", "tiny-llama_base"}
    for log in logs.values():
        assert (log.status, len(log.samples)) == ("success", 16)
        for sample in log.samples:
            system, user, *_ = sample.messages
            assert (system.role, system.content) == ("system", SYSTEM)
            assert user.content.startswith(WORD)
            assert user.content.endswith("\n")


def test_the_sweep_ends_with_scores(sweep: Moved) -> None:
    assert {(row["run"], row["measure"], row["n"]) for row in sweep.rows("scores")} == {
        ("tiny-llama_rank4", "match", 16),
        ("tiny-llama_rank8", "match", 16),
        ("tiny-llama_base", "match", 16),
    }
    notes = (sweep.example.directory / "experiment_summary.md").read_text()
    assert "| tiny-llama_rank8 | ✓ epoch 0 | rank 8 |" in notes


def test_the_income_prediction_ends_with_calibration(income: Moved) -> None:
    measures = {row["measure"]: row for row in income.rows("aggregates", run="tiny-llama_rank16")}
    assert set(measures) >= {"risk_scorer/auc", "risk_scorer/ece", "risk_scorer/risk_calibration_error"}
    for name in ("risk_scorer/auc", "risk_scorer/ece", "risk_scorer/risk_calibration_error"):
        assert 0 < measures[name]["value"] < 1
    assert {row["n"] for row in income.rows("scores", run="tiny-llama_rank16", measure="risk_scorer/brier")} == {120}


def test_a_model_whose_answers_have_no_risk_is_not_left_out(income: Moved) -> None:
    """The options are not among the most probable tokens of the untrained model."""
    undefined = {row["undefined"] for row in income.rows("aggregates", run="tiny-llama_base")}
    assert undefined == {"undefined: no usable sample"}
    report = (income.example.directory / "analysis" / "report.md").read_text()
    assert "tiny-llama_base: 120 of 120 answers cannot be used: `risk_score` is missing (120)." in report


def test_the_income_prediction_ends_with_scores_by_group(income: Moved) -> None:
    rows = income.rows("groups", run="tiny-llama_rank16", measure="risk_scorer")
    found = {(row["column"], group["group"]) for row in rows for group in row["groups"]}
    assert {("sex", "women"), ("sex", "men"), ("age_group", "20-39"), ("age_group", "60-79")} <= found


def test_the_report_shows_it_all(income: Moved) -> None:
    report = (income.example.directory / "analysis" / "report.md").read_text()
    for words in ("risk_scorer/auc", "risk_scorer/ece", "women", "age_group"):
        assert words in report
    assert (income.example.directory / "analysis" / "report.html").is_file()
