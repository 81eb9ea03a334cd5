"""torchtune's own recipes, by name, what their names say, and which of them run with tunebook's training loop."""

from __future__ import annotations

from tunebook.core.parameters import Value

__all__ = ["STOCK_RECIPES", "is_distributed", "is_lora", "is_ours", "recipe_trains_adapters"]

STOCK_RECIPES = (
    "lora_finetune_single_device",
    "lora_finetune_distributed",
    "full_finetune_single_device",
    "full_finetune_distributed",
)


def is_lora(recipe: str) -> bool:
    """Whether a recipe trains adapters, by torchtune's naming."""
    return "lora" in recipe


def is_distributed(recipe: str) -> bool:
    """Whether a recipe runs on several GPUs, by torchtune's naming."""
    return "distributed" in recipe


def is_ours(recipe: Value) -> bool:
    """Whether tunebook's own recipe runs in place of this one: in place of torchtune's recipes for one device."""
    return recipe in STOCK_RECIPES and not is_distributed(str(recipe))


def recipe_trains_adapters(recipe: Value) -> bool | None:
    """Whether a recipe trains adapters; ``None`` for a person's own recipe whose name does not say so."""
    if is_lora(str(recipe)):
        return True
    return False if recipe in STOCK_RECIPES else None
