"""The deep checks of trainings with TRL: they pass as things are, and each notices the fault that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.deep import checks_of, here, looked
from support.scaffolding import replace
from support.tiny_model import build_family_model, write_tiny_experiment
from support.trainings import FULL
from tunebook.core.deep_checks import DeepResult
from tunebook.core.paths import PLAN_FILE
from tunebook.tools.deep.shrunk import shrunk_config
from tunebook.tools.runtime import example_order, tokenized_data, trl_checkpoints, trl_data

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, PEFT and torch warn of one another

TOKENS, STEPS, CHECKPOINTS = "training tokens", "training steps", "checkpoints"
TRL = ("- **Model Preparation:** torchtune", "- **Model Preparation:** trl")


@pytest.fixture
def experiment(tiny_experiment: Path) -> Path:
    replace(tiny_experiment / PLAN_FILE, *TRL)
    return tiny_experiment


def with_settings(experiment: Path, *bullets: str) -> None:
    lines = "".join(f"\n- **{name}:** {value}" for name, value in (bullet.split(": ") for bullet in bullets))
    replace(experiment / PLAN_FILE, "- **GPUs:** 0", f"- **GPUs:** 0{lines}")


def message(result: DeepResult) -> str:
    (problem,) = result.errors
    assert problem.file == PLAN_FILE
    return problem.message


SHAPES = {
    "accumulation, linear, warm-up, clipping": (
        *("Gradient Accumulation Steps: 4", "Scheduler: linear", "Warmup Steps: 2", "Max Gradient Norm: 0.5"),
        *("Weight Decay: 0.3", "LoRA Target Modules: q_proj, k_proj, v_proj, output_proj, mlp"),
    ),
    "bf16, merged, constant, fewer steps, other optimizer, dropout": (
        *("Precision: bf16", "Save: merged", "Scheduler: constant", "Max Steps Per Epoch: 5", "Optimizer: sgd"),
        "LoRA Dropout: 0.2",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_correct_training_passes(experiment: Path, shape: str) -> None:
    with_settings(experiment, *SHAPES[shape])
    for title in (STEPS, CHECKPOINTS):
        (check,) = checks_of(experiment, title)
        assert len(check.runs) == 2  # ranks 4 and 16 have one shape
        result = check.look(here)
        assert (result.errors, result.unchecked) == ((), "")
    assert " of a weight's change" in result.figure


def test_a_training_of_all_weights_passes(experiment: Path) -> None:
    for old, new in FULL:
        replace(experiment / PLAN_FILE, old, new)
    result = looked(experiment, STEPS)
    assert (result.errors, result.unchecked) == ((), "")
    assert checks_of(experiment, CHECKPOINTS) == ()


@pytest.mark.parametrize(("family", "modules"), [("Qwen3", 12), ("Phi3", 8)])
def test_families_that_torchtune_does_not_know_pass(tmp_path: Path, family: str, modules: int) -> None:
    model = build_family_model(tmp_path / "model", family)
    write_tiny_experiment(tmp_path / "experiment", model, TRL)
    result = looked(tmp_path / "experiment", CHECKPOINTS)
    assert (result.errors, result.unchecked) == ((), "")
    assert f"adapter of {modules} modules" in result.figure


def test_the_tokens_of_the_data_are_those_of_the_whole_conversation(experiment: Path) -> None:
    result = looked(experiment, TOKENS)
    assert (result.errors, result.unchecked) == ((), "")
    assert result.figure == "320 examples, 11% of their 9840 tokens are learnt"


def test_an_answer_that_is_not_learnt_is_an_error(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = tokenized_data.tokenized_example

    def masks_too_much(*given: Any, **options: Any) -> tuple[list[int], list[int]]:
        tokens, labels = original(*given, **options)
        return tokens, [-100] * (len(labels) - 1) + labels[-1:]

    monkeypatch.setattr(tokenized_data, "tokenized_example", masks_too_much)
    assert "'House' is not in what is learnt" in message(looked(experiment, TOKENS))


def test_a_last_batch_that_is_dropped_is_an_error(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def floored(self: Any) -> int:
        return int(len(self.order) // self._size)

    monkeypatch.setattr(trl_data.EpochBatches, "__len__", floored)
    assert "instead of" in message(looked(experiment, STEPS))


def test_an_order_that_does_not_follow_the_seed_is_an_error(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def as_they_come(self: Any) -> Iterator[int]:
        return iter(range(len(self)))

    monkeypatch.setattr(example_order.EpochOrder, "__iter__", as_they_come)
    assert "do not follow from the seed" in message(looked(experiment, STEPS))


def test_a_merge_with_another_scale_is_an_error(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_settings(experiment, "Save: merged")
    monkeypatch.setattr(trl_checkpoints, "scale_of", lambda _: 1.0)
    assert "is not W + (α/r) · B · A" in message(looked(experiment, CHECKPOINTS))


def test_a_model_that_cannot_be_shrunk_says_why(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tunebook.tools.trl import deep_training

    monkeypatch.setattr(deep_training, "model_config", lambda *_: {"model_type": "gpt2"})
    assert "the model cannot be shrunk" in looked(experiment, STEPS).unchecked


def test_lists_with_an_entry_per_layer_are_shrunk_with_the_layers() -> None:
    config = {
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "vocab_size": 128256,
        "no_rope_layers": [1, 1, 1, 0] * 9,
        "eos_token_id": [1, 2],
    }
    assert shrunk_config(config).config["no_rope_layers"] == [1, 1, 1, 0]
