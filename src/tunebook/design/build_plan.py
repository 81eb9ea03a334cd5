"""Builds a Plan from a design: rows of the runs table with their names, controls, matrix, configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from types import MappingProxyType

from tunebook.core import plan as core
from tunebook.core.jobs import Stage
from tunebook.core.markdown import prose
from tunebook.core.parameters import Kind, ParameterTable, Value, Written
from tunebook.core.paths import PLAN_FILE
from tunebook.core.plan import MatrixEntry, Plan, Run, RunType
from tunebook.core.plan.evaluation_plan import parse_epochs
from tunebook.core.plan.settings import effective, run_settings
from tunebook.design.combine import combinations, level_value
from tunebook.design.naming import FreeNames, control_name, with_names
from tunebook.design.parameter_names import column_of
from tunebook.design.values import MODEL, Design, DesignModel, EvalOnly, ListedRun

__all__ = ["Identity", "Kept", "build_plan", "identity", "same_trainings", "trained_runs", "trains_adapters"]

_OF_UNTRAINED = ("prompt", "system_prompt", "gpus")
_NO_EVALUATION = {"-", "no", "none"}
_USUAL_EPOCHS = {"default", "yes", "✓"}

Identity = tuple[str, ...]
"""What makes a run the same run; see :func:`identity`."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a plan that is updated keeps of its text: names of runs, by identity, and remarks by run name."""

    run_names: Mapping[Identity, str] = field(default_factory=lambda: MappingProxyType({}))
    run_notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    matrix_notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


_NOTHING_KEPT = Kept()


def build_plan(design: Design, *, name: str, kept: Kept = _NOTHING_KEPT) -> Plan:
    """The plan of a design that has no problems; ``name`` is the experiment's."""
    trained = trained_runs(design)
    keys = _columns(design.parameters, trained)
    plan = Plan(
        name=name,
        file=PLAN_FILE,
        parameters=design.parameters,
        question=prose(design.question),
        tools=design.tools,
        runs=tuple(_run(design, row, keys, number) for number, row in enumerate(trained)),
        columns=keys,
        models=tuple(core.Model(model.name, model.path, 0) for model in _used_models(design, trained)),
        dataset=_dataset(design, trained),
        tasks=tuple(
            core.EvaluationTask(task.name, task.script, 0, task.function, task.dataset, prose(task.description))
            for task in design.tasks
        ),
        epochs_to_evaluate=parse_epochs(design.epochs) or "last",
        configuration=_configuration(design, trained, keys),
        factors=_factors(design, trained, keys),
    )
    names = [kept.run_names.get(identity(plan, run), row.name) for run, row in zip(plan.runs, trained, strict=True)]
    plan = replace(plan, runs=with_names(plan, names))
    untrained = (*_controls(design, plan, kept), *_eval_only(design))
    notes = {**design.run_notes, **kept.run_notes}
    runs = tuple(replace(run, notes=prose(notes.get(run.name, ""))) for run in (*plan.runs, *untrained))
    plan = replace(plan, runs=runs)
    return replace(plan, matrix=tuple(_matrix(design, plan)))


# --- runs ----------------------------------------------------------------------------------------------------------


def trained_runs(design: Design) -> tuple[ListedRun, ...]:
    """Every run that is trained, replicates included: its model and what varies."""
    found = [ListedRun(values) for values in combinations(design)]
    if design.is_trained:
        found += _listed(design)
    seeds = design.seeds or _counted_seeds(design)
    if not seeds:
        return tuple(found)
    replicated: list[ListedRun] = []
    for run in found:
        if "seed" in run.values:
            replicated.append(run)
            continue
        for seed in seeds:
            name = f"{run.name}_seed{seed}" if run.name else ""
            replicated.append(ListedRun({**run.values, "seed": seed}, name))
    return tuple(replicated)


def _listed(design: Design) -> list[ListedRun]:
    """The listed runs; one without a model is trained with each."""
    found: list[ListedRun] = []
    for run in design.listed:
        if MODEL in run.values:
            found.append(run)
        else:
            found += [ListedRun({MODEL: model.name, **run.values}, run.name) for model in design.models]
    return found


