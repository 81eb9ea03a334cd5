"""check --deep for lm-eval: models are asked with the tokens of their training, and stop where it ends an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.deep import checks_of, here
from support.scaffolding import replace
from support.tiny_model import write_tiny_experiment
from tunebook.core.deep_checks import DeepResult
from tunebook.tools.runtime import questions
from tunebook.tools.runtime.chat import render_prompt

pytestmark = pytest.mark.filterwarnings("ignore")  # lm-eval and Transformers warn of the libraries that they use

PLAN = "experiment_summary.md"


@pytest.fixture
def experiment(tmp_path: Path, tiny_model: Path) -> Path:
    directory = tmp_path / "experiment"
    script = f"`{directory / 'cap_task.py'}`"
    tools = ("**Evaluation:** inspect-ai", "**Evaluation:** lm-eval")
    write_tiny_experiment(directory, tiny_model, tools, (script, "exact_match"))
    return directory


def result_of(experiment: Path, title: str) -> DeepResult:
    """The check of the trained runs."""
    check = next(check for check in checks_of(experiment, title) if len(check.runs) > 1)
    return check.look(here)


def test_a_correct_plan_asks_with_the_tokens_of_training_and_stops_where_it_ends(experiment: Path) -> None:
    result = result_of(experiment, "prompts")
    assert (result.errors, result.unchecked) == ((), "")
    assert result.figure.startswith("40 samples in the test split, 40 prompts have the tokens of training, ")
    result = result_of(experiment, "generation")
    assert (result.errors, result.unchecked) == ((), "")
    assert result.figure.startswith("stops at <|im_end|>")


def test_prompts_that_the_training_does_not_have_are_an_error(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "render_prompt", lambda *given: render_prompt(*given) + "Answer:")
    result = result_of(experiment, "prompts")
    (problem,) = result.errors
    assert problem.message.startswith("the evaluation asks SmolLM2-135M-Instruct with other tokens than its training")
    assert "and the evaluation '" in problem.message
    assert problem.file == PLAN


def test_data_that_are_elsewhere_are_not_checked(experiment: Path) -> None:
    words = json.loads((experiment / "words.json").read_text())
    (experiment / "other.json").write_text(json.dumps({"test": words["test"][:3]}))
    replace(experiment / PLAN, f"exact_match | `{experiment / 'words.json'}`", "exact_match | `other.json`")
    assert result_of(experiment, "prompts").figure.startswith("3 samples in the test split, 3 prompts")
    (experiment / "other.json").unlink()
    assert result_of(experiment, "prompts").unchecked == f"{experiment / 'other.json'} was not found here"
