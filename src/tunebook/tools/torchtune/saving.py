"""The form of checkpoints, the plan's ``Save``: adapters that name their base, or merged weights in fp32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tunebook.core.check_training import setting_line
from tunebook.core.parameters import Value
from tunebook.core.plan import Run
from tunebook.core.plan.settings import effective, trains_adapters
from tunebook.errors import Problem
from tunebook.tools.base import Context
from tunebook.tools.plan_inputs import planned_gpus
from tunebook.tools.runtime.checkpoint_files import WITHOUT_PEFT_FORM
from tunebook.tools.torchtune.models import TorchtuneModel
from tunebook.tools.torchtune.recipes import is_ours
from tunebook.tools.torchtune.setup import Setup

__all__ = ["form_of_checkpoints", "planned_recipe", "reason_of_form", "unloadable"]


def form_of_checkpoints(context: Context, run: Run, model: TorchtuneModel) -> str | None:
    """``adapter`` or ``merged``, as the plan says or by default; ``None`` where all weights are trained."""
    if not trains_adapters(context.plan, run):
        return None
    written = effective(context.plan, run, "save")
    if isinstance(written, str):
        return written
    return "merged" if _reason_to_merge(context, planned_recipe(context, run), model) else "adapter"


def planned_recipe(context: Context, run: Run) -> str:
    """The recipe that will run: with several GPUs, which may be the site's, torchtune's distributed one."""
    recipe = str(effective(context.plan, run, "recipe"))
    if is_ours(recipe) and planned_gpus(context.plan, context.site) > 1:
        return recipe.replace("single_device", "distributed")
    return recipe


def reason_of_form(context: Context, setup: Setup, model: TorchtuneModel) -> str:
    """Why the form is the default of a run that trains adapters."""
    reason = _reason_to_merge(context, setup.recipe, model)
    return f"default: {reason}" if reason else "default: the evaluation loads adapters"


def _reason_to_merge(context: Context, recipe: Value, model: TorchtuneModel) -> str:
    if not context.loads_adapters:
        return f"{context.plan.tools.evaluation} loads whole models only"
    if not is_ours(recipe):
        return f"the recipe {recipe} is not tunebook's"
    if model.model_type in WITHOUT_PEFT_FORM:
        return "PEFT has no form for adapters of this model"
    return ""


def unloadable(context: Context, run: Run, settings: Mapping[str, Value]) -> Iterator[Problem]:
    """Adapters where the evaluation needs whole models.

    Args:
        settings: those in effect for the run, by key of the plan.
    """
    is_evaluated = any(evaluation.epoch is not None for evaluation in context.evaluations.get(run.name, ()))
    if settings["save"] != "adapter" or context.loads_adapters or not is_evaluated:
        return
    tool = context.plan.tools.evaluation
    message = f"run `{run.name}`: checkpoints are adapters, but {tool} evaluates whole models only"
    line = setting_line(context.plan, run, "save")
    yield Problem(message, context.plan.file, line, "write `Save: merged`, or leave Save out")