def _counted_seeds(design: Design) -> tuple[str, ...]:
    first = level_value("seed", design.settings.get("seed", str(design.parameters.by_key("seed").default)))
    if design.runs_per_combination == 1 or not isinstance(first, int):
        return ()
    return tuple(str(first + number) for number in range(design.runs_per_combination))


def _columns(parameters: ParameterTable, trained: Iterable[ListedRun]) -> tuple[str, ...]:
    """The keys of the parameters in the runs table, in the parameters' order."""
    keys = {key for row in trained for key in row.values}
    return tuple(parameter.key for parameter in parameters if parameter.key in keys)


def _text(design: Design, row: ListedRun, key: str) -> str | None:
    """A run's text of a parameter: its own, else the setting, else the default."""
    default = None if key == MODEL else design.parameters.by_key(key).default_text
    return row.values.get(key, design.settings.get(key, default))


def _run(design: Design, row: ListedRun, keys: Iterable[str], number: int) -> Run:
    parameters: dict[str, Written] = {}
    for key in keys:
        text = _text(design, row, key)
        if text is not None:
            parameters[key] = Written(level_value(key, text), text)
    return Run(str(number), row.values[MODEL], RunType.FINE_TUNED, 0, MappingProxyType(parameters))


def _controls(design: Design, plan: Plan, kept: Kept) -> Iterator[Run]:
    """A base model for each model that is trained, or those that are wanted."""
    wanted = {control.model: control.name for control in design.controls or ()}
    if design.has_every_control:
        used = {run.model for run in plan.runs}
        wanted = {model.name: "" for model in design.models if model.name in used or not used}
    names = FreeNames(run.name for run in plan.runs)
    for model, given in wanted.items():
        run = Run("", model, RunType.CONTROL, 0)
        name = kept.run_names.get(identity(plan, run), given)
        yield replace(run, name=names.take(name or control_name(model)))


def _eval_only(design: Design) -> Iterator[Run]:
    models = [model.name for model in design.models]
    for item in design.eval_only:
        yield Run(item.name, _model_of(item, models), RunType.EVAL_ONLY, 0, checkpoint=item.checkpoint)


def _model_of(item: EvalOnly, models: list[str]) -> str:
    if item.model:
        return item.model
    return models[0] if len(models) == 1 else PurePosixPath(item.checkpoint).name


def identity(plan: Plan, run: Run) -> Identity:
    """What makes a run the same run: its type, its model, and every setting of its training but its GPUs."""
    if run.type is RunType.EVAL_ONLY:
        return (run.type.value, run.model, run.checkpoint or "")
    if run.type is RunType.CONTROL:
        return (run.type.value, run.model)
    settings: dict[str, Value] = {}
    for parameter in plan.parameters.of_stage(Stage.PREPARATION):
        written = plan.setting(run, parameter.key)
        settings[parameter.key] = written.value if written else parameter.default
    if plan.dataset and not settings["dataset"]:
        settings["dataset"] = plan.dataset.path
    return (run.type.value, run.model, *(f"{key}={value!r}" for key, value in settings.items() if key != "gpus"))


