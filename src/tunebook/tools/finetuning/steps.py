"""Optimizer steps: how many a training makes, and how many of them warm up the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tunebook.core.parameters import Value
from tunebook.tools.runtime.epoch_steps import steps_per_epoch

__all__ = ["total_steps", "warmup_of"]


def total_steps(settings: Mapping[str, Value], examples: int | None, *, drops_last: bool = False) -> int | None:
    """Optimizer steps of a whole training with these settings, by key.

    ``None`` if they are not known beforehand: without the number of training examples, or if examples are packed.

    Args:
        drops_last: whether the training drops an epoch's incomplete last batch and step.
    """
    batch, accumulation = settings["batch_size"], settings["gradient_accumulation_steps"]
    epochs, gpus, limit = settings["epochs"], settings["gpus"], settings.get("max_steps_per_epoch")
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
        drops_last=drops_last,
    )
    return steps * epochs


def warmup_of(settings: Mapping[str, Value], total: int | None) -> int | None:
    """Steps over which the learning rate rises: as they are given, or their share of all steps, rounded up.

    Rounding is that of Transformers' ``TrainingArguments.get_warmup_steps``. ``None`` if there is a share and the steps
    are not known beforehand.
    """
    ratio, given = settings["warmup_ratio"], settings["num_warmup_steps"]
    if isinstance(ratio, int | float):
        return None if total is None else math.ceil(total * ratio)
    if isinstance(given, int):
        return given
    return 0
