"""The recipes of torchtune that run with tunebook's training loop."""

from __future__ import annotations

from tunebook.core.parameters import Value
from tunebook.tools.finetuning.recipes import STOCK_RECIPES, is_distributed

__all__ = ["is_ours"]


def is_ours(recipe: Value) -> bool:
    """Whether tunebook's own recipe runs in place of this one: in place of torchtune's recipes for one device."""
    return recipe in STOCK_RECIPES and not is_distributed(str(recipe))
