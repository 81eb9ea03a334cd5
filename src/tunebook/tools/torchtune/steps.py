"""Optimizer steps of a torchtune training: only tunebook's recipe makes a step of an epoch's last examples."""

from __future__ import annotations

from collections.abc import Mapping

from tunebook.core.parameters import Value
from tunebook.tools.finetuning.steps import total_steps as steps_of
from tunebook.tools.finetuning.steps import warmup_of
from tunebook.tools.torchtune.recipes import is_ours

__all__ = ["total_steps", "warmup_steps"]


def total_steps(settings: Mapping[str, Value], examples: int | None) -> int | None:
    """Optimizer steps of a whole training with these settings, by key and with the recipe; ``None`` if unknown."""
    return steps_of(settings, examples, drops_last=not is_ours(settings["recipe"]))


def warmup_steps(settings: Mapping[str, Value], examples: int | None) -> int | None:
    """Steps over which the learning rate rises; ``None`` if they are not known beforehand."""
    return warmup_of(settings, total_steps(settings, examples))
