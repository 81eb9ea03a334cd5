"""torchtune's rules: which settings its recipes can honour, for a plan and for settings that a person edited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from tunebook.core.check_training import problems_of_runs, setting_line
from tunebook.core.parameters import Value, suggestion
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import effective, run_settings
from tunebook.errors import Problem
from tunebook.tools.datasets import DatasetFacts
from tunebook.tools.plan_inputs import dataset_path
from tunebook.tools.runtime.checkpoint_files import WITHOUT_PEFT_FORM
from tunebook.tools.torchtune.models import TorchtuneModel
from tunebook.tools.torchtune.recipes import STOCK_RECIPES, is_distributed, is_lora, is_ours
from tunebook.tools.torchtune.steps import total_steps, warmup_steps

__all__ = ["BrokenRule", "broken_rules", "model_rules", "plan_rules", "step_problems", "unresolved_warmup"]

Settings = Mapping[str, Value]

# The builders of Llama 3 and Gemma 2 have no adapter for the output layer.
_WITH_OUTPUT_ADAPTER = ("torchtune.models.mistral.", "torchtune.models.phi3.", "torchtune.models.qwen2.")


@dataclass(frozen=True)
class BrokenRule:
    """A setting, by its key, that cannot be honoured."""

    key: str
    message: str
    hint: str


def plan_rules(plan: Plan) -> tuple[Problem, ...]:
    """Every broken rule of every fine-tuned run."""
    examples = plan.dataset.splits.get("train") if plan.dataset else None
    rule = partial(_broken_by_run, examples=examples)
    return tuple(problems_of_runs(plan, rule))


def step_problems(plan: Plan, datasets: Mapping[str, DatasetFacts | None]) -> Iterator[Problem]:
    """The rules on steps with the number of examples in the data set's file, where the plan does not give it."""
    yield from problems_of_runs(plan, partial(_step_problems, datasets=datasets))


def _step_problems(plan: Plan, run: Run, *, datasets: Mapping[str, DatasetFacts | None]) -> Iterator[Problem]:
    path = dataset_path(plan, run)
    if plan.dataset is not None and plan.dataset.path == path and plan.dataset.splits.get("train"):
        return
    facts = datasets.get(path)
    examples = facts.splits.get("train") if facts else None
    settings = run_settings(plan, run)
    for rule in (*_steps(settings, examples), *unresolved_warmup(settings, examples)):
        yield _problem(plan, run, rule)


def _broken_by_run(plan: Plan, run: Run, *, examples: int | None) -> Iterator[Problem]:
    if effective(plan, run, "dataset") is not None:
        examples = None  # of a data set of its own
    for rule in broken_rules(run_settings(plan, run), examples=examples):
        if rule.key not in plan.unreadable:
            yield _problem(plan, run, rule)


def _problem(plan: Plan, run: Run, rule: BrokenRule) -> Problem:
    line = setting_line(plan, run, rule.key)
    message = rule.message
    if line == run.line:
        message = f"run `{run.name}`: {message}"
    return Problem(message, plan.file, line, rule.hint)


def broken_rules(settings: Settings, *, examples: int | None) -> Iterator[BrokenRule]:
    """Every rule that one run's settings break, by key of the parameters and with the recipe.

    Args:
        examples: how many training examples there are; ``None`` where that is not known.
    """
    for rule in (
        _recipe,
        _gpus,
        _validation,
        _prompt,
        _chat_prompt,
        _plain_text_prompts,
        _packing,
        _alpha,
        _merging,
        _targets,
        _warmup,
    ):
        yield from rule(settings)
    yield from _steps(settings, examples)


def _recipe(settings: Settings) -> Iterator[BrokenRule]:
    recipe = str(settings["recipe"])
    if recipe not in STOCK_RECIPES and "." not in recipe:
        hint = suggestion(recipe, STOCK_RECIPES) + "; a recipe of your own is a dotted module name"
        yield BrokenRule("recipe", f"unknown recipe `{recipe}`", hint)


def _gpus(settings: Settings) -> Iterator[BrokenRule]:
    recipe, gpus = str(settings["recipe"]), settings["gpus"]
    if not isinstance(gpus, int) or recipe not in STOCK_RECIPES:
        return
    if gpus > 1 and not is_distributed(recipe):
        hint = f"use `{recipe.replace('single_device', 'distributed')}`, or 1 GPU"
        yield BrokenRule("recipe", f"`{recipe}` runs on one GPU, but the plan asks for {gpus}", hint)
    if gpus < 2 and is_distributed(recipe):  # noqa: PLR2004
        hint = f"use `{recipe.replace('distributed', 'single_device')}`, or 2 and more GPUs"
        yield BrokenRule("recipe", f"`{recipe}` runs on several GPUs, but the plan asks for {gpus}", hint)


def _validation(settings: Settings) -> Iterator[BrokenRule]:
    recipe = str(settings["recipe"])
    if settings["run_val_every_n_steps"] and is_distributed(recipe):
        hint = "torchtune 0.6.1 validates on one GPU only: use a single-device recipe, or do not validate"
        yield BrokenRule("run_val_every_n_steps", f"`{recipe}` cannot validate during training", hint)


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


def _warmup(settings: Settings) -> Iterator[BrokenRule]:
    if settings["warmup_ratio"] is None:
        return
    if settings["num_warmup_steps"]:
        message = "both Warmup Ratio and Warmup Steps are given"
        yield BrokenRule("warmup_ratio", message, "give only one of the two")
    if settings["packed"]:
        message = "Warmup Ratio is a share of all steps, but packing decides how many there are"
        yield BrokenRule("warmup_ratio", message, "give Warmup Steps")


def _steps(settings: Settings, examples: int | None) -> Iterator[BrokenRule]:
    """The examples must make at least one step, and the warm-up must end before the training does."""
    total = total_steps(settings, examples)
    warmup = warmup_steps(settings, examples)
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


def unresolved_warmup(settings: Settings, examples: int | None) -> Iterator[BrokenRule]:
    """A Warmup Ratio needs the number of training examples, from which the number of steps follows."""
    if warmup_steps(settings, examples) is None and not settings["packed"]:
        message = "Warmup Ratio is a share of all steps, but the number of training examples is not known"
        hint = "give Warmup Steps, or `- **Splits:** train (N)` under `### Dataset`"
        yield BrokenRule("warmup_ratio", message, hint)


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
