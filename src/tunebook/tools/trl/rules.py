"""TRL's rules: which settings its trainer can honour, for a plan and for settings that a person edited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from tunebook.core.check_training import problems_of_runs
from tunebook.core.parameters import Value
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import run_settings
from tunebook.errors import PlanError, Problem
from tunebook.tools.base import Context
from tunebook.tools.finetuning.rules import BrokenRule, StepRules, common_rules, device_rules, run_problem
from tunebook.tools.finetuning.saving import unloadable
from tunebook.tools.finetuning.steps import total_steps
from tunebook.tools.plan_inputs import model_path
from tunebook.tools.trl.models import TrlModel, resolve_model
from tunebook.tools.trl.targets import module_names

__all__ = ["STEP_RULES", "broken_rules", "model_problems", "model_rules"]

Settings = Mapping[str, Value]

STEP_RULES = StepRules(total_steps)


def broken_rules(settings: Settings, examples: int | None = None) -> Iterator[BrokenRule]:
    """Every rule that one run's settings break, by key of the parameters.

    Args:
        examples: how many training examples there are; ``None`` where that is not known.
    """
    for rule in (device_rules, common_rules, _output_layer, _quantization):
        yield from rule(settings)
    yield from STEP_RULES.broken(settings, examples)


def _output_layer(settings: Settings) -> Iterator[BrokenRule]:
    targets = settings["lora_target_modules"]
    if isinstance(targets, tuple) and {"output", "lm_head"} & set(targets):
        message = "TRL does not train an adapter of the output layer"
        yield BrokenRule("lora_target_modules", message, "remove it from LoRA Target Modules")


def _quantization(settings: Settings) -> Iterator[BrokenRule]:
    kind = settings["quantization"]
    if kind is None:
        return
    if settings["lora_rank"] is None:
        message = f"Quantization {kind} is for trainings of adapters, but all weights are trained"
        yield BrokenRule("quantization", message, "give a LoRA rank, or remove Quantization")
    if settings["gpus"] == 0:
        message = f"Quantization {kind} needs a GPU with CUDA, but the training has none"
        yield BrokenRule("quantization", message, "give GPUs, or remove Quantization")
    if settings["save"] == "merged":
        message = f"an adapter that was trained on {kind} weights is not one of the whole weights, so that merging it "
        hint = "write `Save: adapter`, or leave Save out; the evaluation must load adapters"
        yield BrokenRule("save", message + "makes another model", hint)


def model_rules(settings: Settings, model: TrlModel) -> Iterator[BrokenRule]:
    """Settings that this model cannot honour."""
    targets = settings["lora_target_modules"]
    if settings["lora_rank"] is None or not isinstance(targets, tuple):
        return
    if not targets:
        yield BrokenRule("lora_target_modules", "no module is adapted", "name one or more modules")
        return
    try:
        module_names(model, targets)
    except PlanError as error:
        for problem in error.problems:
            yield BrokenRule("lora_target_modules", problem.message, problem.hint)


def model_problems(context: Context) -> tuple[Problem, ...]:
    """Checkpoints that cannot be evaluated, and settings that a run's model cannot honour, at the plan's lines."""
    return tuple(problems_of_runs(context.plan, partial(_problems, context=context)))


def _problems(plan: Plan, run: Run, *, context: Context) -> Iterator[Problem]:
    settings = run_settings(plan, run)
    yield from unloadable(context, run, settings)
    try:
        model = resolve_model(run.model, context.models.get(model_path(plan, context.site, run)))
    except PlanError:
        return  # reported where the run is built
    for rule in model_rules(settings, model):
        yield run_problem(plan, run, rule)
