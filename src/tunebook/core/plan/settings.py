"""The settings that apply to a run: its row, otherwise the configuration, otherwise the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from tunebook.core.jobs import Stage
from tunebook.core.parameters import Kind, Parameter, Value
from tunebook.core.plan.values import Evaluation, MatrixEntry, Plan, Run, RunType

__all__ = [
    "Origin",
    "SettingInEffect",
    "effective",
    "evaluation_settings",
    "evaluations",
    "evaluations_by_run",
    "run_settings",
    "settings_in_effect",
    "trains_adapters",
]


class Origin(Enum):
    """The place that a setting in effect comes from."""

    ROW = "the runs table"
    CONFIGURATION = "the configuration"
    DEFAULT = "default"


@dataclass(frozen=True)
class SettingInEffect:
    """A setting that applies to a run.

    Attributes:
        value: ``None`` if it is unset.
        text: as the plan writes it, or the default as a plan would; empty if it is unset.
        line: the line of the plan; ``None`` for a default.
    """

    parameter: Parameter
    value: Value
    text: str
    origin: Origin
    line: int | None = None


def effective(plan: Plan, run: Run, key: str) -> Value:
    """The value of one parameter for a run.

    ``None`` if neither the plan nor a default gives one, if the plan's tools have no such parameter, and for a
    LoRA parameter where all weights are trained.
    """
    parameter = plan.parameters.get(key)
    if parameter is None or (parameter.lora_only and _decision(plan, run) is False):
        return None
    value = parameter.default
    written = plan.setting(run, key)
    if written is not None:
        value = written.value
    if parameter.kind is Kind.ALPHA and isinstance(value, str):
        rank = effective(plan, run, "lora_rank")
        if not isinstance(rank, int):
            return None
        product = float(value.removesuffix("*rank")) * rank
        return int(product) if product.is_integer() else product
    return value


def _decision(plan: Plan, run: Run) -> bool | None:
    """Whether the run's settings, without its rank, say that adapters are trained."""
    written = {**plan.configuration, **run.parameters}
    return plan.parameters.trains_adapters({key: item.value for key, item in written.items()})


def trains_adapters(plan: Plan, run: Run) -> bool:
    """Whether a fine-tuned run trains adapters (LoRA) rather than all weights."""
    decision = _decision(plan, run)
    if decision is None:
        return effective(plan, run, "lora_rank") is not None
    return decision


def run_settings(plan: Plan, run: Run) -> Mapping[str, Value]:
    """Every training parameter of a run by key, in the table's order."""
    rows = plan.parameters.of_stage(Stage.PREPARATION)
    return {parameter.key: effective(plan, run, parameter.key) for parameter in rows}


def settings_in_effect(plan: Plan, run: Run) -> tuple[SettingInEffect, ...]:
    """Every setting that applies to a run and its evaluations, in the table's order, each with its origin."""
    found = []
    is_trained = run.type is RunType.FINE_TUNED
    for parameter in plan.parameters:
        is_of_training = parameter.stage is Stage.PREPARATION and parameter.kind is not Kind.LITERAL
        applies_not = parameter.lora_only and not trains_adapters(plan, run)
        if applies_not or (is_of_training and not is_trained):
            continue
        value = effective(plan, run, parameter.key)
        written = plan.setting(run, parameter.key)
        if written is None:
            text = parameter.default_text or ""
            found.append(SettingInEffect(parameter, value, text, Origin.DEFAULT))
        else:
            origin = Origin.ROW if parameter.key in run.parameters else Origin.CONFIGURATION
            found.append(SettingInEffect(parameter, value, written.text, origin, written.line))
    return tuple(found)


def evaluation_settings(plan: Plan) -> Mapping[str, Value]:
    """Every parameter of the evaluation by key: temperature, length, seed, limit."""
    rows = plan.parameters.of_stage(Stage.EVALUATION)
    return {parameter.key: plan.value(parameter.key, parameter.default) for parameter in rows}


def evaluations(plan: Plan) -> tuple[Evaluation, ...]:
    """The evaluations that the matrix asks for, in its order; without a matrix all runs get all tasks.

    Epochs are zero-based; ``last`` is ``epochs - 1``. A model that was not trained here is evaluated once,
    without an epoch.
    """
    runs = {run.name: run for run in plan.runs}
    wanted: dict[tuple[str, str, int | None], int] = {}
    entries = plan.matrix
    if entries is None:
        entries = tuple(MatrixEntry(run.name, task.name, run.line) for run in plan.runs for task in plan.tasks)
    for entry in entries:
        asked = plan.epochs_to_evaluate if entry.epochs is None else entry.epochs
        if entry.run in runs:
            for epoch in _epochs(plan, runs[entry.run], asked):
                wanted.setdefault((entry.run, entry.task, epoch), entry.line)
    return tuple(Evaluation(run, task, epoch, line) for (run, task, epoch), line in wanted.items())


def evaluations_by_run(plan: Plan) -> Mapping[str, tuple[Evaluation, ...]]:
    """The name of each run, also of one without evaluations, to those that the matrix asks for."""
    by_run: dict[str, list[Evaluation]] = {run.name: [] for run in plan.runs}
    for evaluation in evaluations(plan):
        by_run[evaluation.run].append(evaluation)
    return {name: tuple(items) for name, items in by_run.items()}


def _epochs(plan: Plan, run: Run, asked: str | tuple[int, ...]) -> tuple[int | None, ...]:
    if run.type is not RunType.FINE_TUNED:
        return (None,)
    total = effective(plan, run, "epochs")
    if isinstance(asked, tuple):
        return asked
    if not isinstance(total, int):
        return ()
    return tuple(range(total)) if asked == "all" else (total - 1,)
