"""tunebook's recipe: torchtune 0.6.1's recipe for one device with a training loop and checkpoints of our own.

Started by ``tune run`` in place of the stock recipe that ``stock_recipe`` in the configuration names. If there is a
``dataset_val``, validation runs before every epoch's checkpoint, and every ``run_val_every_n_steps`` steps if that is
set. It draws no random numbers and leaves no gradients: with and without it, training is the same, bit for bit.
Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torchtune
from torch.utils.data import DataLoader
from torchtune import config, utils
from torchtune.data import padded_collate_sft

from tunebook.tools.runtime.job_errors import TrainingError
from tunebook.tools.runtime.torchtune_adapters import AdaptersInFP32
from tunebook.tools.runtime.torchtune_checkpoints import AdapterCheckpoints, FullCheckpoints
from tunebook.tools.runtime.torchtune_loop import TrainingLoop
from tunebook.tools.runtime.torchtune_proof import LossAsTrained

__all__ = ["RECIPES", "Validation", "recipe_class", "recipe_main", "stock_class"]

RECIPES = {
    "lora_finetune_single_device": "LoRAFinetuneRecipeSingleDevice",
    "full_finetune_single_device": "FullFinetuneRecipeSingleDevice",
}


def stock_class(name: str) -> type[Any]:
    """Loads the recipe's class from the file that ``tune run`` would run."""
    path = Path(torchtune.__file__).parent.parent / "recipes" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"stock_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"torchtune's recipe {path} was not found")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[Any] = getattr(module, RECIPES[name])
    return found


class Validation(TrainingLoop):
    """Logs the mean loss over all learnt tokens of the validation split, if the configuration names one."""

    def setup(self, cfg: Any) -> None:
        """Sets the recipe up, and loads the validation split."""
        made: Any = super()
        made.setup(cfg)
        self._val_loader: Any = None
        self._val_every = cfg.get("run_val_every_n_steps")
        self._validated_at = 0
        if "dataset_val" not in cfg:
            return
        data = config.instantiate(cfg.dataset_val, self._tokenizer)
        ignored = self._loss_fn.ignore_index
        self._val_loader = DataLoader(
            data,
            batch_size=cfg.batch_size,
            collate_fn=partial(padded_collate_sft, padding_idx=self._tokenizer.pad_id, ignore_idx=ignored),
            generator=torch.Generator(),  # otherwise every pass would draw from the training's random numbers
        )

    def after_step(self) -> None:
        """Validates after every ``run_val_every_n_steps`` steps."""
        if self._val_every and self.global_step % self._val_every == 0:
            self.validate()

    def validate(self) -> None:
        """Logs the validation loss, at most once per step."""
        if self._val_loader is None or self.global_step == self._validated_at:
            return
        self._validated_at = self.global_step
        self._model.eval()
        total, tokens = 0.0, 0
        with torch.no_grad():
            for batch in self._val_loader:
                count = self.learnt_tokens(batch)
                if not count:
                    continue  # its mean would be 0 / 0
                utils.batch_to_device(batch, self._device)
                total += float(self._loss_step(batch)) * count
                tokens += count
        self._model.train()
        self._metric_logger.log_dict({"val_loss": total / tokens}, step=self.global_step)


def recipe_class(name: str) -> type[Any]:
    """Tunebook's recipe in place of one of torchtune's, by that one's name."""
    stock = stock_class(name)
    bases: tuple[type[Any], ...] = (Validation, LossAsTrained, FullCheckpoints, stock)
    if name.startswith("lora"):
        bases = (Validation, LossAsTrained, AdapterCheckpoints, AdaptersInFP32, stock)
    return type("Recipe", bases, {})


@config.parse  # type: ignore[untyped-decorator]  # torchtune is untyped
def recipe_main(cfg: Any) -> int:
    """Runs the recipe; ``tune run`` calls this."""
    config.log_config(recipe_name=f"{cfg.stock_recipe}, extended by tunebook", cfg=cfg)
    recipe = recipe_class(cfg.stock_recipe)(cfg=cfg)
    recipe.setup(cfg=cfg)
    try:
        recipe.train()
    except TrainingError as error:
        sys.stderr.write(f"tunebook: {error}\n")
        return 1
    finally:
        recipe.cleanup()
    return 0


if __name__ == "__main__":
    sys.exit(recipe_main())
