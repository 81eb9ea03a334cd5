"""Builds a Plan from a design: rows of the runs table with their names, controls, matrix, configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import PurePosixPath
from types import MappingProxyType

from tunebook.core import plan as core
from tunebook.core.hypothesis_grammar import parse_hypothesis
from tunebook.core.jobs import Stage
from tunebook.core.markdown import prose
from tunebook.core.parameters import Kind, ParameterTable, Value, Written
from tunebook.core.paths import PLAN_FILE
from tunebook.core.plan import MatrixEntry, Plan, Run, RunType
from tunebook.core.plan.evaluation_plan import parse_epochs
from tunebook.core.plan.settings import effective
from tunebook.design.factors import column_of, combinations, level_value
from tunebook.design.naming import FreeNames, control_name, describe_design, with_names
from tunebook.design.values import MODEL, Design, ListedRun

__all__ = [
    "Previous",
    "build_plan",
    "identity",
    "kind_of",
    "names_by_identity",
    "trained_runs",
    "trains_adapters",
]

_OF_UNTRAINED = ("prompt", "system_prompt", "gpus")
_NO_EVALUATION = {"-", "no", "none"}
_USUAL_EPOCHS = {"default", "yes", "✓"}

_Identity = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Previous:
    """The plan that an update replaces, and the parts of it that stay; empty for a new plan.

    Attributes:
        matrix_notes: run name to its remark in the evaluation matrix.
        trained: runs whose training was submitted, as the plan's status says.
        is_evaluated: whether any evaluation was submitted.
    """

    plan: Plan | None = None
    text: str | None = None
    matrix_notes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    trained: frozenset[str] = frozenset()
    is_evaluated: bool = False


_NO_PREVIOUS = Previous()


def build_plan(design: Design, *, name: str, previous: Previous = _NO_PREVIOUS) -> Plan:
    """The plan of a design that has no problems; ``name`` is the experiment's."""
    trained = trained_runs(design)
    keys = _columns(design.parameters, trained)
    plan = Plan(
        name=name,
        file=PLAN_FILE,
        parameters=design.parameters,
        question=prose(design.question),
        hypotheses=tuple(map(parse_hypothesis, design.hypotheses)),
        tools=design.tools,
        runs=tuple(_run(design, row, keys, number) for number, row in enumerate(trained)),
        columns=keys,
        models=tuple(_used_models(design, trained)),
        dataset=_dataset(design, trained),
        tasks=tuple(replace(task, description=prose(task.description)) for task in design.tasks),
        epochs_to_evaluate=parse_epochs(design.epochs) or "last",
        configuration=_configuration(design, trained, keys),
        factors=tuple(_factors(design, trained, keys)),
    )
    old_names: dict[_Identity, str] = {}
    notes = dict(design.run_notes)
    if previous.plan is not None:
        old_names = names_by_identity(previous.plan)
        notes.update((run.name, run.notes) for run in previous.plan.runs if run.notes)
    names: list[str] = []
    for run, row in zip(plan.runs, trained, strict=True):
        names.append(old_names.get(identity(plan, run), row.name))
    plan = replace(plan, runs=with_names(plan, names))
    runs = (*plan.runs, *_controls(design, plan, old_names), *_eval_only(design))
    plan = replace(plan, runs=tuple(replace(run, notes=prose(notes.get(run.name, ""))) for run in runs))
    return replace(plan, matrix=tuple(_matrix(design, plan)))


# --- runs ----------------------------------------------------------------------------------------------------------


def trained_runs(design: Design) -> tuple[ListedRun, ...]:
    """Every run that is trained, replicates included: its model and what varies."""
    found = list(map(ListedRun, combinations(design)))
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


def _listed(design: Design) -> Iterator[ListedRun]:
    """The listed runs; one without a model is trained with each."""
    for run in design.listed:
        if MODEL in run.values:
            yield run
            continue
        for name in design.model_names:
            yield ListedRun({MODEL: name, **run.values}, run.name)


def _counted_seeds(design: Design) -> tuple[str, ...]:
    first = level_value("seed", design.settings.get("seed", str(design.parameters.by_key("seed").default)))
    if design.runs_per_combination == 1 or not isinstance(first, int):
        return ()
    return tuple(map(str, range(first, first + design.runs_per_combination)))


def _columns(parameters: ParameterTable, trained: Iterable[ListedRun]) -> tuple[str, ...]:
    """The keys of the parameters in the runs table, in the parameters' order."""
    keys = set(chain.from_iterable(row.values for row in trained))
    return tuple(parameter.key for parameter in parameters if parameter.key in keys)


def _text(design: Design, row: ListedRun, key: str) -> str | None:
    """A run's text of a parameter: its own, else the setting, else the default."""
    if key == MODEL:
        return row.values[MODEL]
    return row.values.get(key, design.settings.get(key, design.parameters.by_key(key).default_text))


