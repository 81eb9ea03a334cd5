"""check --deep: each run's recipe trains a shrunk model as a plain loop does, and saves what it has trained.

Each test puts a fault of a recipe back, and the proof must find it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.deep import checks_of, here, looked
from support.scaffolding import replace
from support.tiny_model import build_family_model, write_tiny_experiment
from support.trainings import FULL
from tunebook.core.deep_checks import DeepResult
from tunebook.tools.finetuning import deep_training
from tunebook.tools.runtime import peft_adapter, tokenized_data, torchtune_recipe
from tunebook.tools.runtime.epoch_steps import steps_per_epoch
from tunebook.tools.torchtune import deep_checks

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another

TOKENS, STEPS, CHECKPOINTS, PLAN = "training tokens", "training steps", "checkpoints", "experiment_summary.md"
Change = Callable[[type[Any]], type[Any]]


@pytest.fixture
def experiment(tiny_experiment: Path) -> Path:
    return tiny_experiment


def with_settings(experiment: Path, *bullets: str) -> None:
    lines = "".join(f"\n- **{name}:** {value}" for name, value in (bullet.split(": ") for bullet in bullets))
    replace(experiment / PLAN, "- **GPUs:** 0", f"- **GPUs:** 0{lines}")


def with_recipe(monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    """The recipe with a fault."""
    original = torchtune_recipe.recipe_class
    monkeypatch.setattr(torchtune_recipe, "recipe_class", lambda name: change(original(name)))


def message(result: DeepResult) -> str:
    (problem,) = result.errors
    assert problem.file == PLAN
    return problem.message


SHAPES = {
    "as the demo": (),
    "accumulation, linear, warm-up, clipping": (
        *("Gradient Accumulation Steps: 4", "Scheduler: linear", "Warmup Steps: 2", "Max Gradient Norm: 0.5"),
        *("Weight Decay: 0.3", "LoRA Target Modules: q_proj, k_proj, v_proj, output_proj, mlp"),
    ),
    "constant, fewer steps, other optimizer, dropout": (
        *("Scheduler: constant", "Max Steps Per Epoch: 5", "Optimizer: sgd", "LoRA Dropout: 0.2"),
    ),
    "bf16, merged": ("Precision: bf16", "Save: merged"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_correct_recipe_passes(experiment: Path, shape: str) -> None:
    with_settings(experiment, *SHAPES[shape])
    for title in (STEPS, CHECKPOINTS):
        (check,) = checks_of(experiment, title)
        assert len(check.runs) == 2  # ranks 4 and 16 have one shape
        result = check.look(here)
        assert (result.errors, result.unchecked) == ((), "")
    assert " of a weight's change" in result.figure


GEMMA = {"head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 64, "hidden_activation": "gelu_pytorch_tanh"}
FAMILIES: list[tuple[str, dict[str, Any]]] = [
    ("Qwen2", {"tie_word_embeddings": True}),
    ("Mistral", {"sliding_window": 64}),
    ("Gemma2", GEMMA),
    ("Phi3", {"sliding_window": 64}),
    ("Phi3", {"num_key_value_heads": 4}),
]


@pytest.mark.parametrize(("family", "settings"), FAMILIES, ids=str)
def test_every_family_trains_and_saves_as_the_reference(tmp_path: Path, family: str, settings: dict[str, Any]) -> None:
    model = build_family_model(tmp_path / "model", family, **settings)
    directory = tmp_path / "experiment"
    write_tiny_experiment(directory, model)
    with_settings(directory, "LoRA Target Modules: q_proj, k_proj, v_proj, output_proj, mlp")
    for title in ("model function", STEPS, CHECKPOINTS):
        result = looked(directory, title)
        assert (result.errors, result.unchecked) == ((), "")


def test_a_training_of_all_weights_passes(experiment: Path) -> None:
    for old, new in FULL:
        replace(experiment / PLAN, old, new)
    result = looked(experiment, STEPS)
    assert (result.errors, result.unchecked) == ((), "")
    assert checks_of(experiment, CHECKPOINTS) == ()


def test_the_tokens_of_the_data_are_those_of_the_whole_conversation(experiment: Path) -> None:
    result = looked(experiment, TOKENS)
    assert (result.errors, result.unchecked) == ((), "")
    assert result.figure == "320 examples, 11% of their 9840 tokens are learnt"


def test_answers_that_are_tokenized_by_themselves_are_an_error(
    experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SentencePiece does: with a space in front of every text."""

    def split(encode: Any, parts: Any) -> list[tuple[list[int], bool]]:
        return [(encode(f" {text}" if learnt else text), learnt) for text, learnt in parts]

    monkeypatch.setattr(tokenized_data, "joint_tokens", split)
    assert "trainings learn other tokens than those of the conversation" in message(looked(experiment, TOKENS))


