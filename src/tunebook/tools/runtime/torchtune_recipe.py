"""torchtune's stock single-device recipes with what 0.6.1 lacks: validation, and resuming at the right step.

Started by ``tune run`` instead of the stock recipe that ``stock_recipe`` in the configuration names. If there is a
``dataset_val``, validation runs before every epoch's checkpoint, and every ``run_val_every_n_steps`` steps if that is
set. It draws no random numbers and leaves no gradients: with and without it, training is the same, bit for bit.
Runs inside the training job, and needs nothing else of tunebook.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
import torchtune
from torch.utils.data import DataLoader
from torchtune import config, utils
from torchtune.data import padded_collate_sft

__all__ = ["RECIPES", "continuing", "recipe_main", "validating"]

RECIPES = {
    "lora_finetune_single_device": "LoRAFinetuneRecipeSingleDevice",
    "full_finetune_single_device": "FullFinetuneRecipeSingleDevice",
}


def _stock_class(name: str) -> type[Any]:
    """Loads the recipe's class from the file that ``tune run`` would run."""
    path = Path(torchtune.__file__).parent.parent / "recipes" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"stock_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"torchtune's recipe {path} was not found")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[Any] = getattr(module, RECIPES[name])
    return found


class _AfterEachBatch:
    """Wraps the recipe's profiler, whose ``step`` the training loop calls after every batch."""

    def __init__(self, profiler: Any, act: Any) -> None:
        self._profiler = profiler
        self._act = act

    def __enter__(self) -> Self:
        self._profiler.__enter__()
        return self

    def __exit__(self, *details: object) -> Any:
        return self._profiler.__exit__(*details)

    def step(self) -> None:
        self._profiler.step()
        self._act()


def continuing(stock: type[Any]) -> type[Any]:
    """Makes the stock recipe's class continue its count of steps when it resumes.

    0.6.1's LoRA recipe starts at step 0 again unless ``max_steps_per_epoch`` cuts the epochs short, and so does its
    learning rate: a resumed training would silently use the rates of its first epoch.
    """

    class Continuing(stock):  # type: ignore[misc]  # torchtune is untyped
        def _setup_lr_scheduler(self, cfg_lr_scheduler: Any, num_training_steps: int, last_epoch: int) -> Any:
            del last_epoch
            self.global_step = self.epochs_run * self._steps_per_epoch
            return super()._setup_lr_scheduler(
                cfg_lr_scheduler=cfg_lr_scheduler,
                num_training_steps=num_training_steps,
                last_epoch=self.global_step - 1,
            )

    return Continuing


def validating(stock: type[Any]) -> type[Any]:
    """Adds validation to the stock recipe's class."""

    class Validating(stock):  # type: ignore[misc]  # torchtune is untyped
        def setup(self, cfg: Any) -> None:
            super().setup(cfg)
            data = config.instantiate(cfg.dataset_val, self._tokenizer)
            collate = partial(
                padded_collate_sft, padding_idx=self._tokenizer.pad_id, ignore_idx=self._loss_fn.ignore_index
            )
            self._val_loader = DataLoader(
                data,
                batch_size=cfg.batch_size,
                collate_fn=collate,
                generator=torch.Generator(),  # otherwise every pass would draw from the training's random numbers
            )
            self._val_every = cfg.get("run_val_every_n_steps")
            self._validated_at = 0
            self._profiler: Any = _AfterEachBatch(self._profiler, self._validate_if_due)

        def _validate_if_due(self) -> None:
            if self._val_every and self.global_step % self._val_every == 0:
                self._validate()

        def save_checkpoint(self, epoch: int) -> None:
            self._validate()
            super().save_checkpoint(epoch=epoch)

        def _validate(self) -> None:
            """Logs the mean loss over all answer tokens of the validation split, at most once per step."""
            if self.global_step == self._validated_at:
                return
            self._validated_at = self.global_step
            self._model.eval()
            total, tokens = 0.0, 0
            with torch.no_grad():
                for batch in self._val_loader:
                    utils.batch_to_device(batch, self._device)
                    count = int((batch["labels"] != self._loss_fn.ignore_index).sum())
                    total += float(self._loss_step(batch)) * count
                    tokens += count
            self._model.train()
            self._metric_logger.log_dict({"val_loss": total / tokens}, step=self.global_step)

    return Validating


@config.parse  # type: ignore[untyped-decorator]  # torchtune is untyped
def recipe_main(cfg: Any) -> None:
    """Runs the recipe; ``tune run`` calls this."""
    config.log_config(recipe_name=f"{cfg.stock_recipe}, extended by tunebook", cfg=cfg)
    recipe_class = continuing(_stock_class(cfg.stock_recipe))
    if "dataset_val" in cfg:
        recipe_class = validating(recipe_class)
    recipe = recipe_class(cfg=cfg)
    recipe.setup(cfg=cfg)
    recipe.train()
    recipe.cleanup()


if __name__ == "__main__":
    sys.exit(recipe_main())
