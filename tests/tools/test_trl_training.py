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
from tunebook.tools.runtime import trl_job
from tunebook.tools.runtime.job_errors import JobError, TrainingError
from tunebook.tools.runtime.proof import read_proof
from tunebook.tools.torchtune.plain_training import PlainSettings, PlainTraining

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
