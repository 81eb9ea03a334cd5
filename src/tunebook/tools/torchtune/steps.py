"""Optimizer steps: how many a training makes, and how many of them warm up the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tunebook.core.parameters import Value
from tunebook.tools.runtime.epoch_steps import steps_per_epoch
from tunebook.tools.torchtune.recipes import is_ours

__all__ = ["total_steps", "warmup_steps"]


def total_steps(settings: Mapping[str, Value], examples: int | None) -> int | None:
    """Optimizer steps of a whole training with these settings, by key and with the recipe.

    ``None`` if they are not known beforehand: without the number of training examples, or if examples are packed.
    """
    batch, accumulation = settings["batch_size"], settings["gradient_accumulation_steps"]
    epochs, gpus, limit = settings["epochs"], settings["gpus"], settings["max_steps_per_epoch"]
    if not examples or settings["packed"]:
        return None
    if not isinstance(batch, int) or not isinstance(accumulation, int) or not isinstance(epochs, int):
        return None
    steps = steps_per_epoch(
        examples,
        batch_size=batch,
        accumulation=accumulation,
        gpus=gpus if isinstance(gpus, int) else 1,
        max_steps=limit if isinstance(limit, int) else None,
        drops_last=not is_ours(settings["recipe"]),
    )
    return steps * epochs


def warmup_steps(settings: Mapping[str, Value], examples: int | None) -> int | None:
    """Steps over which the learning rate rises: as they are given, or their share of all steps, rounded up.

    Rounding is that of Transformers' ``TrainingArguments.get_warmup_steps``. ``None`` if there is a share and the steps
    are not known beforehand.
    """
    ratio, given = settings["warmup_ratio"], settings["num_warmup_steps"]
    if isinstance(ratio, int | float):
        steps = total_steps(settings, examples)
        return None if steps is None else math.ceil(steps * ratio)
    if isinstance(given, int):
        return given
    return 0
