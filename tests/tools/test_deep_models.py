"""check --deep: models are asked with the tokens of their training, and stop where their training ends an answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.deep import checks_of, here
from support.scaffolding import replace
from support.tiny_model import CHAT_TEMPLATE, build_tiny_model, write_tiny_experiment
from tunebook.core.deep_checks import DeepResult
from tunebook.tools.runtime import chat, evaluated_model, examples, inspect_job
from tunebook.tools.runtime.whole_json import write_whole_json

pytestmark = pytest.mark.filterwarnings("ignore")  # inspect-ai and Transformers warn of the libraries that they use

PROMPTS, GENERATION, PLAN = "prompts", "generation", "experiment_summary.md"
DATED = "{{ strftime_now('%d %b %Y %f') }}\n" + CHAT_TEMPLATE


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def model(built: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(built, tmp_path / "model"))


@pytest.fixture
def experiment(tmp_path: Path, model: Path) -> Path:
    directory = tmp_path / "experiment"
    write_tiny_experiment(directory, model)
    return directory


def result_of(experiment: Path, title: str) -> DeepResult:
    """The check of the trained runs."""
    check = next(check for check in checks_of(experiment, title) if len(check.runs) > 1)
    return check.look(here)


def message(result: DeepResult) -> str:
    (problem,) = result.errors
    assert problem.file == PLAN
    assert problem.line
    return problem.message


def with_template(model: Path, template: str) -> None:
    (model / "chat_template.jinja").write_text(template)


def test_a_correct_plan_asks_with_the_tokens_of_training(experiment: Path) -> None:
    result = result_of(experiment, PROMPTS)
    assert (result.errors, result.unchecked) == ((), "")
    assert result.figure.startswith(
        "3 prompts have the tokens of training, 11% of the tokens of 64 examples are learnt"
    )


def test_a_template_with_todays_date_asks_with_the_date_of_training(experiment: Path, model: Path) -> None:
    with_template(model, DATED)
    assert result_of(experiment, PROMPTS).errors == ()


def test_a_date_in_the_evaluation_only_is_an_error(
    experiment: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_template(model, DATED)
    monkeypatch.setattr(inspect_job, "pinned_template", lambda template: template)
    found = message(result_of(experiment, PROMPTS))
    assert "the evaluation asks SmolLM2-135M-Instruct with other tokens than its training learns from: after " in found
    assert "26 Jul 2024" in found


def test_another_form_of_the_providers_questions_is_an_error(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_template(path: Path, document: dict[str, Any]) -> None:
        write_whole_json(path, {**document, "use_chat_template": False})

    monkeypatch.setattr(inspect_job, "write_whole_json", without_template)
    assert "with other tokens than its training learns from" in message(result_of(experiment, PROMPTS))


def test_a_task_that_asks_otherwise_is_an_error(experiment: Path) -> None:
    replace(experiment / "cap_task.py", 'record["input"])),', 'record["input"]) + " "),')
    assert "with other tokens than its training learns from" in message(result_of(experiment, PROMPTS))


def test_tokens_that_an_answer_changes_in_its_prompt_are_an_error(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokenized by themselves, as an earlier version did, the parts would have other tokens."""
    from tunebook.tools.deep import evaluated_prompts

    def split(encode: Any, parts: Sequence[examples.Part]) -> list[tuple[list[int], bool]]:
        return [(encode(" " + text), learnt) for text, learnt in parts]  # as SentencePiece does

    monkeypatch.setattr(evaluated_prompts, "joint_tokens", split)
    assert "with other tokens than its training learns from" in message(result_of(experiment, PROMPTS))


def test_a_template_that_cuts_answers_is_an_error(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunebook.tools.deep import evaluated_prompts

    def cut(tokenizer: Any, record: Mapping[str, Any], **prompts: str) -> list[examples.Part]:
        parts = examples.example_parts(tokenizer, dict(record), **prompts)
        return [*parts[:-1], (parts[-1][0][1:], True)]

    monkeypatch.setattr(evaluated_prompts, "example_parts", cut)
    assert "the chat template of SmolLM2-135M-Instruct changes an answer: 'House' is learnt as 'ouse" in message(
        result_of(experiment, PROMPTS)
    )


def test_a_correct_model_stops_at_the_learnt_end_and_is_greedy(experiment: Path) -> None:
    result = result_of(experiment, GENERATION)
    assert (result.errors, result.unchecked) == ((), "")
    assert result.figure.startswith("stops at <|im_end|>, ")
    assert result.figure.endswith(" tokens are the most probable ones")


def test_settings_of_the_model_do_not_act(experiment: Path, model: Path) -> None:
    (model / "generation_config.json").write_text(
        json.dumps({"eos_token_id": 0, "repetition_penalty": 3.0, "no_repeat_ngram_size": 1, "min_length": 20})
    )
    assert result_of(experiment, GENERATION).errors == ()


def test_settings_that_act_are_an_error(experiment: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"eos_token_id": [2], "pad_token_id": 0, "repetition_penalty": 3.0}
    (model / "generation_config.json").write_text(json.dumps(values))

    def as_the_model_says(whole: Path, *_: Any, **__: Any) -> Any:
        from transformers import GenerationConfig

        return GenerationConfig.from_pretrained(str(whole))

    monkeypatch.setattr(evaluated_model, "_generation", as_the_model_says)
    messages = [problem.message for problem in result_of(experiment, GENERATION).errors]
    assert any(
        "greedy decoding of SmolLM2-135M-Instruct does not give the most probable token" in one for one in messages
    )
    assert messages[-1] == "settings that act when SmolLM2-135M-Instruct generates: repetition_penalty 3.0"


def test_an_end_outside_the_stop_tokens_is_an_error(
    experiment: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model / "generation_config.json").write_text(json.dumps({"eos_token_id": 0}))
    monkeypatch.setattr(evaluated_model, "stop_ids", lambda *_: [0])
    assert message(result_of(experiment, GENERATION)) == (
        "SmolLM2-135M-Instruct does not stop at <|im_end|>, with which training ends an answer; "
        "it stops at <|endoftext|>"
    )


def test_at_a_temperature_only_the_temperature_acts(experiment: Path) -> None:
    replace(
        experiment / PLAN,
        "- **Evaluation Max Tokens:** 12",
        "- **Evaluation Max Tokens:** 12\n- **Evaluation Temperature:** 0.7",
    )
    result = result_of(experiment, GENERATION)
    assert (result.errors, result.figure) == ((), "stops at <|im_end|>")


def test_other_files_of_the_tokenizer_are_another_key(experiment: Path, model: Path) -> None:
    before = [check.key for check in checks_of(experiment, PROMPTS)]
    with_template(model, CHAT_TEMPLATE + " ")
    assert [check.key for check in checks_of(experiment, PROMPTS)] != before
    assert chat.pinned_template(DATED) != DATED
