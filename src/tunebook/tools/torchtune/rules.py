"""torchtune's rules: which settings its recipes can honour, for a plan and for settings that a person edited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tunebook.core.parameters import Value, suggestion
from tunebook.tools.finetuning.recipes import STOCK_RECIPES, is_distributed, is_lora
from tunebook.tools.finetuning.rules import BrokenRule, StepRules, common_rules, device_rules
from tunebook.tools.runtime.checkpoint_files import WITHOUT_PEFT_FORM
from tunebook.tools.torchtune.models import TorchtuneModel
from tunebook.tools.torchtune.recipes import is_ours
from tunebook.tools.torchtune.steps import total_steps

__all__ = ["STEP_RULES", "broken_rules", "model_rules"]

Settings = Mapping[str, Value]

STEP_RULES = StepRules(total_steps)
# The builders of Llama 3 and Gemma 2 have no adapter for the output layer.
_WITH_OUTPUT_ADAPTER = ("torchtune.models.mistral.", "torchtune.models.phi3.", "torchtune.models.qwen2.")


def broken_rules(settings: Settings, examples: int | None = None) -> Iterator[BrokenRule]:
    """Every rule that one run's settings break, by key of the parameters and with the recipe.

    Args:
        examples: how many training examples there are; ``None`` where that is not known.
    """
    for rule in (_recipe, device_rules, _validation, common_rules, _merging, _targets):
        yield from rule(settings)
    yield from STEP_RULES.broken(settings, examples)


def _recipe(settings: Settings) -> Iterator[BrokenRule]:
    recipe = str(settings["recipe"])
    if recipe not in STOCK_RECIPES and "." not in recipe:
        hint = suggestion(recipe, STOCK_RECIPES) + "; a recipe of your own is a dotted module name"
        yield BrokenRule("recipe", f"unknown recipe `{recipe}`", hint)


def _validation(settings: Settings) -> Iterator[BrokenRule]:
    recipe = str(settings["recipe"])
    if settings["run_val_every_n_steps"] and is_distributed(recipe):
        hint = "torchtune 0.6.1 validates on one GPU only: use a single-device recipe, or do not validate"
        yield BrokenRule("run_val_every_n_steps", f"`{recipe}` cannot validate during training", hint)


def _merging(settings: Settings) -> Iterator[BrokenRule]:
    """Torchtune's distributed recipe merges in the precision of the base, which without the plan's word is bf16."""
    recipe = str(settings["recipe"])
    is_merged_by_torchtune = is_lora(recipe) and is_distributed(recipe) and settings["save"] != "adapter"
    if recipe in STOCK_RECIPES and is_merged_by_torchtune and settings["precision"] != "fp32":
        message = f"`{recipe}` merges adapters into weights in bf16, which loses most of a small adapter"
        yield BrokenRule("save", message, "write `Save: adapter`, or `Precision: fp32`")


def _targets(settings: Settings) -> Iterator[BrokenRule]:
    targets = settings["lora_target_modules"]
    if isinstance(targets, tuple) and set(targets) <= {"mlp", "output"}:
        hint = "add one or more of q_proj, k_proj, v_proj, output_proj"
        message = f"torchtune 0.6.1 does not train adapters of {', '.join(targets) or 'no module'} alone"
        yield BrokenRule("lora_target_modules", message, hint)


def model_rules(settings: Settings, model: TorchtuneModel) -> Iterator[BrokenRule]:
    """Settings that torchtune's builder of a model, or its conversion of adapters, cannot honour."""
    yield from _adapters_of(settings, model)
    targets = settings["lora_target_modules"]
    if not isinstance(targets, tuple) or "output" not in targets:
        return
    is_tied = bool(model.arguments.get("tie_word_embeddings"))
    if is_tied or not model.builder.startswith(_WITH_OUTPUT_ADAPTER):
        message = f"torchtune 0.6.1 has no adapter for the output layer of this model ({model.builder})"
        yield BrokenRule("lora_target_modules", message, "remove `output` from LoRA Target Modules")


def _adapters_of(settings: Settings, model: TorchtuneModel) -> Iterator[BrokenRule]:
    if settings["save"] != "adapter":
        return
    if model.model_type in WITHOUT_PEFT_FORM:
        message = f"torchtune 0.6.1 cannot write adapters of this model ({model.builder}) in PEFT's format"
        yield BrokenRule("save", message, "write `Save: merged`, or leave Save out")
    elif model.model_type == "QWEN2" and not is_ours(settings["recipe"]):
        message = "torchtune 0.6.1 permutes the heads of Qwen 2's adapters, so that they would compute something else"
        yield BrokenRule("save", message, "write `Save: merged` and `Precision: fp32`, or use one GPU")
