"""Validation during training: it really runs, and changes nothing of the training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.scaffolding import scaffolded
from support.tiny_model import build_tiny_model
from tunebook.demo.data import task_source
from tunebook.demo.plan import DemoPlan
from tunebook.errors import ExitCode, PlanError
from tunebook.tools.parameters import installed_parameters

pytestmark = pytest.mark.filterwarnings("ignore")  # Transformers, torchao and torch warn of one another
WORDS = [{"input": word, "output": word.capitalize()} for word in ("house", "table", "water", "stone", "cloud")]


def experiment_with(directory: Path, *edits: tuple[str, str]) -> Path:
    """The demo's plan with the tiny model, edited; two epochs of five steps."""
    model = build_tiny_model(directory / "SmolLM2-135M-Instruct")
    experiment = directory / "validated"
    experiment.mkdir()
    (experiment / "words.json").write_text(
        json.dumps({"train": WORDS * 8, "validation": WORDS + WORDS[:2], "test": WORDS})
    )
    (experiment / "cap_task.py").write_text(task_source())
    plan = DemoPlan(
        name="validated",
        directory=experiment,
        model=model,
        dataset=experiment / "words.json",
        task=experiment / "cap_task.py",
        created="2026-01-01",
        parameters=installed_parameters(),
    )
    page = plan.text().replace("train (320), validation (40), test (40)", "train (40), validation (7), test (5)")
    page = page.replace("**Epochs:** 1", "**Epochs:** 2").replace("✓ epoch 0", "✓ epoch 1")
    page = page.replace("- **Seed:** 14", "- **Seed:** 14\n- **LoRA dropout:** 0.1")
    for old, new in edits:
        assert old in page
        page = page.replace(old, new)
    (experiment / "experiment_summary.md").write_text(page)
    return experiment


def train(config: Any, recipe: type[Any]) -> list[dict[str, Any]]:
    """Trains in this process and returns what was logged."""
    session = recipe(cfg=config)
    session.setup(cfg=config)
    session.train()
    session.cleanup()
    return [json.loads(line) for line in (Path(config.output_dir) / "metrics.jsonl").read_text().splitlines()]


def test_validation_runs_and_training_is_the_same_bit_for_bit(tmp_path: Path) -> None:
    from omegaconf import OmegaConf

    from tunebook.tools.runtime.torchtune_recipe import recipe_class

    experiment = experiment_with(
        tmp_path, ("Validation During Training:** no", "Validation During Training:** every 2 steps")
    )
    assert scaffolded(experiment).exit_code is ExitCode.DONE
    config: Any = OmegaConf.load(experiment / "rank4" / "finetune.yaml")
    recipe = recipe_class(config.stock_recipe)
    validated = train(config, recipe)
    del config["dataset_val"], config["run_val_every_n_steps"]
    plain = train(config, recipe)
    losses = [entry["loss"] for entry in validated if "loss" in entry]
    assert losses == [entry["loss"] for entry in plain]
    assert len(losses) == 10
    found = {entry["step"]: entry["val_loss"] for entry in validated if "val_loss" in entry}
    assert list(found) == [2, 4, 5, 6, 8, 10]
    assert found[10] < found[2]


def test_validation_after_every_epoch(tmp_path: Path) -> None:
    experiment = experiment_with(tmp_path, ("Validation During Training:** no", "Validation During Training:** yes"))
    scaffolded(experiment)
    script = (experiment / "rank4" / "finetune.slurm").read_text()
    assert "\nrecipe=tunebook/tools/runtime/torchtune_recipe.py\n" in script
    assert "run_val_every_n_steps: epoch" in (experiment / "rank4" / "setup_finetune.yaml").read_text()


def test_validation_without_a_validation_split_is_refused(tmp_path: Path) -> None:
    experiment = experiment_with(
        tmp_path,
        ("Validation During Training:** no", "Validation During Training:** yes"),
        ("train (40), validation (7), test (5)", "train (40), test (5)"),
    )
    with pytest.raises(PlanError, match="has no validation split"):
        scaffolded(experiment)


def test_validation_with_several_gpus_is_refused(tmp_path: Path) -> None:
    experiment = experiment_with(
        tmp_path,
        ("Validation During Training:** no", "Validation During Training:** yes"),
        ("lora_finetune_single_device", "lora_finetune_distributed"),
        ("- **GPUs:** 0", "- **GPUs:** 2"),
    )
    with pytest.raises(PlanError, match="cannot validate during training"):
        scaffolded(experiment)


def test_the_validation_loss_is_the_mean_over_all_answer_tokens(tmp_path: Path) -> None:
    """Batches with more answer tokens count more; prompts and padding, which are ignored, do not count."""
    import torch
    from omegaconf import OmegaConf

    from tunebook.tools.runtime.torchtune_recipe import recipe_class

    experiment = experiment_with(
        tmp_path, ("Validation During Training:** no", "Validation During Training:** every 2 steps")
    )
    scaffolded(experiment)
    config: Any = OmegaConf.load(experiment / "rank4" / "finetune.yaml")
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
