"""The runs of a plan in YAML: fine-tuned ones are listed one by one, under their own names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tunebook.core.naming import is_one_component
from tunebook.core.parameters import Value, suggestion
from tunebook.core.plan import RunType
from tunebook.design.documents import Place, Text, place_of
from tunebook.design.factors import is_literal, level_value
from tunebook.design.values import MODEL, Control, EvalOnly, Factor, ListedRun
from tunebook.design.yaml_draft import TEXTS, Draft, Section

__all__ = ["PROMPTS", "YamlRun", "read_runs"]

_TYPES = {kind.value.lower(): kind for kind in RunType}
PROMPTS = ("system_prompt", "prompt")
"""The keys of parameters whose empty text means something."""


@dataclass(frozen=True, kw_only=True)
class YamlRun:
    """A run as the plan gives it; ``values`` are by our keys, ``is_left`` if it is not carried over."""

    name: str
    type: RunType
    model: str
    values: Mapping[str, str]
    checkpoint: str
    place: Place
    is_left: bool = False


def read_runs(draft: Draft, listed: Sequence[Section], variables: Section) -> tuple[YamlRun, ...]:
    """Takes the runs over; if the plan lists none, the variables' levels are combined.

    Returns:
        The runs that the plan lists.
    """
    factors = tuple(_variables(draft, variables))
    if not listed:
        draft.give(factors=factors)
        if factors:
            draft.decide("all combinations of the variables", "the plan lists no runs")
        return ()
    found = list(_checked(draft, filter(None, [_run(draft, item) for item in listed])))
    _take_runs(draft, found)
    _leave_values(draft, found)
    _compare_levels(draft, factors, found)
    _drop_overruled(draft)
    return tuple(found)


def _variables(draft: Draft, section: Section) -> Iterator[Factor]:
    for name, item in section.items():
        key = draft.parameter(Text(name, item.place), section="variables", is_factor=True)
        if key is not None:
            yield Factor(Text(key, item.place), tuple(draft.read(item, TEXTS, f"variables.{name}")))


def _run(draft: Draft, item: Section) -> YamlRun | None:
    name, kind = item.text("name"), item.text("type")
    run_type = _TYPES.get(kind.lower().replace("_", "-"))
    if run_type is None:
        draft.problem(kind.place, f"run `{name}` has the unknown type `{kind}`", suggestion(kind, _TYPES))
        return None
    if not is_one_component(name):
        hint = "use only letters, digits and . _ + = @ , -, because it becomes the name of a directory"
        draft.problem(item.place, f"a run cannot be named `{name}`", hint)
    models = draft.design.model_names
    only = models[0] if len(models) == 1 else ""
    model = item.get("model", Text(only, item.place))
    if model not in models and run_type is not RunType.EVAL_ONLY:
        draft.problem(model.place, f"run `{name}`: unknown model `{model}`", suggestion(model, models))
    condition = item.text("training_condition")
    if condition:
        draft.give(run_notes={**draft.design.run_notes, name: f"Training condition: {' '.join(condition.split())}"})
    values, checkpoint = _parameters(draft, item.get("parameters", Section()))
    if checkpoint and run_type is not RunType.EVAL_ONLY:
        draft.problem(item.place, f"run `{name}` is {run_type.value.lower()}, but has a checkpoint_path")
    return YamlRun(name=name, type=run_type, model=model, values=values, checkpoint=checkpoint, place=item.place)


def _parameters(draft: Draft, section: Section) -> tuple[dict[str, str], str]:
    """A run's values by our keys, and its checkpoint."""
    values: dict[str, str] = {}
    for name, text in section.items():
        if name == "checkpoint_path":
            continue
        key = draft.parameter(Text(name, text.place), section="parameters", is_factor=True)
        if key is not None and (text or key in PROMPTS):
            values[key] = text
    return values, section.text("checkpoint_path")


def _checked(draft: Draft, runs: Iterable[YamlRun]) -> Iterator[YamlRun]:
    """The runs; reports a name that two have, and carries only the first of several controls of a model over."""
    seen: set[str] = set()
    controls: dict[str, str] = {}
    for run in runs:
        if run.name and run.name.lower() in seen:
            draft.problem(run.place, f"two runs are named `{run.name}`", "rename one of them")
        seen.add(run.name.lower())
        if run.type is RunType.CONTROL and controls.setdefault(run.model, run.name) != run.name:
            why = f"{run.model} is evaluated once without training, as {controls[run.model]}"
            draft.leave(run.place, f"the control {run.name}", why)
            yield replace(run, is_left=True)
        else:
            yield run


def _take_runs(draft: Draft, runs: Sequence[YamlRun]) -> None:
    listed: list[ListedRun] = []
    controls: list[Control] = []
    eval_only: list[EvalOnly] = []
    for run in runs:
        if run.type is RunType.FINE_TUNED:
            listed.append(ListedRun({MODEL: run.model, **run.values}, Text(run.name, run.place)))
        elif run.type is RunType.EVAL_ONLY:
            eval_only.append(EvalOnly(Text(run.name, run.place), run.checkpoint, run.model))
        elif not run.is_left:
            controls.append(Control(run.model, run.name))
    draft.give(listed=tuple(listed), controls=tuple(controls), eval_only=tuple(eval_only), train=bool(listed))


def _leave_values(draft: Draft, runs: Sequence[YamlRun]) -> None:
    """A model that is not trained here is evaluated with the settings and prompts of all runs."""
    for run in runs:
        if run.type is RunType.FINE_TUNED or run.is_left:
            continue
        for key, text in run.values.items():
            if draft.design.settings.get(key) == text:
                continue
            why = "the run is not trained here"
            if key in PROMPTS:
                why = "models that are not trained here are asked with the prompts of `controls`"
            draft.leave(run.place, f"{key} of the {run.type.value.lower()} run {run.name}: {text}", why)


def _drop_overruled(draft: Draft) -> None:
    """Drops settings that every run overrules: usual in such plans, although an error in a design."""
    settings = dict(draft.design.settings)
    for key, text in draft.design.settings.items():
        if key in draft.design.listed_keys and not is_literal(key):
            del settings[key]
            draft.decide(f"`controls` give {key} {text}, which applies to no run", "every run has its own")
    draft.give(settings=settings)


def _compare_levels(draft: Draft, factors: Sequence[Factor], runs: Sequence[YamlRun]) -> None:
    """Warns if the variables have other levels than the runs, which decide."""
    trained = [run for run in runs if run.type is RunType.FINE_TUNED]
    for factor in factors:
        key, place = factor.key, place_of(factor.key)
        used = _levels_of(draft, trained, key)
        listed = {level_value(key, text): text for text in factor.levels}
        for value, text in listed.items():
            if value not in used:
                draft.warn(place, f"no run has {key} {text}, which `variables` lists", "the runs decide")
        for value, text in used.items():
            if value not in listed:
                draft.warn(place, f"a run has {key} {text}, which `variables` does not list", "the runs decide")


def _levels_of(draft: Draft, trained: Sequence[YamlRun], key: str) -> dict[Value, str]:
    """The levels of the trained runs, by their value."""
    used: dict[Value, str] = {}
    for run in trained:
        text = run.values.get(key, draft.design.settings.get(key))
        if key == MODEL:
            text = run.model
        if text is not None:
            used[level_value(key, text)] = text
    return used
