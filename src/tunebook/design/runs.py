"""From a design to a Plan: rows of the runs table with their names, controls, the matrix, the configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from types import MappingProxyType

from tunebook.core import plan as page
from tunebook.core.job import Stage
from tunebook.core.naming import as_component, run_labels
from tunebook.core.parameters import Kind, ParameterTable, Value, Written
from tunebook.core.parse_matrix import parse_epochs
from tunebook.core.plan import MatrixEntry, Plan, Run, RunType, Tools
from tunebook.core.settings import effective, run_settings
from tunebook.core.table_text import prose
from tunebook.design.combine import combinations, level_value
from tunebook.design.values import MODEL, Design, DesignModel, EvalOnly, ListedRun

__all__ = ["alike", "columns", "identity", "plan_of", "rows", "trains_adapters", "usual_epochs"]

_OF_EVALUATION = ("prompt", "system_prompt", "gpus")


def trains_adapters(design: Design) -> bool | None:
    """Whether the settings train adapters; ``None`` where they leave it to whether there is a LoRA rank."""
    return design.parameters.trains_adapters({key: level_value(key, text) for key, text in design.settings.items()})


def rows(design: Design) -> tuple[ListedRun, ...]:
    """Every run that is to be trained, replicates included: its model and what varies."""
    single = [
        ListedRun(values, item.name)
        for item in design.listed
        for values in ([item.values] if MODEL in item.values else _with_models(design, item.values))
    ]
    found = [ListedRun(values) for values in combinations(design)] + (single if design.train else [])
    seeds = design.seeds or _replicates(design)
    if not seeds:
        return tuple(found)
    return tuple(
        row if "seed" in row.values else ListedRun({**row.values, "seed": seed}, _seeded(row.name, seed))
        for row in found
        for seed in (("",) if "seed" in row.values else seeds)
    )


def _with_models(design: Design, values: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    for model in design.models:
        yield {MODEL: model.name, **values}


def _replicates(design: Design) -> tuple[str, ...]:
    first = level_value("seed", design.settings.get("seed", "14"))
    if design.replicates < 2 or not isinstance(first, int):  # noqa: PLR2004
        return ()
    return tuple(str(first + number) for number in range(design.replicates))


def _seeded(name: str, seed: str) -> str:
    return f"{name}_seed{seed}" if name else ""


def columns(parameters: ParameterTable, trained: Iterable[ListedRun]) -> tuple[str, ...]:
    """The keys of the parameters that stand in the runs table, in the parameters' order."""
    keys = {key for row in trained for key in row.values}
    return tuple(parameter.key for parameter in parameters if parameter.key in keys)


def plan_of(design: Design, *, name: str) -> Plan:
    """The plan that a design without problems means; ``name`` is the experiment's."""
    trained = rows(design)
    keys = columns(design.parameters, trained)
    data = design.dataset or next((row.values["dataset"] for row in trained if "dataset" in row.values), "")
    plan = Plan(
        name=name,
        file=page.PLAN_FILE,
        parameters=design.parameters,
        question=prose(design.question),
        tools=Tools(design.preparation, design.evaluation, assumed=False),
        runs=tuple(_run(design, row, keys, number) for number, row in enumerate(trained)),
        columns=keys,
        models=tuple(page.Model(model.name, model.path, 0) for model in _used_models(design, trained)),
        dataset=page.Dataset(data, 0, design.dataset_format) if data else None,
        tasks=tuple(
            page.EvaluationTask(task.name, task.script, 0, task.function, task.dataset, prose(task.description))
            for task in design.tasks
        ),
        epochs_to_evaluate=parse_epochs(design.epochs) or "last",
        configuration=_configuration(design, trained, keys),
    )
    plan = replace(plan, runs=_named(design, plan, trained), factors=_factors(design, trained, keys))
    plan = replace(plan, runs=_with_notes(design, (*plan.runs, *_controls(design, plan), *_eval_only(design))))
    return replace(plan, matrix=tuple(_matrix(design, plan)))


