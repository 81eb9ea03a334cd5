"""Each training tool with each evaluation tool, on a tiny model, from the plan to scores by the command line.

torchtune with inspect-ai is in ``test_end_to_end.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.command_line import tunebook
from support.tiny_model import MODEL, build_tiny_model, write_tiny_experiment
from tunebook.core.plan import Tools
from tunebook.tools.registry import installed_tools
from tunebook.tools.results import Samples

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
BOTH = ("inspect-ai", "lm-eval")
RUN = f"{MODEL}_rank16"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model") / MODEL)


def finished(directory: Path, model: Path, tools: Tools) -> dict[str, Any]:
    """The jobs of an experiment's one training and its evaluations, by name."""
    few = ("**Epochs:** 1", "**Epochs:** 1\n- **Max Steps Per Epoch:** 20")
    scripts = {"lm-eval": "exact_match"}
    write_tiny_experiment(directory, model, few, ranks=(16,), tools=tools, scripts=scripts)
    assert tunebook(directory, "scaffold").returncode == 0
    done = tunebook(directory, "run", "--run", "*rank16", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return {job["name"]: job for job in json.loads(done.stdout)["data"]["jobs"] if job["state"] == "completed"}


@pytest.fixture(scope="module")
def trained_with_trl(tmp_path_factory: pytest.TempPathFactory, model: Path) -> tuple[Path, dict[str, Any]]:
    """A training with TRL, evaluated by both tools."""
    directory = tmp_path_factory.mktemp("pairs") / "trl"
    return directory, finished(directory, model, Tools("trl", BOTH, assumed=False))


def samples(directory: Path, tool: str) -> Samples:
    """The samples of the only log of a tool."""
    evaluation = installed_tools().evaluation_tool(tool)
    assert evaluation is not None
    logs = evaluation.results.log_files(directory / RUN)
    (found,) = evaluation.results.read_samples(logs).readings.values()
    return found


def test_trl_trains_and_both_tools_evaluate(trained_with_trl: tuple[Path, dict[str, Any]]) -> None:
    directory, jobs = trained_with_trl
    assert set(jobs) == {
        f"{RUN}/finetune",
        f"{RUN}/eval/capitalization_inspect-ai_epoch0",
        f"{RUN}/eval/capitalization_lm-eval_epoch0",
    }
    lines = (directory / RUN / "artifacts" / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert len(losses) == 20
    assert losses[-1] < 0.95 * losses[0]
    (entry,) = json.loads((directory / RUN / "artifacts" / "proof.json").read_text())["epochs"]
    assert entry["evaluated"] == pytest.approx(entry["trained"], abs=1e-4)


def test_both_tools_get_the_same_answers_to_the_same_prompts(trained_with_trl: tuple[Path, dict[str, Any]]) -> None:
    directory, jobs = trained_with_trl
    of_inspect, of_lm_eval = (samples(directory, tool) for tool in BOTH)
    assert of_lm_eval.ids == of_inspect.ids
    assert of_lm_eval.targets == of_inspect.targets
    assert [text.strip() for text in of_lm_eval.answers] == [text.strip() for text in of_inspect.answers]
    scores = {name: job["score"] for name, job in jobs.items() if "/eval/" in name}
    assert len(set(scores.values())) == 1


def test_a_plan_with_two_evaluation_tools_is_analyzed(trained_with_trl: tuple[Path, dict[str, Any]]) -> None:
    directory, _ = trained_with_trl
    done = tunebook(directory, "analyze", "--json")
    assert done.returncode in {0, 4}, done.stdout + done.stderr  # the base model was not evaluated
    report = (directory / "analysis" / "report.md").read_text()
    assert "capitalization_inspect-ai" in report
    assert "capitalization_lm-eval" in report


def test_torchtune_trains_and_lm_eval_evaluates(tmp_path: Path, model: Path) -> None:
    directory = tmp_path / "torchtune"
    jobs = finished(directory, model, Tools("torchtune", ("lm-eval",), assumed=False))
    assert set(jobs) == {f"{RUN}/finetune", f"{RUN}/eval/capitalization_epoch0"}
    found = samples(directory, "lm-eval")
    right = [answer.strip() == target for answer, target in zip(found.answers, found.targets, strict=True)]
    assert jobs[f"{RUN}/eval/capitalization_epoch0"]["score"] == sum(right) / len(right)


@pytest.mark.parametrize("tool", BOTH)
def test_a_spot_check_gives_the_answers_of_the_log(trained_with_trl: tuple[Path, dict[str, Any]], tool: str) -> None:
    directory, _ = trained_with_trl
    task = f"capitalization_{tool}"
    done = tunebook(directory, "spot-check", RUN, "--task", task, "--samples", "3", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    answers, logged = json.loads(done.stdout)["data"]["answers"], samples(directory, tool)
    assert tuple(answer["id"] for answer in answers) == logged.ids[:3]
    assert tuple(answer["target"] for answer in answers) == logged.targets[:3]
    assert [answer["run"].strip() for answer in answers] == [text.strip() for text in logged.answers[:3]]
    assert {answer["prompt"] for answer in answers} == {answer["base_prompt"] for answer in answers}
    assert answers[0]["prompt"].endswith("<|im_end|>\n<|im_start|>assistant\n")


def test_lm_eval_asks_a_persons_own_input_too(trained_with_trl: tuple[Path, dict[str, Any]]) -> None:
    directory, _ = trained_with_trl
    done = tunebook(directory, "spot-check", RUN, "--task", "capitalization_lm-eval", "--prompt", "house", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    (answer,) = json.loads(done.stdout)["data"]["answers"]
    assert (answer["input"], answer["target"]) == ("Capitalize the given word: house", None)
    assert "Capitalize the given word: house<|im_end|>" in answer["prompt"]
    assert answer["run"].strip() == samples(directory, "lm-eval").answers[0]  # the first sample is this word
