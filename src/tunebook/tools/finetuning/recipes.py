"""The recipes that a plan names: torchtune's names for what is trained, and on how many devices, with every tool."""

from __future__ import annotations

from tunebook.core.parameters import Kind, Parameter, Value

__all__ = ["RECIPE", "STOCK_RECIPES", "is_distributed", "is_lora", "recipe_trains_adapters"]

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


def recipe_trains_adapters(recipe: Value) -> bool | None:
    """Whether a recipe trains adapters; ``None`` for a person's own recipe whose name does not say so."""
    if is_lora(str(recipe)):
        return True
    return False if recipe in STOCK_RECIPES else None


RECIPE = Parameter(
    "recipe",
    "Recipe",
    Kind.TEXT,
    default=STOCK_RECIPES[0],
    trains_adapters=recipe_trains_adapters,
    is_shown=True,
)
"""The weights that a recipe trains."""
