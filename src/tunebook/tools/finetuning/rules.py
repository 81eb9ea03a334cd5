"""The rules on settings that hold for every tool which fine-tunes, for a plan and for settings that a person edited."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from tunebook.core.check_training import problems_of_runs, setting_line
from tunebook.core.parameters import Value
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import effective, run_settings
from tunebook.errors import Problem
from tunebook.tools.datasets import DatasetFacts
from tunebook.tools.finetuning.recipes import STOCK_RECIPES, is_distributed
from tunebook.tools.finetuning.steps import warmup_of
from tunebook.tools.plan_inputs import dataset_path

__all__ = ["BrokenRule", "StepRules", "common_rules", "device_rules", "plan_rules", "run_problem", "step_problems"]

Settings = Mapping[str, Value]


@dataclass(frozen=True)
class BrokenRule:
    """A setting, by its key, that cannot be honoured."""

    key: str
    message: str
    hint: str


Rules = Callable[[Settings, int | None], Iterator[BrokenRule]]
"""The rules that one run's settings, by key, break; with the number of training examples, where that is known."""


def plan_rules(plan: Plan, rules: Rules) -> tuple[Problem, ...]:
    """Every broken rule of every fine-tuned run."""
    examples = plan.dataset.splits.get("train") if plan.dataset else None
    return tuple(problems_of_runs(plan, partial(_broken_by_run, rules=rules, examples=examples)))


def step_problems(plan: Plan, datasets: Mapping[str, DatasetFacts | None], steps: StepRules) -> Iterator[Problem]:
    """The rules on steps with the number of examples in the data set's file, where the plan does not give it."""
    yield from problems_of_runs(plan, partial(_step_problems, datasets=datasets, steps=steps))


def _step_problems(
    plan: Plan, run: Run, *, datasets: Mapping[str, DatasetFacts | None], steps: StepRules
) -> Iterator[Problem]:
    path = dataset_path(plan, run)
    if plan.dataset is not None and plan.dataset.path == path and plan.dataset.splits.get("train"):
        return
    facts = datasets.get(path)
    examples = facts.splits.get("train") if facts else None
    settings = _settings_of(plan, run)
    for rule in (*steps.broken(settings, examples), *steps.unresolved_warmup(settings, examples)):
        yield run_problem(plan, run, rule)


def _broken_by_run(plan: Plan, run: Run, *, rules: Rules, examples: int | None) -> Iterator[Problem]:
    if effective(plan, run, "dataset") is not None:
        examples = None  # of a data set of its own
    for rule in rules(_settings_of(plan, run), examples):
        if rule.key not in plan.unreadable:
            yield run_problem(plan, run, rule)


def _settings_of(plan: Plan, run: Run) -> Settings:
    """A run's settings. Where the plan names no recipe, its number of GPUs decides between one device and several."""
    settings = run_settings(plan, run)
    recipe, gpus = settings["recipe"], settings["gpus"]
    is_given = plan.setting(run, "recipe") is not None
    if is_given or not isinstance(gpus, int) or gpus <= 1 or recipe not in STOCK_RECIPES:
        return settings
    return {**settings, "recipe": str(recipe).replace("single_device", "distributed")}


def run_problem(plan: Plan, run: Run, rule: BrokenRule) -> Problem:
    """A broken rule at the line of its setting, or at the run's."""
    line = setting_line(plan, run, rule.key)
    message = rule.message
    if line == run.line:
        message = f"run `{run.name}`: {message}"
    return Problem(message, plan.file, line, rule.hint)


def device_rules(settings: Settings) -> Iterator[BrokenRule]:
    """A recipe and a number of GPUs that contradict each other."""
    recipe, gpus = str(settings["recipe"]), settings["gpus"]
    if not isinstance(gpus, int) or recipe not in STOCK_RECIPES:
        return
    if gpus > 1 and not is_distributed(recipe):
        hint = f"use `{recipe.replace('single_device', 'distributed')}`, or 1 GPU"
        yield BrokenRule("recipe", f"`{recipe}` runs on one GPU, but the plan asks for {gpus}", hint)
    if gpus < 2 and is_distributed(recipe):  # noqa: PLR2004
        hint = f"use `{recipe.replace('distributed', 'single_device')}`, or 2 and more GPUs"
        yield BrokenRule("recipe", f"`{recipe}` runs on several GPUs, but the plan asks for {gpus}", hint)


