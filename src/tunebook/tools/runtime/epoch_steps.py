"""Optimizer steps of an epoch, for the rules that check a plan and for the logger that counts them in the job."""

from __future__ import annotations

__all__ = ["steps_per_epoch"]


def steps_per_epoch(
    examples: int, *, batch_size: int, accumulation: int, gpus: int = 1, max_steps: int | None = None
) -> int:
    """Optimizer steps in one epoch of a stock torchtune 0.6.1 recipe.

    The sampler splits the examples over the GPUs and repeats some, so that each GPU gets as many. The loader drops the
    last incomplete batch, and an incomplete accumulation makes no step.
    """
    per_gpu = -(-examples // max(1, gpus))
    steps = per_gpu // batch_size // accumulation
    return min(steps, max_steps) if max_steps else steps