def _used_models(design: Design, trained: Iterable[ListedRun]) -> Iterator[DesignModel]:
    used = {row.values[MODEL] for row in trained}
    used |= {control.model for control in design.controls or ()}
    used |= {item.model for item in design.eval_only}
    for model in design.models:
        if model.name in used or design.controls is None:
            yield model


def _run(design: Design, row: ListedRun, keys: Iterable[str], number: int) -> Run:
    parameters = {}
    for key in keys:
        text = row.values.get(key, design.settings.get(key, design.parameters.by_key(key).default_text))
        if text is not None:
            parameters[key] = Written(level_value(key, text), text)
    return Run(str(number), row.values[MODEL], RunType.FINE_TUNED, 0, MappingProxyType(parameters))


def _configuration(design: Design, trained: tuple[ListedRun, ...], keys: Iterable[str]) -> Mapping[str, Written]:
    """The settings, and the defaults that a reader of the page wants to see.

    A prompt that varies stays here with its first level: it is what models are asked with that are not trained.
    """
    texts = dict(design.settings)
    is_lora = trains_adapters(design) is not False
    for parameter in design.parameters:
        key, default = parameter.key, parameter.default_text
        relevant = trained or key in _OF_EVALUATION or parameter.stage is Stage.EVALUATION
        applies = parameter.is_shown and relevant and (is_lora or not parameter.lora_only)
        if key not in texts and default is not None and applies:
            texts[key] = default
    for key in keys:
        first = next((row.values[key] for row in trained if key in row.values), None)
        if design.parameters.by_key(key).kind is not Kind.LITERAL:
            texts.pop(key, None)
        elif key not in design.settings and first is not None:
            texts[key] = first
    return MappingProxyType({key: Written(level_value(key, text), text) for key, text in texts.items()})


def _factors(design: Design, trained: tuple[ListedRun, ...], keys: tuple[str, ...]) -> tuple[page.Factor, ...]:
    """``## Variables``: the levels that the runs have, as they were written first."""
    shown = {**design.level_order, **{factor.key: factor.levels for factor in design.factors}}
    order = [key for key in shown if key in (*keys, MODEL)]
    order += [key for key in keys if key not in order]
    if MODEL not in order and len({row.values[MODEL] for row in trained}) > 1:
        order.insert(0, MODEL)
    factors = []
    for key in order:
        levels: dict[Value, str] = {}
        for row in trained:
            default = None if key == MODEL else design.parameters.by_key(key).default_text
            text = row.values.get(key, design.settings.get(key, default))
            if text is not None:
                levels.setdefault(level_value(key, text), text)
        ranks = {level_value(key, text): index for index, text in enumerate(shown.get(key, ()))}
        ordered = sorted(levels, key=lambda value: ranks.get(value, len(ranks)))
        factors.append(page.Factor(design.column(key), tuple(levels[value] for value in ordered), 0))
    return tuple(factors)


@dataclass
class _Names:
    """Names that are taken, without regard to case: directories may follow from them."""

    taken: set[str]

    def free(self, name: str) -> str:
        candidate, number = name, 2
        while candidate.lower() in self.taken:
            candidate, number = f"{name}-{number}", number + 1
        self.taken.add(candidate.lower())
        return candidate


def _stem(model: str) -> str:
    """A model's name as it may stand in a run's name."""
    return as_component(PurePosixPath(model).name).lstrip(".-") or "model"


def _named(design: Design, plan: Plan, trained: tuple[ListedRun, ...]) -> tuple[Run, ...]:
    """The runs with names: those that a person gave or that the page has already, else ``{model}_rank8_lr1e-5``."""
    labels = run_labels(plan)
    kept = [design.run_names.get(identity(plan, run), row.name) for run, row in zip(plan.runs, trained, strict=True)]
    names = _Names(set())
    given = [names.free(name) if name else "" for name in kept]
    return tuple(
        replace(run, name=name or names.free("_".join([_stem(run.model), *(labels[run.name] or _usual(plan, run))])))
        for run, name in zip(plan.runs, given, strict=True)
    )


