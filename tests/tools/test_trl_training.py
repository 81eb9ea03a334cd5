"""Trainings with TRL against a plain loop over Transformers, and their checkpoints against what was trained."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from support.tiny_model import build_tiny_model
from support.trl_trainings import first_adapters, logged, sft_settings, trained_with_trl
from tunebook.artifacts.curve import read_metrics_curve
from tunebook.tools.deep.plain_training import PlainSettings, PlainTraining
from tunebook.tools.runtime import trl_job
from tunebook.tools.runtime.job_errors import JobError, TrainingError
from tunebook.tools.runtime.proof import read_proof

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, PEFT and torch warn of one another

PLAIN = PlainSettings(
    batch=2,
    accumulation=2,
    lr=1e-2,
    schedule="cosine",
    warmup=0,
    weight_decay=0.01,
    clip=None,
    most_steps=0,
    rank=4,
    alpha=8,
)
ALL_WEIGHTS: dict[str, Any] = {
    "use_peft": False,
    "lora_r": None,
    "lora_alpha": None,
    "lora_dropout": None,
    "lora_target_modules": None,
    "tunebook__save": None,
}
# Eleven examples: the last batch of two has one, and the last step of two batches has two or one of them.
CASES: dict[str, tuple[PlainSettings, dict[str, Any]]] = {
    "cosine": (PLAIN, {"gradient_accumulation_steps": 2}),
    "one batch left over": (PLAIN, {"gradient_accumulation_steps": 2, "examples": 10}),
    "linear, warm-up, weight decay, prompts learnt too": (
        dataclasses.replace(PLAIN, schedule="linear", warmup=2, accumulation=4, weight_decay=0.3),
        {
            "gradient_accumulation_steps": 4,
            "lr_scheduler_type": "linear",
            "warmup_steps": 2,
            "weight_decay": 0.3,
            "data__train_on_input": True,
        },
    ),
    "constant, warm-up, clipping": (
        dataclasses.replace(PLAIN, schedule="constant", warmup=3, accumulation=1, clip=0.05),
        {"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 3, "max_grad_norm": 0.05},
    ),
    "fewer steps, three epochs": (
        dataclasses.replace(PLAIN, most_steps=2),
        {"gradient_accumulation_steps": 2, "tunebook__max_steps_per_epoch": 2, "num_train_epochs": 3},
    ),
    "all weights, norms and biases decay too": (
        dataclasses.replace(PLAIN, rank=0, schedule="linear", warmup=1, clip=0.5, lr=3e-4, weight_decay=0.3),
        {
            "gradient_accumulation_steps": 2,
            "lr_scheduler_type": "linear",
            "warmup_steps": 1,
            "max_grad_norm": 0.5,
            "learning_rate": 3e-4,
            "weight_decay": 0.3,
            **ALL_WEIGHTS,
        },
    ),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("trl") / "model")


def orders_of(trainer: Any, epochs: int) -> list[list[int]]:
    order = trainer._batches.order
    found = []
    for epoch in range(epochs):
        order.set_epoch(epoch)
        found.append(list(order))
    return found


def plain_of(trainer: Any, settings: PlainSettings, model: Path) -> PlainTraining:
    """The plain loop after the same training, from the same first adapters."""
    plain = PlainTraining(model, settings, first_adapters(trainer))
    rows = [{"tokens": row["input_ids"], "labels": row["labels"]} for row in trainer.train_dataset]
    epochs = trainer.settings.epochs
    plain.run([[rows[index] for index in order] for order in orders_of(trainer, epochs)])
    return plain


PROBE = [[1, 5, 9, 40, 77, 120, 3, 200]]


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model.eval()(input_ids=torch.tensor(PROBE)).logits.float()


@pytest.mark.parametrize("case", CASES)
def test_every_step_is_that_of_a_plain_loop(tmp_path: Path, model: Path, case: str) -> None:
    """Losses, learning rates and trained weights, in fp32 and without dropout."""
    import torch

    from tunebook.tools.runtime.trl_training import set_up, train

    plain_settings, changes = CASES[case]
    settings = sft_settings(tmp_path, model, **changes)
    trainer = set_up(settings)
    plain = plain_of(trainer, plain_settings, model)
    train(trainer)
    metrics = logged(settings)
    assert [entry["loss"] for entry in metrics] == pytest.approx(plain.losses, abs=1e-5)
    assert [entry["lr"] for entry in metrics] == pytest.approx(plain.rates, abs=1e-9)
    assert {entry["total_steps"] for entry in metrics} == {len(plain.losses)}
    assert metrics[-1]["epoch"] == settings.epochs - 1
    torch.testing.assert_close(logits(trainer.model), logits(plain.model), atol=2e-4, rtol=0)
    assert read_metrics_curve(settings.output / "metrics.jsonl").curve.steps == tuple(range(1, len(metrics) + 1))


def finished(settings: Any) -> str:
    """What the job's checks after the training say; empty if they find nothing."""
    try:
        trl_job.finish(settings)
        trl_job.prove(settings)
    except JobError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("changes", "precision"),
    [
        ({}, "fp32"),
        ({"tunebook__save": "merged"}, "fp32"),
        ({"dtype": "bfloat16"}, "bf16"),
        ({"dtype": "bfloat16", "tunebook__save": "merged"}, "fp32"),
        ({"dtype": "bfloat16", **ALL_WEIGHTS}, "bf16"),
    ],
    ids=["adapter", "merged", "adapter on bf16", "merged from bf16", "all weights in bf16"],
)
def test_every_checkpoint_is_the_model_that_was_trained(
    tmp_path: Path, model: Path, changes: dict[str, Any], precision: str
) -> None:
    """As evaluations load it; adapters are in fp32 on any base."""
    import torch

    settings = sft_settings(tmp_path, model, **changes)
    trainer = trained_with_trl(settings)
    if settings.trains_adapters:
        trained = [parameter for parameter in trainer.model.parameters() if parameter.requires_grad]
        assert {parameter.dtype for parameter in trained} == {torch.float32}
    assert finished(settings) == ""
    entries = read_proof(settings.output)
    assert [entry["epoch"] for entry in entries] == [0, 1]
    for entry in entries:
        assert (entry["split"], entry["precision"]) == ("validation", precision)
        if settings.precision == "fp32":
            assert abs(entry["evaluated"] - entry["trained"]) < 1e-5
    assert not (settings.output / "training_state").exists()
    assert not list(settings.output.glob("*.part"))


