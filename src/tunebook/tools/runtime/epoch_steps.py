"""Optimizer steps of an epoch: one rule for the checks of a plan, for training, and for the logger of its steps."""

from __future__ import annotations

__all__ = ["steps_per_epoch"]


def steps_per_epoch(
    examples: int,
    *,
    batch_size: int,
    accumulation: int,
    gpus: int = 1,
    max_steps: int | None = None,
    drops_last: bool = False,
) -> int:
    """The number of optimizer steps in one epoch.

    tunebook's recipe trains on every example: the last batch may be smaller, and the last step may have fewer batches,
    so that steps round up. Recipes that drop the last incomplete batch and make no step of an incomplete accumulation
    round down: torchtune's distributed recipes, and custom recipes for all that is known.

    Args:
        gpus: the sampler splits the examples over the GPUs and repeats some, so that each GPU gets as many.
        max_steps: the most steps of an epoch.
        drops_last: whether the recipe rounds down.
    """
    per_gpu = -(-examples // max(1, gpus))
    if drops_last:
        steps = per_gpu // batch_size // accumulation
    else:
        batches = -(-per_gpu // batch_size)
        steps = -(-batches // accumulation)
    return min(steps, max_steps) if max_steps else steps