def common_rules(settings: Settings) -> Iterator[BrokenRule]:
    """Every rule, but those on steps, that settings break with any tool."""
    for rule in (_prompt, _chat_prompt, _plain_text_prompts, _packing, _alpha, _warmup):
        yield from rule(settings)


def _prompt(settings: Settings) -> Iterator[BrokenRule]:
    if settings["dataset_type"] == "instruct" and "{input}" not in str(settings["prompt"]):
        hint = "without it every example trains on the same text; write for example `{input}`"
        yield BrokenRule("prompt", "the prompt does not contain `{input}`", hint)


def _chat_prompt(settings: Settings) -> Iterator[BrokenRule]:
    """Conversations are complete: a prompt would act in evaluation only."""
    if settings["dataset_type"] == "chat" and settings["prompt"] != "{input}":
        message = "a Prompt does not apply to conversations (Dataset Type chat): it would act in evaluation only"
        yield BrokenRule("prompt", message, "leave it out, and write its words into the data, or into System Prompt")


def _plain_text_prompts(settings: Settings) -> Iterator[BrokenRule]:
    """Plain texts are trained on as they are: prompts would act in evaluation only."""
    if settings["dataset_type"] != "text_completion":
        return
    for key, name, neutral in (("prompt", "Prompt", "{input}"), ("system_prompt", "System Prompt", "")):
        if (settings[key] or neutral) != neutral:
            message = f"a {name} does not apply to plain text (Dataset Type text_completion): "
            yield BrokenRule(key, f"{message}it would act in evaluation only", "leave it out")


def _packing(settings: Settings) -> Iterator[BrokenRule]:
    if settings["packed"] and settings["max_seq_len"] is None:
        hint = "set Max Sequence Length (max_seq_len) to a number of tokens"
        yield BrokenRule("packed", "packing needs a maximum sequence length", hint)


def _alpha(settings: Settings) -> Iterator[BrokenRule]:
    if settings["lora_rank"] is not None and settings["lora_alpha"] is None:
        yield BrokenRule("lora_alpha", "lora_rank is set, but lora_alpha is not", "twice the rank is usual")


def _warmup(settings: Settings) -> Iterator[BrokenRule]:
    if settings["warmup_ratio"] is None:
        return
    if settings["num_warmup_steps"]:
        message = "both Warmup Ratio and Warmup Steps are given"
        yield BrokenRule("warmup_ratio", message, "give only one of the two")
    if settings["packed"]:
        message = "Warmup Ratio is a share of all steps, but packing decides how many there are"
        yield BrokenRule("warmup_ratio", message, "give Warmup Steps")


@dataclass(frozen=True)
class StepRules:
    """The rules on the number of steps.

    Attributes:
        total: settings and the number of examples to the steps of a whole training; ``None`` if that is not known.
    """

    total: Callable[[Settings, int | None], int | None]

    def broken(self, settings: Settings, examples: int | None) -> Iterator[BrokenRule]:
        """The examples must make at least one step, and the warm-up must end before the training does."""
        total = self.total(settings, examples)
        warmup = warmup_of(settings, total)
        if total is None or warmup is None:
            return
        if total == 0:
            message = f"training makes no step: {examples} examples are fewer than batch size {settings['batch_size']}"
            if settings["gradient_accumulation_steps"] != 1:
                message += f" × {settings['gradient_accumulation_steps']} accumulated"
            yield BrokenRule("batch_size", message, "make the batch smaller")
        elif warmup >= total:
            key = "num_warmup_steps" if settings["warmup_ratio"] is None else "warmup_ratio"
            message = f"a warm-up of {warmup} steps does not fit into {total} steps of training"
            yield BrokenRule(key, message, "make the warm-up shorter: the learning rate would never reach its value")

    def unresolved_warmup(self, settings: Settings, examples: int | None) -> Iterator[BrokenRule]:
        """A Warmup Ratio needs the number of training examples, from which the number of steps follows."""
        if warmup_of(settings, self.total(settings, examples)) is None and not settings["packed"]:
            message = "Warmup Ratio is a share of all steps, but the number of training examples is not known"
            hint = "give Warmup Steps, or `- **Splits:** train (N)` under `### Dataset`"
            yield BrokenRule("warmup_ratio", message, hint)