def test_a_checkpoint_that_is_another_model_fails_the_training(tmp_path: Path, model: Path) -> None:
    settings = sft_settings(tmp_path, model)
    trained_with_trl(settings)
    file = settings.output / "epoch_1" / "adapter_config.json"
    values = json.loads(file.read_text())
    assert values["base_model_name_or_path"] == str(model)
    file.write_text(json.dumps(values | {"lora_alpha": 80}))
    assert "another model than the one that was trained: epoch 1: the mean" in finished(settings)
    (settings.output / "epoch_1" / "adapter_model.safetensors").unlink()
    assert "adapter_model.safetensors cannot be read" in finished(settings)


@pytest.mark.parametrize("changes", [{"lora_dropout": 0.2}, ALL_WEIGHTS], ids=["adapters", "all weights"])
def test_a_resumed_training_is_the_whole_one_bit_for_bit(tmp_path: Path, model: Path, changes: dict[str, Any]) -> None:
    """With dropout, whose random numbers go on where they were, and with an epoch that ends within an accumulation."""
    settings = sft_settings(tmp_path, model, gradient_accumulation_steps=2, **changes)
    assert trl_job.begin(settings, inputs="digest", interrupted=False) is None
    whole = trained_with_trl(settings)
    expected = {name: tensor.clone() for name, tensor in whole.model.state_dict().items()}
    before = logged(settings)
    state = trl_job.begin(settings, inputs="digest", interrupted=True)
    assert state is not None
    assert [entry["epoch"] for entry in logged(settings)] == [0, 0, 0]
    assert not (settings.output / "epoch_1").exists()
    resumed = trained_with_trl(settings, resume=state)
    found = resumed.model.state_dict()
    assert all(tensor.equal(found[name]) for name, tensor in expected.items())
    after = logged(settings)
    for key in ("step", "loss", "lr", "grad_norm"):
        assert [entry[key] for entry in after] == [entry[key] for entry in before], key
    assert finished(settings) == ""