def _usual(plan: Plan, run: Run) -> list[str]:
    """What a run's name tells where nothing varies."""
    texts = {key: plan.setting(run, key) for key in ("lora_rank", "lr")}
    return [f"{plan.parameters.by_key(key).short}{written.text}" for key, written in texts.items() if written]


def identity(plan: Plan, run: Run) -> tuple[str, ...]:
    """What makes a run the same run: its type, its model, and every setting of its training."""
    if run.type is RunType.EVAL_ONLY:
        return (run.type.value, run.model, run.checkpoint or "")
    if run.type is RunType.CONTROL:
        return (run.type.value, run.model)
    settings = {
        item.key: written.value if (written := plan.setting(run, item.key)) else item.default
        for item in plan.parameters.of_stage(Stage.PREPARATION)
    }
    settings["dataset"] = settings["dataset"] or (plan.dataset.path if plan.dataset else None)
    return (run.type.value, run.model, *(f"{key}={value!r}" for key, value in settings.items() if key != "gpus"))


def alike(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Pairs of runs that would be one and the same training: an alpha of 16 is one of ``2 × rank`` at rank 8."""
    first: dict[object, str] = {}
    found = []
    for run in plan.fine_tuned:
        key = (run.model, *sorted((key, repr(value)) for key, value in run_settings(plan, run).items()))
        if first.setdefault(key, run.name) != run.name:
            found.append((first[key], run.name))
    return tuple(found)


def _controls(design: Design, plan: Plan) -> Iterator[Run]:
    """A base model for each model that is trained, or those that are asked for."""
    names = _Names({run.name.lower() for run in plan.runs})
    wanted = {control.model: control.name for control in design.controls or ()}
    if design.controls is None:
        used = {run.model for run in plan.runs}
        wanted = {model.name: "" for model in design.models if model.name in used or not plan.runs}
    for model, name in wanted.items():
        run = Run("", model, RunType.CONTROL, 0)
        known = design.run_names.get(identity(plan, run), name)
        yield replace(run, name=names.free(known or f"{_stem(model)}_base"))


def _eval_only(design: Design) -> Iterator[Run]:
    models = [model.name for model in design.models]
    for item in design.eval_only:
        yield Run(item.name, _model_of(item, models), RunType.EVAL_ONLY, 0, checkpoint=item.checkpoint)


def _model_of(item: EvalOnly, models: list[str]) -> str:
    return item.model or (models[0] if len(models) == 1 else PurePosixPath(item.checkpoint).name)


def _with_notes(design: Design, runs: tuple[Run, ...]) -> tuple[Run, ...]:
    return tuple(replace(run, notes=prose(design.run_notes.get(run.name, ""))) for run in runs)


def _matrix(design: Design, plan: Plan) -> Iterator[MatrixEntry]:
    for run in plan.runs:
        for task in plan.tasks:
            wanted = "default"
            for rule in design.matrix:
                if fnmatchcase(run.name, rule.run) and fnmatchcase(task.name, rule.task):
                    wanted = rule.epochs
            if wanted in {"-", "no", "none"}:
                continue
            yield MatrixEntry(run.name, task.name, 0, _epochs(plan, run, wanted))


def _epochs(plan: Plan, run: Run, wanted: str) -> str | tuple[int, ...] | None:
    """What a cell says: the epochs themselves, ``all``, or nothing for what is not trained here."""
    if run.type is not RunType.FINE_TUNED:
        return None
    if wanted in {"default", "yes", "✓"}:
        return usual_epochs(plan, run)
    return _resolved(plan, run, parse_epochs(wanted))


def usual_epochs(plan: Plan, run: Run) -> str | tuple[int, ...] | None:
    """What a fine-tuned run's cell says where nothing else is wanted."""
    return _resolved(plan, run, plan.epochs_to_evaluate)


def _resolved(plan: Plan, run: Run, epochs: str | tuple[int, ...] | None) -> str | tuple[int, ...] | None:
    total = effective(plan, run, "epochs")
    return (total - 1,) if epochs == "last" and isinstance(total, int) else epochs
