"""Optimizer steps: how many a training makes, and how many of them warm up the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tunebook.core.parameters import Value

__all__ = ["steps_per_epoch", "total_steps", "warmup_steps"]


def steps_per_epoch(
    examples: int, *, batch_size: int, accumulation: int, gpus: int = 1, max_steps: int | None = None
) -> int:
    """Optimizer steps in one epoch of a stock torchtune 0.6.1 recipe.

    The sampler splits the examples over the GPUs and repeats some, so that each GPU gets as many. The loader drops the
    last incomplete batch, and an incomplete accumulation makes no step of its own.
    """
    per_gpu = -(-examples // max(1, gpus))
    steps = per_gpu // batch_size // accumulation
    return min(steps, max_steps) if max_steps else steps


def total_steps(settings: Mapping[str, Value], examples: int | None) -> int | None:
    """Optimizer steps of a whole training with these settings, by key.

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
    )
    return steps * epochs


def warmup_steps(settings: Mapping[str, Value], examples: int | None) -> int | None:
    """Steps over which the learning rate rises: as they are given, or their share of all steps, rounded up.

    Rounding is that of Transformers' ``TrainingArguments.get_warmup_steps``. ``None`` if there is a share and the steps
    are not known beforehand.
    """
    ratio, given = settings["warmup_ratio"], settings["num_warmup_steps"]
    if not isinstance(ratio, int | float):
        return given if isinstance(given, int) else 0
    steps = total_steps(settings, examples)
    return None if steps is None else math.ceil(steps * ratio)
