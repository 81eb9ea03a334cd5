"""The rules that every training must keep, with any tool: the settings that a run needs, and its data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import effective, trains_adapters
from tunebook.errors import Problem

__all__ = ["check_training", "problems_of_runs", "setting_line"]


def check_training(plan: Plan) -> Iterator[Problem]:
    """Every broken rule of every fine-tuned run."""
    yield from _two_data_sets(plan)
    yield from _shared_gpus(plan)
    for rule in (_missing, _lora_only, _dataset, _splits):
        yield from problems_of_runs(plan, rule)


def problems_of_runs(plan: Plan, rule: Callable[[Plan, Run], Iterable[Problem]]) -> Iterator[Problem]:
    """The problems that a rule finds in the fine-tuned runs.

    A problem of a run's own row is reported for each run, one of the configuration or the data set once.
    """
    rows = {run.line for run in plan.runs}
    seen: set[tuple[str, int | None]] = set()
    for run in plan.fine_tuned:
        for problem in rule(plan, run):
            message = problem.message.replace(f"run `{run.name}`", "run")
            key = (message, problem.line if problem.line in rows else None)
            if key not in seen:
                seen.add(key)
                yield problem


def setting_line(plan: Plan, run: Run, key: str) -> int | None:
    """The line that gives a run's parameter; without one, the run's own."""
    written = plan.setting(run, key)
    return run.line if written is None else written.line


def _missing(plan: Plan, run: Run) -> Iterator[Problem]:
    for parameter in plan.parameters:
        applies = parameter.required and (not parameter.lora_only or trains_adapters(plan, run))
        if applies and effective(plan, run, parameter.key) is None and parameter.key not in plan.unreadable:
            hint = f"add a column `{parameter.column}`, or a bullet `- **{parameter.column}:** …` to `## Configuration`"
            yield Problem(f"run `{run.name}` has no {parameter.column}", plan.file, run.line, hint)


def _lora_only(plan: Plan, run: Run) -> Iterator[Problem]:
    """A run that trains all weights cannot have LoRA parameters."""
    if trains_adapters(plan, run) or "lora_rank" in plan.unreadable:
        return
    for parameter in plan.parameters:
        if parameter.lora_only and plan.setting(run, parameter.key) is not None:
            message = f"run `{run.name}` trains all weights, so it cannot have {parameter.column}"
            line = setting_line(plan, run, parameter.key)
            yield Problem(message, plan.file, line, "remove it, or train with LoRA")


def _dataset(plan: Plan, run: Run) -> Iterator[Problem]:
    if plan.dataset is None and effective(plan, run, "dataset") is None:
        hint = "add `### Dataset` with `- **Path:** FILE` to `## Resources`"
        yield Problem(f"run `{run.name}` has no data set", plan.file, run.line, hint)


def _two_data_sets(plan: Plan) -> Iterator[Problem]:
    """The configuration and the resources name one data set for all runs: they must agree."""
    written = plan.configuration.get("dataset")
    if written is not None and plan.dataset is not None and written.value != plan.dataset.path:
        message = f"`Dataset` is given twice: `{plan.dataset.path}` on line {plan.dataset.line}, and `{written.text}`"
        yield Problem(message, plan.file, written.line, "keep one of them")


def _shared_gpus(plan: Plan) -> Iterator[Problem]:
    """Trainings can share one GPU, not several."""
    number, gpus = plan.configuration.get("runs_per_gpu"), plan.value("gpus")
    if number is None or not isinstance(number.value, int) or number.value == 1:
        return
    if isinstance(gpus, int) and gpus > 1:
        message = f"{number.value} runs cannot share a GPU: each needs {gpus} GPUs"
        hint = "set GPUs to 1, or to 0 for the CPU, or remove `Runs per GPU`"
        yield Problem(message, plan.file, number.line, hint)


def _splits(plan: Plan, run: Run) -> Iterator[Problem]:
    """If the plan names the splits of its data set, those that the run needs must be among them."""
    dataset = plan.dataset
    if dataset is None or not dataset.splits or effective(plan, run, "dataset") is not None:
        return
    if not dataset.splits.get("train"):
        yield Problem("the data set has no training split", plan.file, dataset.splits_line, "add `train (N)`")
    if effective(plan, run, "run_val_every_n_steps") and not dataset.splits.get("validation"):
        message = "the plan asks for validation during training, but the data set has no validation split"
        yield Problem(message, plan.file, dataset.splits_line, "add `validation (N)`, or do not validate")