def same_trainings(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Pairs of runs that are the same training: at rank 8, an alpha of 16 is ``2 × rank``."""
    first: dict[object, str] = {}
    found = []
    for run in plan.fine_tuned:
        key = (run.model, *sorted((key, repr(value)) for key, value in run_settings(plan, run).items()))
        if first.setdefault(key, run.name) != run.name:
            found.append((first[key], run.name))
    return tuple(found)


# --- what the runs share -------------------------------------------------------------------------------------------


def _used_models(design: Design, trained: Iterable[ListedRun]) -> Iterator[DesignModel]:
    """All models; without those that neither a run nor a control uses where the controls are chosen."""
    used = {row.values[MODEL] for row in trained}
    used |= {control.model for control in design.controls or ()}
    used |= {item.model for item in design.eval_only}
    for model in design.models:
        if design.has_every_control or model.name in used:
            yield model


def trains_adapters(design: Design) -> bool:
    """Whether the settings train adapters (LoRA) rather than all weights, or leave that open."""
    values = {key: level_value(key, text) for key, text in design.settings.items()}
    return design.parameters.trains_adapters(values) is not False


def _dataset(design: Design, trained: Iterable[ListedRun]) -> core.Dataset | None:
    """The data set of all runs; where data sets vary, that of the first run."""
    varied = (row.values["dataset"] for row in trained if "dataset" in row.values)
    path = design.dataset or next(varied, "")
    return core.Dataset(path, 0, design.dataset_format) if path else None


def _configuration(design: Design, trained: Sequence[ListedRun], keys: Iterable[str]) -> Mapping[str, Written]:
    """The settings, and the defaults that are shown.

    A prompt that varies is also here, with its first level: models that are not trained are evaluated with it.
    """
    texts = {**_shown_defaults(design, is_trained=bool(trained)), **design.settings}
    for key in keys:
        if design.parameters.by_key(key).kind is not Kind.LITERAL:
            texts.pop(key, None)
        elif key not in design.settings:
            texts[key] = next(row.values[key] for row in trained if key in row.values)
    return MappingProxyType({key: Written(level_value(key, text), text) for key, text in texts.items()})


def _shown_defaults(design: Design, *, is_trained: bool) -> Mapping[str, str]:
    lora = trains_adapters(design)
    texts: dict[str, str] = {}
    for parameter in design.parameters:
        if not parameter.is_shown or parameter.default_text is None or (parameter.lora_only and not lora):
            continue
        if is_trained or parameter.key in _OF_UNTRAINED or parameter.stage is Stage.EVALUATION:
            texts[parameter.key] = parameter.default_text
    return texts


def _factors(design: Design, trained: Sequence[ListedRun], keys: tuple[str, ...]) -> tuple[core.Factor, ...]:
    """``## Variables``: the levels that the runs have, as they were written first."""
    order = [str(factor.key) for factor in design.factors if factor.key in (*keys, MODEL)]
    order += [key for key in keys if key not in order]
    if MODEL not in order and len({row.values[MODEL] for row in trained}) > 1:
        order.insert(0, MODEL)
    return tuple(core.Factor(column_of(key), _levels(design, trained, key), 0) for key in order)


def _levels(design: Design, trained: Sequence[ListedRun], key: str) -> tuple[str, ...]:
    """The levels of one key: in the factor's order, then in that of the runs."""
    texts: dict[Value, str] = {}
    for row in trained:
        text = _text(design, row, key)
        if text is not None:
            texts.setdefault(level_value(key, text), text)
    factor = design.factor(key)
    ranks = {level_value(key, text): rank for rank, text in enumerate(factor.levels if factor else ())}
    values = sorted(texts, key=lambda value: ranks.get(value, len(ranks)))
    return tuple(texts[value] for value in values)


# --- the evaluation matrix -----------------------------------------------------------------------------------------


def _matrix(design: Design, plan: Plan) -> Iterator[MatrixEntry]:
    for run in plan.runs:
        for task in plan.tasks:
            wanted = "default"
            for rule in design.matrix:
                if fnmatchcase(run.name, rule.run) and fnmatchcase(task.name, rule.task):
                    wanted = rule.epochs
            if wanted not in _NO_EVALUATION:
                yield MatrixEntry(run.name, task.name, 0, _epochs(plan, run, wanted))


def _epochs(plan: Plan, run: Run, wanted: str) -> str | tuple[int, ...] | None:
    """The epochs of a cell of the matrix; ``None`` for a model that is not trained here."""
    if run.type is not RunType.FINE_TUNED:
        return None
    epochs = plan.epochs_to_evaluate if wanted in _USUAL_EPOCHS else parse_epochs(wanted)
    total = effective(plan, run, "epochs")
    return (total - 1,) if epochs == "last" and isinstance(total, int) else epochs
