"""The problems that ``check`` reports of recipes and checkpoints: what cannot be evaluated, or not be promised."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tunebook.core.check_training import problems_of_runs, setting_line
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import run_settings
from tunebook.errors import PlanError, Problem
from tunebook.tools.base import Context
from tunebook.tools.finetuning.recipes import STOCK_RECIPES, is_lora
from tunebook.tools.finetuning.saving import unloadable
from tunebook.tools.plan_inputs import model_path
from tunebook.tools.torchtune.models import resolve_model
from tunebook.tools.torchtune.recipes import is_ours
from tunebook.tools.torchtune.rules import model_rules
from tunebook.tools.torchtune.saving import planned_recipe

__all__ = ["recipe_warnings", "saving_problems"]


def saving_problems(context: Context) -> tuple[Problem, ...]:
    """Checkpoints that the plan asks for, but that cannot be written or evaluated."""
    return tuple(problems_of_runs(context.plan, partial(_saving_problems, context=context)))


def _saving_problems(plan: Plan, run: Run, *, context: Context) -> Iterator[Problem]:
    settings = run_settings(plan, run)
    yield from unloadable(context, run, settings)
    if settings["save"] != "adapter":
        return
    facts = context.models.get(model_path(plan, context.site, run))
    try:
        model = resolve_model(run.model, facts, lora=True)
    except PlanError:
        return  # reported where the run is built
    for rule in model_rules(settings, model):
        if rule.key == "save":
            yield Problem(f"run `{run.name}`: {rule.message}", plan.file, setting_line(plan, run, "save"), rule.hint)


def recipe_warnings(context: Context) -> tuple[Problem, ...]:
    """What tunebook cannot promise of the plan's recipes, each with its line."""
    return tuple(problems_of_runs(context.plan, partial(_recipe_warnings, context=context)))


def _recipe_warnings(plan: Plan, run: Run, *, context: Context) -> Iterator[Problem]:
    recipe = planned_recipe(context, run)
    line = setting_line(plan, run, "recipe")
    if not is_ours(recipe):
        message, hint = _unpromised(recipe)
        yield Problem(message, plan.file, line, hint)


def _unpromised(recipe: str) -> tuple[str, str]:
    """Message and hint for a recipe that is not tunebook's."""
    if recipe not in STOCK_RECIPES:
        message = f"`{recipe}` is a recipe of your own: tunebook cannot promise its steps, the order of its examples, "
        message += "its logged learning rates or its precision, and nothing proves that the evaluated model is the "
        return message + "trained one", "compare its losses with those of a recipe of tunebook, or use one of these"
    message = f"torchtune's `{recipe}` drops the last incomplete batch of an epoch, and its order does not follow the "
    message += "seed"
    if is_lora(recipe):
        message += "; adapters have the precision of the base"
    message += "; nothing proves that the evaluated model is the trained one"
    return message, "train on one GPU if the model fits"
