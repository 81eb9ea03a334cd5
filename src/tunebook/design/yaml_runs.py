"""The runs of a YAML plan: fine-tuned ones are listed one by one, under their own names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tunebook.core.naming import is_one_component
from tunebook.core.parameters import suggestion
from tunebook.core.plan import RunType
from tunebook.design.combine import level_value
from tunebook.design.given import Given, Place
from tunebook.design.values import MODEL, Control, EvalOnly, Factor, ListedRun
from tunebook.design.yaml_carrying import Carrying

__all__ = ["YamlRun", "carry_runs"]

_TYPES = {kind.value.lower(): kind for kind in RunType}
_KEYS = ("name", "type", "model", "parameters", "training_condition")


@dataclass(frozen=True)
class YamlRun:
    """A run as the plan gives it; ``is_left`` if it could not be carried over."""

    name: str
    type: RunType
    model: str
    values: Mapping[str, str]
    place: Place
    is_left: bool = False


def carry_runs(carrying: Carrying, runs: Given | None, variables: Given | None) -> tuple[YamlRun, ...]:
    """Takes the runs over; without any, the variables' levels are combined.

    Returns:
        The runs of the plan; none if it lists none.
    """
    factors = tuple(_variables(carrying, variables))
    items = carrying.sequence(runs, "runs")
    if not items:
        carrying.set(factors=factors)
        if factors:
            carrying.decide("all combinations of the variables", "the plan lists no runs")
        return ()
    found = [run for item in items if (run := _run(carrying, item)) is not None]
    _names_are_free(carrying, found)
    kept = tuple(_carried(carrying, found))
    _same_levels(carrying, factors, found, variables)
    return kept


def _variables(carrying: Carrying, section: Given | None) -> Iterator[Factor]:
    if section is None or section.value == "":
        return
    if not isinstance(section.value, Mapping):
        carrying.problem(section.place, "`variables` must hold parameters with lists of values")
        return
    for name, item in section.value.items():
        key = carrying.parameter(name, item.place, section="variables", factor=True)
        if key is not None:
            carrying.read.places["factor", key] = item.place
            texts = carrying.texts(item, f"variables.{name}")
            yield Factor(key, tuple(carrying.reader("factor").level(key, text) for text in texts))


def _run(carrying: Carrying, item: Given) -> YamlRun | None:
    found = carrying.mapping(item, "runs[]", _KEYS)
    name = carrying.text(found.get("name"), "runs[].name")
    kind = carrying.text(found.get("type"), "runs[].type").lower().replace("_", "-")
    if kind not in _TYPES:
        place = found["type"].place if "type" in found else item.place
        carrying.problem(place, f"run `{name}` has the type `{kind}`", suggestion(kind, _TYPES))
        return None
    if not name or not is_one_component(name):
        hint = "use letters, digits and . _ + = @ , - only: it becomes a directory's name"
        carrying.problem(item.place, f"a run cannot be named `{name}`", hint)
    model = carrying.text(found.get("model"), "runs[].model")
    models = [known.name for known in carrying.read.design.models]
    if not model and len(models) == 1:
        model = models[0]
    if model not in models and _TYPES[kind] is not RunType.EVAL_ONLY:
        place = found["model"].place if "model" in found else item.place
        carrying.problem(place, f"run `{name}`: `{model}` is none of the models", suggestion(model, models))
    condition = carrying.text(found.get("training_condition"), "runs[].training_condition")
    if condition:
        notes = {**carrying.read.design.run_notes, name: f"Training condition: {' '.join(condition.split())}"}
        carrying.set(run_notes=notes)
    return YamlRun(name, _TYPES[kind], model, _parameters(carrying, found.get("parameters"), name), item.place)


def _parameters(carrying: Carrying, given: Given | None, run: str) -> dict[str, str]:
    """By our keys; ``checkpoint_path`` stays as it is."""
    if given is None or given.value == "":
        return {}
    if not isinstance(given.value, Mapping):
        carrying.problem(given.place, f"run `{run}`: `parameters` must hold keys with values")
        return {}
    values: dict[str, str] = {}
    for name, item in given.value.items():
        text = carrying.text(item, f"parameters.{name}")
        if name == "checkpoint_path":
            values[name] = carrying.path(text)
            continue
        key = carrying.parameter(name, item.place, section="parameters", factor=True)
        if key is not None and (text or key in {"prompt", "system_prompt"}):
            values[key] = carrying.reader("with").level(key, text)
    return values


def _names_are_free(carrying: Carrying, runs: list[YamlRun]) -> None:
    seen: set[str] = set()
    for run in runs:
        if run.name and run.name.lower() in seen:
            carrying.problem(run.place, f"two runs are named `{run.name}`", "rename one of them")
        seen.add(run.name.lower())


def _carried(carrying: Carrying, runs: list[YamlRun]) -> Iterator[YamlRun]:
    listed: list[ListedRun] = []
    controls: dict[str, Control] = {}
    eval_only: list[EvalOnly] = []
    places = carrying.read.places
    for run in runs:
        values = dict(run.values)
        checkpoint = values.pop("checkpoint_path", "")
        if checkpoint and run.type is not RunType.EVAL_ONLY:
            carrying.problem(run.place, f"run `{run.name}` is {run.type.value.lower()} and has a checkpoint_path")
        is_left = False
        if run.type is RunType.FINE_TUNED:
            places["with", str(len(listed))] = run.place
            listed.append(ListedRun({MODEL: run.model, **values}, run.name))
        elif run.type is RunType.CONTROL:
            is_left = run.model in controls
            if is_left:
                why = f"{run.model} is evaluated once without training, as {controls[run.model].name}"
                carrying.leave(run.place, f"the control {run.name}", why)
            else:
                places["control", run.model] = run.place
                controls[run.model] = Control(run.model, run.name)
        else:
            places["eval-only", run.name] = run.place
            eval_only.append(EvalOnly(run.name, checkpoint, run.model))
        if run.type is not RunType.FINE_TUNED and not is_left:
            _leave_values(carrying, run, values)
        yield YamlRun(run.name, run.type, run.model, run.values, run.place, is_left)
    carrying.set(
        listed=tuple(listed), controls=tuple(controls.values()), eval_only=tuple(eval_only), train=bool(listed)
    )
    _overruled(carrying)


def _overruled(carrying: Carrying) -> None:
    """What `controls` say and every run says for itself: usual in such plans, and no error as it would be elsewhere."""
    design = carrying.read.design
    for key, text in design.settings.items():
        if design.listed and all(key in run.values for run in design.listed):
            carrying.read.places.pop(("set", key), None)
            carrying.decide(f"`controls` give {key} {text}, which holds for no run", "every run has its own")


def _leave_values(carrying: Carrying, run: YamlRun, values: Mapping[str, str]) -> None:
    """A model that is not trained here is asked with the prompts that hold for all runs."""
    settings = carrying.read.design.settings
    for key, text in values.items():
        if settings.get(key) == text:
            continue
        why = "it is not trained here"
        if key in {"prompt", "system_prompt"}:
            why = "models that are not trained here are asked with the prompts of `controls`"
        carrying.leave(run.place, f"{key} of the {run.type.value.lower()} run {run.name}: {text}", why)


def _same_levels(carrying: Carrying, factors: tuple[Factor, ...], runs: list[YamlRun], variables: Given | None) -> None:
    """The runs decide; variables that say otherwise are told."""
    if variables is None:
        return
    for factor in factors:
        place = carrying.read.place("factor", factor.key)
        trained = [run for run in runs if run.type is RunType.FINE_TUNED]
        common = carrying.read.design.settings.get(factor.key)
        texts = [run.model if factor.key == MODEL else run.values.get(factor.key, common) for run in trained]
        used = {level_value(factor.key, text): text for text in texts if text is not None}
        said = {level_value(factor.key, text): text for text in factor.levels}
        for value, text in said.items():
            if value not in used:
                message = f"no run has {factor.key} {text}, which `variables` lists"
                carrying.read.warnings.append(place.problem(message, "the runs decide"))
        for value, text in used.items():
            if value not in said:
                message = f"a run has {factor.key} {text}, which `variables` does not list"
                carrying.read.warnings.append(place.problem(message, "the runs decide"))
