"""The settings that apply to a run: its row, otherwise the configuration, otherwise the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial

from tunebook.core.jobs import Stage
from tunebook.core.parameters import Kind, Parameter, Value
from tunebook.core.plan.values import Evaluation, MatrixEntry, Plan, Run, RunType

__all__ = [
    "Origin",
    "SettingInEffect",
    "effective",
    "epochs_of",
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
    return _of_run(plan, run).get(key)


def trains_adapters(plan: Plan, run: Run) -> bool:
    """Whether a fine-tuned run trains adapters (LoRA) rather than all weights."""
    return _of_run(plan, run).trains_adapters


def run_settings(plan: Plan, run: Run) -> Mapping[str, Value]:
    """Every training parameter of a run by key, in the table's order."""
    return _of_run(plan, run).of_training


@dataclass(frozen=True)
class _OfRun:
    """All settings of one run.

    Attributes:
        of_training: the parameters of the training by key.
        others: all others; one mapping for all runs that have the same.
    """

    of_training: Mapping[str, Value]
    others: Mapping[str, Value]
    trains_adapters: bool

    def get(self, key: str) -> Value:
        """The value of a parameter; ``None`` where there is no such parameter."""
        return self.of_training[key] if key in self.of_training else self.others.get(key)


def _of_run(plan: Plan, run: Run) -> _OfRun:
    return plan.memo.once_of("settings", run, lambda: _compute(plan, run))


def _compute(plan: Plan, run: Run) -> _OfRun:
    values = dict(plan.memo.once("settings of the configuration", lambda: _of_configuration(plan)))
    for key, written in run.parameters.items():
        if key in values:
            values[key] = written.value
    table = plan.parameters
    decision = table.trains_adapters(values)  # as the settings say without the rank
    if decision is False:
        for parameter in table:
            if parameter.lora_only:
                values[parameter.key] = None
    rank = values.get("lora_rank")
    for parameter in table:
        if parameter.kind is Kind.ALPHA:
            values[parameter.key] = _multiplied(values[parameter.key], rank)
    of_training = {parameter.key: values.pop(parameter.key) for parameter in table.of_stage(Stage.PREPARATION)}
    others = plan.memo.once(("others", tuple(values.items())), lambda: values)
    return _OfRun(of_training, others, rank is not None if decision is None else decision)


def _of_configuration(plan: Plan) -> dict[str, Value]:
    """The settings of a run that has none of its own."""
    return {parameter.key: plan.value(parameter.key, parameter.default) for parameter in plan.parameters}


def _multiplied(value: Value, rank: Value) -> Value:
    """An alpha that is given as a multiple of the rank, as a number."""
    if not isinstance(value, str):
        return value
    if not isinstance(rank, int):
        return None
    product = float(value.removesuffix("*rank")) * rank
    return int(product) if product.is_integer() else product


def settings_in_effect(plan: Plan, run: Run) -> tuple[SettingInEffect, ...]:
    """Every setting that applies to a run and its evaluations, in the table's order, each with its origin."""
    found = []
    is_trained = run.type is RunType.FINE_TUNED
    of_run = _of_run(plan, run)
    for parameter in plan.parameters:
        key = parameter.key
        is_of_training = parameter.stage is Stage.PREPARATION and parameter.kind is not Kind.LITERAL
        applies_not = parameter.lora_only and not of_run.trains_adapters
        if applies_not or (is_of_training and not is_trained):
            continue
        value = of_run.get(key)
        if key in run.parameters:
            written = run.parameters[key]
            found.append(SettingInEffect(parameter, value, written.text, Origin.ROW, written.line))
        else:
            found.append(plan.memo.once(("in effect", key, value), partial(_of_all_runs, plan, parameter, value)))
    return tuple(found)


def _of_all_runs(plan: Plan, parameter: Parameter, value: Value) -> SettingInEffect:
    """A setting that no row gives."""
    written = plan.configuration.get(parameter.key)
    if written is None:
        return SettingInEffect(parameter, value, parameter.default_text or "", Origin.DEFAULT)
    return SettingInEffect(parameter, value, written.text, Origin.CONFIGURATION, written.line)


def evaluation_settings(plan: Plan) -> Mapping[str, Value]:
    """Every parameter of the evaluation by key: temperature, length, seed, limit."""
    return plan.memo.once("settings of evaluations", lambda: _evaluation_settings(plan))


def _evaluation_settings(plan: Plan) -> Mapping[str, Value]:
    rows = plan.parameters.of_stage(Stage.EVALUATION)
    return {parameter.key: plan.value(parameter.key, parameter.default) for parameter in rows}


def evaluations(plan: Plan) -> tuple[Evaluation, ...]:
    """The evaluations that the matrix asks for, in its order; without a matrix all runs get all tasks.

    Epochs are zero-based; ``last`` is ``epochs - 1``. A model that was not trained here is evaluated once,
    without an epoch.
    """
    return plan.memo.once("evaluations", lambda: _evaluations(plan))


def _evaluations(plan: Plan) -> tuple[Evaluation, ...]:
    runs = {run.name: run for run in plan.runs}
    wanted: dict[tuple[str, str, int | None], int] = {}
    entries = plan.matrix
    if entries is None:
        entries = tuple(MatrixEntry(run.name, task.name, run.line) for run in plan.runs for task in plan.tasks)
    for entry in entries:
        asked = plan.epochs_to_evaluate if entry.epochs is None else entry.epochs
        if entry.run in runs:
            for epoch in epochs_of(plan, runs[entry.run], asked):
                wanted.setdefault((entry.run, entry.task, epoch), entry.line)
    return tuple(Evaluation(run, task, epoch, line) for (run, task, epoch), line in wanted.items())


def evaluations_by_run(plan: Plan) -> Mapping[str, tuple[Evaluation, ...]]:
    """The name of each run, also of one without evaluations, to those that the matrix asks for."""
    by_run: dict[str, list[Evaluation]] = {run.name: [] for run in plan.runs}
    for evaluation in evaluations(plan):
        by_run[evaluation.run].append(evaluation)
    return {name: tuple(items) for name, items in by_run.items()}


def epochs_of(plan: Plan, run: Run, asked: str | tuple[int, ...]) -> tuple[int | None, ...]:
    """The zero-based epochs that ``last``, ``all`` or a list means for a run; ``None`` for one that is not trained."""
    if run.type is not RunType.FINE_TUNED:
        return (None,)
    total = effective(plan, run, "epochs")
    if isinstance(asked, tuple):
        return asked
    if not isinstance(total, int):
        return ()
    return tuple(range(total)) if asked == "all" else (total - 1,)