def test_an_answer_that_is_not_learnt_is_an_error(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = tokenized_data.tokenized_example

    def masks_too_much(*given: Any, **options: Any) -> tuple[list[int], list[int]]:
        tokens, labels = original(*given, **options)
        return tokens, [-100] * (len(labels) - 1) + labels[-1:]

    monkeypatch.setattr(tokenized_data, "tokenized_example", masks_too_much)
    assert "'House' is not in what is learnt, '<|im_end|>'" in message(looked(experiment, TOKENS))


def floors(recipe: type[Any]) -> type[Any]:
    """Drops the last incomplete batch, as torchtune's recipes do."""

    class Flooring(recipe):  # type: ignore[misc]  # the recipes are untyped
        def _setup_data(self, *given: Any, **options: Any) -> Any:
            from torch.utils.data import DataLoader

            whole = super()._setup_data(*given, **options)
            loader = DataLoader(
                whole.dataset, whole.batch_size, sampler=whole.sampler, collate_fn=whole.collate_fn, drop_last=True
            )
            self.max_steps_per_epoch = len(loader)
            return loader

    return Flooring


def keeps_gradients(recipe: type[Any]) -> type[Any]:
    """Adds the gradients of every step to those of the next one."""

    class Keeping(recipe):  # type: ignore[misc]  # the recipes are untyped
        def setup(self, cfg: Any) -> None:
            super().setup(cfg)
            self._optimizer.zero_grad = lambda **_: None

    return Keeping


def merges_into_the_live_weights(recipe: type[Any]) -> type[Any]:
    """As torchtune's LoRA recipe does on a CPU."""

    class Merging(recipe):  # type: ignore[misc]  # the recipes are untyped
        def save_checkpoint(self, epoch: int) -> None:
            super().save_checkpoint(epoch)
            self._model.load_state_dict(self.merged_weights(), strict=False)

    return Merging


def starts_late(recipe: type[Any]) -> type[Any]:
    """Uses the learning rate of the next step."""

    class Late(recipe):  # type: ignore[misc]  # the recipes are untyped
        def _setup_lr_scheduler(self, *given: Any, **options: Any) -> Any:
            schedule = super()._setup_lr_scheduler(*given, **options)
            schedule.step()
            return schedule

    return Late


def forgets_the_optimizer(recipe: type[Any]) -> type[Any]:
    """Resumes with a new optimizer."""

    class Forgetting(recipe):  # type: ignore[misc]  # the recipes are untyped
        def setup(self, cfg: Any) -> None:
            super().setup(cfg)
            if cfg.resume_from_checkpoint:
                self._optimizer.state.clear()

    return Forgetting


def has_one_order(recipe: type[Any]) -> type[Any]:
    """Shuffles with the seed 0, as torchtune's recipes do."""

    class Same(recipe):  # type: ignore[misc]  # the recipes are untyped
        def _setup_data(self, *given: Any, **options: Any) -> Any:
            loader = super()._setup_data(*given, **options)
            loader.sampler._seed = 0
            return loader

    return Same


FAULTS: list[tuple[Change, str]] = [
    (floors, "it makes 4 steps instead of 6"),
    (keeps_gradients, "the loss of step 3 is "),
    (merges_into_the_live_weights, "the loss of step 4 is "),
    (starts_late, "the learning rate of step 1 is "),
    (forgets_the_optimizer, "the losses of the last epoch are "),
    (has_one_order, "the order of the examples, or the adapters' first weights, do not follow from the seed"),
]


@pytest.mark.parametrize(("fault", "words"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_recipe_with_a_fault_is_an_error_at_the_runs_line(
    experiment: Path, monkeypatch: pytest.MonkeyPatch, fault: Change, words: str
) -> None:
    with_recipe(monkeypatch, fault)
    found = message(looked(experiment, STEPS))
    assert f"is not what a plain loop over Transformers does: {words}" in found


def test_other_data_per_epoch_is_an_error(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Skipping:
        """A sampler that leaves one example out."""

        def __init__(self, whole: Any) -> None:
            self.whole = whole
            self.set_epoch = whole.set_epoch

        def __iter__(self) -> Any:
            return iter([0, *list(self.whole)[1:]])

        def __len__(self) -> int:
            return len(self.whole)

    def skips(recipe: type[Any]) -> type[Any]:
        class Other(recipe):  # type: ignore[misc]  # the recipes are untyped
            def _setup_data(self, *given: Any, **options: Any) -> Any:
                from torch.utils.data import DataLoader

                whole = super()._setup_data(*given, **options)
                return DataLoader(
                    whole.dataset, whole.batch_size, sampler=Skipping(whole.sampler), collate_fn=whole.collate_fn
                )

        return Other

    with_recipe(monkeypatch, skips)
    assert "an epoch has 7 of 7 examples, but not each once" in message(looked(experiment, STEPS))


def test_a_merge_in_bf16_is_an_error(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def rounds(recipe: type[Any]) -> type[Any]:
        class Rounding(recipe):  # type: ignore[misc]  # the recipes are untyped
            def merged_weights(self) -> dict[str, Any]:
                weights = super().merged_weights()
                return {name: tensor.to(torch.bfloat16).float() for name, tensor in weights.items()}

        return Rounding

    with_settings(experiment, "Save: merged", "Precision: bf16")
    with_recipe(monkeypatch, rounds)
    assert "the checkpoint as evaluations load it is not W + (α/r) · B · A" in message(looked(experiment, CHECKPOINTS))


def test_adapters_that_are_trained_in_bf16_are_an_error(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def rounds(recipe: type[Any]) -> type[Any]:
        class Rounding(recipe):  # type: ignore[misc]  # the recipes are untyped
            def setup(self, cfg: Any) -> None:
                super().setup(cfg)
                for name, parameter in self._model.named_parameters():
                    if "lora_" in name:
                        parameter.data = parameter.data.to(torch.bfloat16)

        return Rounding

    with_settings(experiment, "Precision: bf16")
    with_recipe(monkeypatch, rounds)
    messages = [problem.message for problem in looked(experiment, CHECKPOINTS).errors]
    assert messages[-1] == "run `SmolLM2-135M-Instruct_rank4`: adapters are trained in bfloat16, not in fp32"


def test_an_adapter_with_another_scale_is_an_error(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = peft_adapter._peft_config
    monkeypatch.setattr(
        peft_adapter, "_peft_config", lambda adapter: original(adapter) | {"lora_alpha": adapter.alpha / 2}
    )
    assert "is off by 5.0e-01 of its largest change" in message(looked(experiment, CHECKPOINTS))


def test_a_recipe_of_ones_own_counts_as_not_checked(experiment: Path) -> None:
    replace(experiment / PLAN, "lora_finetune_single_device", "my_package.my_lora_recipe")
    (check,) = checks_of(experiment, STEPS)
    assert check.look(here).unchecked == "the recipe is not tunebook's, which alone is compared"


def test_the_small_training_leaves_a_batch_and_an_accumulation_incomplete(experiment: Path) -> None:
    with_settings(experiment, "Gradient Accumulation Steps: 4")
    result = looked(experiment, STEPS)
    examples = 3 * 2 + 3 + 1
    assert result.figure.startswith(f"{2 * steps_per_epoch(examples, batch_size=3, accumulation=2)} steps of 2 epochs")


def test_without_torchtune_nothing_counts_as_checked(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"torchtune", "torch"}
    for module in (deep_checks, deep_training):
        monkeypatch.setattr(module, "find_spec", lambda name: None if name in missing else name)
    for title in ("model function", TOKENS, STEPS, CHECKPOINTS):
        assert looked(experiment, title).unchecked == "torch, torchtune is not installed here"
