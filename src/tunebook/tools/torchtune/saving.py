"""torchtune's part in the form of checkpoints: the recipe that writes them, and whether PEFT has a form for them."""

from __future__ import annotations

from tunebook.core.parameters import Value
from tunebook.core.plan import Run
from tunebook.core.plan.settings import effective
from tunebook.tools.base import Context
from tunebook.tools.finetuning.saving import reason_of_evaluation
from tunebook.tools.plan_inputs import planned_gpus
from tunebook.tools.runtime.checkpoint_files import WITHOUT_PEFT_FORM
from tunebook.tools.torchtune.models import TorchtuneModel
from tunebook.tools.torchtune.recipes import is_ours

__all__ = ["planned_recipe", "reason_to_merge"]


def planned_recipe(context: Context, run: Run) -> str:
    """The recipe that will run: with several GPUs, which may be the site's, torchtune's distributed one."""
    recipe = str(effective(context.plan, run, "recipe"))
    if is_ours(recipe) and planned_gpus(context.plan, context.site) > 1:
        return recipe.replace("single_device", "distributed")
    return recipe


def reason_to_merge(context: Context, recipe: Value, model: TorchtuneModel) -> str:
    """Why checkpoints are merged weights by default; empty if they are adapters."""
    reason = reason_of_evaluation(context)
    if not reason and not is_ours(recipe):
        reason = f"the recipe {recipe} is not tunebook's"
    if not reason and model.model_type in WITHOUT_PEFT_FORM:
        reason = "PEFT has no form for adapters of this model"
    return reason