def _run(design: Design, row: ListedRun, keys: Iterable[str], number: int) -> Run:
    texts: dict[str, str] = {}
    for key in keys:
        text = _text(design, row, key)
        if text is not None:
            texts[key] = text
    return Run(str(number), row.values[MODEL], RunType.FINE_TUNED, 0, _written(texts))


def _written(texts: Mapping[str, str]) -> Mapping[str, Written]:
    return MappingProxyType({key: Written(level_value(key, text), text) for key, text in texts.items()})


def _controls(design: Design, plan: Plan, old_names: Mapping[_Identity, str]) -> Iterator[Run]:
    """A base model for each model that is trained, or those that are wanted."""
    names = FreeNames(run.name for run in plan.runs)
    for model, given in _wanted_controls(design, plan).items():
        run = Run("", model, RunType.CONTROL, 0)
        name = old_names.get(identity(plan, run), given)
        yield replace(run, name=names.take(name or control_name(model)))


def _wanted_controls(design: Design, plan: Plan) -> dict[str, str]:
    """Model to the name of its control; an empty name is by convention."""
    if not design.has_every_control:
        return {control.model: control.name for control in design.controls or ()}
    models = set(design.model_names)
    if plan.runs:
        models = {run.model for run in plan.runs}
    return {name: "" for name in design.model_names if name in models}


def _eval_only(design: Design) -> Iterator[Run]:
    for item in design.eval_only:
        model = item.model or PurePosixPath(item.checkpoint).name
        if not item.model and len(design.models) == 1:
            model = design.models[0].name
        yield Run(item.name, model, RunType.EVAL_ONLY, 0, checkpoint=item.checkpoint)


def identity(plan: Plan, run: Run) -> _Identity:
    """The type of a run, its model, and every setting of its training but its GPUs: equal for the same run."""
    if run.type is RunType.EVAL_ONLY:
        return (run.type.value, run.model, run.checkpoint or "")
    found = [run.type.value, run.model]
    if run.type is RunType.CONTROL:
        return tuple(found)
    for parameter in plan.parameters.of_stage(Stage.PREPARATION):
        written = plan.setting(run, parameter.key)
        value = written.value if written else parameter.default
        if parameter.key == "dataset" and plan.dataset and not value:
            value = plan.dataset.path
        if parameter.key != "gpus":
            found.append(f"{parameter.key}={value!r}")
    return tuple(found)


def names_by_identity(plan: Plan) -> dict[_Identity, str]:
    """The names of the plan's runs."""
    return {identity(plan, run): run.name for run in plan.runs}


def kind_of(design: Design, plan: Plan, old: Plan | None) -> str:
    """The design in words; the old plan's words while its runs are the same."""
    if old and old.kind and [identity(old, run) for run in old.runs] == [identity(plan, run) for run in plan.runs]:
        return old.kind
    return describe_design(design, plan)


# --- what the runs share -------------------------------------------------------------------------------------------


def _used_models(design: Design, trained: Iterable[ListedRun]) -> Iterator[core.Model]:
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
    path: str = design.dataset
    for row in trained:
        path = path or row.values.get("dataset", "")
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
    return _written(texts)


def _shown_defaults(design: Design, *, is_trained: bool) -> Mapping[str, str]:
    lora = trains_adapters(design)
    texts: dict[str, str] = {}
    for parameter in design.parameters:
        if not parameter.is_shown or parameter.default_text is None or (parameter.lora_only and not lora):
            continue
        if is_trained or parameter.key in _OF_UNTRAINED or parameter.stage is Stage.EVALUATION:
            texts[parameter.key] = parameter.default_text
    return texts


def _factors(design: Design, trained: Sequence[ListedRun], keys: tuple[str, ...]) -> Iterator[core.Factor]:
    """``## Variables``: the levels that the runs have, as they were written first."""
    order = dict.fromkeys([*design.factor_keys, *keys])
    if MODEL not in order and len({row.values[MODEL] for row in trained}) > 1:
        order = {MODEL: None, **order}
    for key in order:
        if key in (*keys, MODEL):
            yield core.Factor(column_of(key), _levels(design, trained, key), 0)


def _levels(design: Design, trained: Sequence[ListedRun], key: str) -> tuple[str, ...]:
    """The levels of one key: in the factor's order, then in that of the runs."""
    texts: dict[Value, str] = {}
    for row in trained:
        text = _text(design, row, key)
        if text is not None:
            texts.setdefault(level_value(key, text), text)
    levels: list[str] = []
    factor = design.factor(key)
    for level in factor.levels if factor else ():
        text = texts.pop(level_value(key, level), None)
        if text is not None:
            levels.append(text)
    return (*levels, *texts.values())


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
    epochs = parse_epochs(wanted)
    if wanted in _USUAL_EPOCHS:
        epochs = plan.epochs_to_evaluate
    total = effective(plan, run, "epochs")
    if epochs == "last" and isinstance(total, int):
        return (total - 1,)
    return epochs