def test_a_training_resumes_only_with_the_same_inputs_and_from_a_whole_state(tmp_path: Path, model: Path) -> None:
    settings = sft_settings(tmp_path, model)
    state = settings.output / "training_state" / "checkpoint-6"
    mark = settings.output / "training_state" / "whole.json"

    def attempt(inputs: str = "digest") -> Path | None:
        state.mkdir(parents=True, exist_ok=True)
        (state / "trainer_state.json").write_text("{}")
        mark.write_text('{"epochs": 1, "step": 6}')
        (settings.output / "epoch_0").mkdir(exist_ok=True)
        (settings.output / "epoch_0" / "config.json").write_text("{}")
        return trl_job.begin(settings, inputs=inputs, interrupted=True)

    assert attempt() is None  # no earlier attempt has recorded its inputs
    assert attempt() == state
    assert attempt("other") is None
    assert not state.exists()
    assert attempt("") is None
    assert attempt() is None
    mark.parent.mkdir(exist_ok=True)
    mark.write_text('{"epochs"')
    assert trl_job.begin(settings, inputs="digest", interrupted=True) is None  # torn
    assert trl_job.begin(settings, inputs="digest", interrupted=False) is None


def test_validation_runs_when_it_is_due_and_changes_nothing(tmp_path: Path, model: Path) -> None:
    """With dropout, whose random numbers it must not draw."""
    common = {"lora_dropout": 0.2, "per_device_eval_batch_size": 3}
    without = sft_settings(tmp_path / "without", model, **common)
    trained_with_trl(without)
    with_it = sft_settings(tmp_path / "with", model, eval_strategy="steps", eval_steps=4, **common)
    trainer = trained_with_trl(with_it)
    losses = [[entry["loss"] for entry in logged(settings)] for settings in (without, with_it)]
    assert losses[0] == losses[1]
    validated = logged(with_it, "val_loss")
    assert [(entry["step"], entry["epoch"]) for entry in validated] == [(4, 0), (6, 0), (8, 1), (12, 1)]
    trained = read_proof(with_it.output)[-1]["trained"]  # of the same seven examples
    assert validated[-1]["val_loss"] == pytest.approx(trained, abs=1e-5)
    assert trainer.state.global_step == 12


def test_a_loss_that_is_not_finite_stops_the_training_at_its_step(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRL would log a loss of 0.0, and train on."""
    import torch

    from tunebook.tools.runtime import trl_epochs
    from tunebook.tools.runtime.trl_training import set_up, train

    settings = sft_settings(tmp_path, model)
    trainer = set_up(settings)
    monkeypatch.setattr(trl_epochs, "prove_batch", lambda *_: None)
    before = first_adapters(trainer)
    compute: Any = trainer.compute_loss
    monkeypatch.setattr(trainer, "compute_loss", lambda *given, **options: compute(*given, **options) * math.nan)
    with pytest.raises(TrainingError, match="the loss of step 1 is not finite"):
        train(trainer)
    assert all(torch.equal(tensor, before[name]) for name, tensor in first_adapters(trainer).items())
    (entry,) = logged(settings)
    assert (entry["loss"], entry["diverged"], entry["step"]) == (None, True, 1)
    assert not list(settings.output.glob("epoch_*"))
    shutil.rmtree(settings.output)


def test_activations_that_are_computed_again_change_nothing(tmp_path: Path, model: Path) -> None:
    """As for large models on a GPU; with dropout, whose random numbers are drawn again."""
    common = {"lora_dropout": 0.2, "num_train_epochs": 1}
    plain = sft_settings(tmp_path / "plain", model, **common)
    again = sft_settings(tmp_path / "again", model, gradient_checkpointing=True, **common)
    for settings in (plain, again):
        trained_with_trl(settings)
    losses = [[entry["loss"] for entry in logged(settings)] for settings in (plain, again)]
    assert losses[0] == losses[1]


def test_the_order_follows_from_the_seed_of_the_data_and_the_first_adapters_from_the_other(
    tmp_path: Path, model: Path
) -> None:
    from tunebook.tools.runtime.trl_training import set_up

    def begun(place: str, **seeds: int) -> tuple[list[list[int]], Any]:
        trainer = set_up(sft_settings(tmp_path / place, model, **seeds))
        return orders_of(trainer, 2), first_adapters(trainer)["model.layers.0.self_attn.q_proj.lora_A.weight"]

    one, first = begun("one")
    other_order, same_first = begun("order", data_seed=15)
    same_order, other_first = begun("first", seed=15)
    assert one == same_order
    assert one[0] != one[1]
    assert not {tuple(order) for order in one} & {tuple(order) for order in other_order}
    assert first.equal(same_first)
    assert not first.equal(other_first)
