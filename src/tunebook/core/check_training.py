"""The rules of training: what a fine-tuned run must have, and what its recipe can honour."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.core.parameters import by_key, suggestion
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import effective, evaluations, is_distributed, is_lora, steps_per_epoch
from tunebook.errors import Problem

__all__ = ["STOCK_RECIPES", "check_steps", "check_training"]

STOCK_RECIPES = (
    "lora_finetune_single_device",
    "lora_finetune_distributed",
    "full_finetune_single_device",
    "full_finetune_distributed",
)
_LORA_KEYS = ("lora_rank", "lora_alpha", "lora_dropout")


def check_training(plan: Plan) -> Iterator[Problem]:
    """Every broken rule of every fine-tuned run; a rule that the configuration breaks is told once."""
    told: set[tuple[str, int | None]] = set()
    for run in plan.fine_tuned:
        for problem in (*_required(plan, run), *_recipe(plan, run), *_data(plan, run), *_counts(plan, run)):
            key = (problem.message.replace(f"run `{run.name}`", "run"), _common_line(plan, problem))
            if key not in told:
                told.add(key)
                yield problem
    for evaluation in evaluations(plan):
        if evaluation.epoch is not None and plan.value("save_adapter_weights_only") is True:
            hint = "evaluation loads merged weights: set it to no"
            line = plan.configuration["save_adapter_weights_only"].line
            yield Problem("Save Adapter Weights Only leaves nothing to evaluate", plan.file, line, hint)
            break


def _common_line(plan: Plan, problem: Problem) -> int | None:
    """A problem that stands on a run's own row is told for each run; one of the configuration once."""
    rows = {run.line for run in plan.runs}
    return problem.line if problem.line in rows else None


def _line(plan: Plan, run: Run, key: str) -> int | None:
    written = plan.setting(run, key)
    return run.line if written is None else written.line


def _required(plan: Plan, run: Run) -> Iterator[Problem]:
    required = ["lr", "batch_size", "epochs"]
    if is_lora(str(effective(plan, run, "recipe"))):
        required.insert(0, "lora_rank")
    for key in required:
        if effective(plan, run, key) is None and key not in plan.unreadable:
            column = by_key(key).column
            hint = f"add a column `{column}`, or a bullet `- **{column}:** …` to `## Configuration`"
            yield Problem(f"run `{run.name}` has no {column}", plan.file, run.line, hint)


def _recipe(plan: Plan, run: Run) -> Iterator[Problem]:
    recipe = str(effective(plan, run, "recipe"))
    line = _line(plan, run, "recipe")
    if recipe not in STOCK_RECIPES and "." not in recipe:
        hint = suggestion(recipe, STOCK_RECIPES) + "; a recipe of your own is a dotted module name"
        yield Problem(f"unknown recipe `{recipe}`", plan.file, line, hint)
    gpus = effective(plan, run, "gpus")
    if isinstance(gpus, int) and recipe in STOCK_RECIPES:
        if gpus > 1 and not is_distributed(recipe):
            hint = f"use `{recipe.replace('single_device', 'distributed')}`, or 1 GPU"
            yield Problem(f"`{recipe}` runs on one GPU, and {gpus} are asked for", plan.file, line, hint)
        if gpus < 2 and is_distributed(recipe):  # noqa: PLR2004
            hint = f"use `{recipe.replace('distributed', 'single_device')}`, or 2 and more GPUs"
            yield Problem(f"`{recipe}` runs on several GPUs, and {gpus} are asked for", plan.file, line, hint)
    if recipe in STOCK_RECIPES and not is_lora(recipe):
        for key in _LORA_KEYS:
            if plan.setting(run, key) is not None:
                hint = "remove it, or use a LoRA recipe"
                message = f"`{recipe}` trains all weights and cannot honour {by_key(key).column}"
                yield Problem(message, plan.file, _line(plan, run, key), hint)
    if effective(plan, run, "run_val_every_n_steps") and recipe != recipe.replace("distributed", ""):
        hint = "torchtune 0.6.1 has no validation there; use a single-device recipe, or say no"
        message = f"`{recipe}` cannot honour validation during training"
        yield Problem(message, plan.file, _line(plan, run, "run_val_every_n_steps"), hint)


def _data(plan: Plan, run: Run) -> Iterator[Problem]:
    prompt = str(effective(plan, run, "prompt"))
    if effective(plan, run, "dataset_type") == "instruct" and "{input}" not in prompt:
        hint = "without it all examples train on one text; write for example `{input}`"
        message = f"run `{run.name}`: the prompt holds no `{{input}}`"
        yield Problem(message, plan.file, _line(plan, run, "prompt"), hint)
    if plan.dataset is None and effective(plan, run, "dataset") is None:
        hint = "add `### Dataset` with `- **Path:** FILE` to `## Resources`"
        yield Problem(f"run `{run.name}` has no data set", plan.file, run.line, hint)
    if effective(plan, run, "packed") and effective(plan, run, "max_seq_len") is None:
        hint = "add `- **Max sequence length:** N` to `## Configuration`"
        yield Problem("packing needs a maximum sequence length", plan.file, _line(plan, run, "packed"), hint)
    splits = plan.dataset.splits if plan.dataset else {}
    if splits and plan.dataset and effective(plan, run, "dataset") is None:
        if not splits.get("train"):
            yield Problem("the data set has no training split", plan.file, plan.dataset.splits_line, "add `train (N)`")
        if effective(plan, run, "run_val_every_n_steps") and not splits.get("validation"):
            message = "validation during training is wanted, and the data set has no validation split"
            yield Problem(message, plan.file, plan.dataset.splits_line)


def _counts(plan: Plan, run: Run) -> Iterator[Problem]:
    if plan.dataset and effective(plan, run, "dataset") is None and plan.dataset.splits.get("train"):
        yield from check_steps(plan, run, plan.dataset.splits["train"])


def check_steps(plan: Plan, run: Run, examples: int) -> Iterator[Problem]:
    """Whether so many training examples make at least one step, and the warm-up fits into the steps."""
    keys = ("batch_size", "epochs", "gradient_accumulation_steps", "gpus")
    values = (effective(plan, run, key) for key in keys)
    batch, epochs, accumulation, gpus = (value if isinstance(value, int) else 0 for value in values)
    if effective(plan, run, "packed") or batch < 1 or epochs < 1 or accumulation < 1:
        return
    limit = effective(plan, run, "max_steps_per_epoch")
    max_steps = limit if isinstance(limit, int) else None
    steps = steps_per_epoch(
        examples, batch_size=batch, accumulation=accumulation, gpus=max(1, gpus), max_steps=max_steps
    )
    warmup = effective(plan, run, "num_warmup_steps")
    if steps == 0:
        message = f"run `{run.name}` makes no step: {examples} examples are fewer than batch size {batch}"
        message += f" × {accumulation} accumulated" if accumulation > 1 else ""
        yield Problem(message, plan.file, _line(plan, run, "batch_size"), "make the batch smaller")
    elif isinstance(warmup, int) and warmup >= steps * epochs:
        message = f"run `{run.name}`: a warm-up of {warmup} steps does not fit into {steps * epochs} steps of training"
        hint = "the learning rate would never arrive: make the warm-up shorter"
        yield Problem(message, plan.file, _line(plan, run, "num_warmup_steps"), hint)
