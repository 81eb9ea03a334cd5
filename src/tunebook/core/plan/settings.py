"""What holds for a run in the end: its row, else the configuration, else the default; and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping

from tunebook.core.parameters import EVALUATION_PARAMETERS, PARAMETERS, Value, by_key
from tunebook.core.plan.values import Evaluation, MatrixEntry, Plan, Run, RunType

__all__ = [
    "effective",
    "evaluation_settings",
    "evaluations",
    "is_distributed",
    "is_lora",
    "run_settings",
    "steps_per_epoch",
]


def effective(plan: Plan, run: Run, key: str) -> Value:
    """The value of one parameter for a run; ``None`` if neither the page nor a default gives one."""
    written = plan.setting(run, key)
    value = by_key(key).default if written is None else written.value
    if key == "lora_alpha" and isinstance(value, str):
        rank = effective(plan, run, "lora_rank")
        return _times(float(value.removesuffix("*rank")), rank) if isinstance(rank, int) else None
    return value


def _times(factor: float, rank: int) -> int | float:
    product = factor * rank
    return int(product) if product.is_integer() else product


def run_settings(plan: Plan, run: Run) -> Mapping[str, Value]:
    """Every parameter of a run by key, in the table's order."""
    return {parameter.key: effective(plan, run, parameter.key) for parameter in PARAMETERS}


def evaluation_settings(plan: Plan) -> Mapping[str, Value]:
    """The evaluation's temperature, length, seed and limit, by key."""
    return {parameter.key: plan.value(parameter.key, parameter.default) for parameter in EVALUATION_PARAMETERS}


def is_lora(recipe: str) -> bool:
    """Whether a recipe trains adapters, by torchtune's naming."""
    return "lora" in recipe


def is_distributed(recipe: str) -> bool:
    """Whether a recipe runs on several GPUs, by torchtune's naming."""
    return "distributed" in recipe


def steps_per_epoch(
    examples: int, *, batch_size: int, accumulation: int, gpus: int = 1, max_steps: int | None = None
) -> int:
    """Optimizer steps in one epoch of a stock torchtune 0.6.1 recipe.

    The sampler splits the examples over the GPUs, the loader drops the last incomplete batch, and an incomplete
    accumulation makes no step of its own.
    """
    per_gpu = -(-examples // max(1, gpus))
    steps = per_gpu // batch_size // accumulation
    return min(steps, max_steps) if max_steps else steps


def evaluations(plan: Plan) -> tuple[Evaluation, ...]:
    """The evaluations that the matrix asks for, in its order; without a matrix all runs get all tasks.

    Epochs are zero-based; ``last`` is ``epochs - 1``. What was not trained here is evaluated once, without an epoch.
    """
    runs = {run.name: run for run in plan.runs}
    wanted: dict[tuple[str, str, int | None], int] = {}
    if plan.matrix is None:
        entries = tuple(MatrixEntry(run.name, task.name, run.line) for run in plan.runs for task in plan.tasks)
    else:
        entries = plan.matrix
    for entry in entries:
        run = runs.get(entry.run)
        if run is None:
            continue
        asked = plan.epochs_to_evaluate if entry.epochs is None else entry.epochs
        for epoch in _epochs(plan, run, asked):
            wanted.setdefault((entry.run, entry.task, epoch), entry.line)
    return tuple(Evaluation(run, task, epoch, line) for (run, task, epoch), line in wanted.items())


def _epochs(plan: Plan, run: Run, asked: str | tuple[int, ...]) -> tuple[int | None, ...]:
    if run.type is not RunType.FINE_TUNED:
        return (None,)
    total = effective(plan, run, "epochs")
    if isinstance(asked, tuple):
        return asked
    if not isinstance(total, int):
        return ()
    return tuple(range(total)) if asked == "all" else (total - 1,)
