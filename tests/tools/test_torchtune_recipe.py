"""Validation during training: it really runs, and changes nothing of the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.scaffolding import scaffolded
from support.trainings import configuration, experiment_with, train
from tunebook.errors import PlanError

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
EVERY_TWO_STEPS = ("Validation During Training:** no", "Validation During Training:** every 2 steps")
AFTER_EPOCHS = ("Validation During Training:** no", "Validation During Training:** yes")


def test_validation_runs_and_training_is_the_same_bit_for_bit(tmp_path: Path) -> None:
    config = configuration(tmp_path, "LoRA Dropout: 0.1", edits=(EVERY_TWO_STEPS,))
    validated = train(config)
    del config["dataset_val"], config["run_val_every_n_steps"]
    plain = train(config)
    assert validated.logged("loss") == plain.logged("loss")
    assert len(plain.metrics) == 10
    found = {entry["step"]: entry["val_loss"] for entry in validated.metrics if "val_loss" in entry}
    assert list(found) == [2, 4, 5, 6, 8, 10]
    assert found[10] < found[2]


def test_validation_after_every_epoch(tmp_path: Path) -> None:
    experiment = experiment_with(tmp_path, AFTER_EPOCHS)
    scaffolded(experiment)
    script = (experiment / "rank4" / "finetune.slurm").read_text()
    assert "\nrecipe=tunebook/tools/runtime/torchtune_recipe.py\n" in script
    assert "run_val_every_n_steps: epoch" in (experiment / "rank4" / "setup_finetune.yaml").read_text()


def test_validation_without_a_validation_split_is_refused(tmp_path: Path) -> None:
    experiment = experiment_with(
        tmp_path,
        AFTER_EPOCHS,
        ("train (40), validation (7), test (5)", "train (40), test (5)"),
    )
    with pytest.raises(PlanError, match="has no validation split"):
        scaffolded(experiment)


def test_validation_with_several_gpus_is_refused(tmp_path: Path) -> None:
    experiment = experiment_with(
        tmp_path,
        AFTER_EPOCHS,
        ("lora_finetune_single_device", "lora_finetune_distributed"),
        ("- **GPUs:** 0", "- **GPUs:** 2"),
    )
    with pytest.raises(PlanError, match="cannot validate during training"):
        scaffolded(experiment)


def test_the_validation_loss_is_the_mean_over_all_answer_tokens(tmp_path: Path) -> None:
    """Batches with more answer tokens count more; prompts and padding, which are ignored, do not count."""
    import torch

    from tunebook.tools.runtime.torchtune_recipe import recipe_class

    config = configuration(tmp_path, edits=(EVERY_TWO_STEPS,))
    session: Any = recipe_class(config.stock_recipe)(cfg=config)
    session.setup(cfg=config)
    ignored = session._loss_fn.ignore_index
    batches = [
        {"labels": torch.tensor([[ignored, ignored, ignored, ignored, 5]]), "loss": torch.tensor(4.0)},
        {"labels": torch.tensor([[ignored, 5, 5, 5, ignored]]), "loss": torch.tensor(2.0)},
    ]
    logged: list[dict[str, float]] = []

    def log_dict(values: dict[str, float], *, step: int) -> None:
        logged.append(values | {"step": step})

    session._val_loader = batches
    session._loss_step = lambda batch: batch["loss"]
    session._metric_logger.log_dict = log_dict
    session.global_step = 7
    session.validate()
    session.validate()
    assert logged == [{"val_loss": (4.0 * 1 + 2.0 * 3) / 4, "step": 7}]
    session.cleanup()
