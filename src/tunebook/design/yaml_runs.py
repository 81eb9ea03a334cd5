"""The runs of a plan in YAML: fine-tuned ones are listed one by one, under their own names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tunebook.core.naming import is_one_component
from tunebook.core.parameters import FLAG_WORDS, Value, suggestion
from tunebook.core.plan import RunType
from tunebook.design.documents import Place, Text, place_of
from tunebook.design.factors import is_literal, level_value
from tunebook.design.values import MODEL, Control, EvalOnly, Factor, ListedRun
from tunebook.design.yaml_draft import Draft
from tunebook.design.yaml_shapes import ANYTHING, EACH, PROMPTS, TEXT, TEXTS, Left, Renamed, Section, read

__all__ = [
    "COMPUTE",
    "PREFIX",
    "RUNS",
    "SETTINGS",
    "VARIABLES",
    "YamlRun",
    "check_trained",
    "read_runs",
    "read_settings",
]

COMPUTE = Left("resources of jobs come from the site settings and from the plan's estimates")
PREFIX = Left("tunebook does not start the model's answer")
SETTINGS = {
    EACH: TEXT,
    "assistant_prefix": PREFIX,
    "compute": COMPUTE,
    "custom_recipe": Left("tunebook uses the recipe of the plan; `setup-finetune --set custom_recipe=…` sets another"),
}
"""The shape of ``controls`` and of a run's parameters."""
VARIABLES = {EACH: ANYTHING}
_REMARKS = {
    "training_condition": "Training condition",
    "eval_condition": "Evaluation condition",
    "vis_label": "Label",
}
RUNS = [
    {
        **dict.fromkeys(("name", "type", "model", "is_finetuned", *_REMARKS), TEXT),
        "finetuned": Renamed("is_finetuned"),
        "parameters": SETTINGS,
        "compute": COMPUTE,
    }
]
_TYPES = {kind.value.lower(): kind for kind in RunType}


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
    factors = _variables(draft, variables)
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


def _variables(draft: Draft, section: Section) -> tuple[Factor, ...]:
    found: dict[str, Factor] = {}
    for name, item in section.items():
        key = draft.parameter(Text(name, item.place), section="variables", is_factor=True)
        if key is not None:
            levels = tuple(read(draft, item, TEXTS, f"variables.{name}"))
            first = found.setdefault(key, Factor(Text(key, item.place), levels))
            if first.levels != levels:
                line = place_of(first.key).line
                message = f"`variables.{name}` has other levels of {key} than line {line}"
                draft.problem(item.place, message, "give both the same levels, or remove one of them")
    return tuple(found.values())


def _run(draft: Draft, item: Section) -> YamlRun | None:
    name, run_type = item.text("name"), _type(draft, item)
    if run_type is None:
        return None
    if not is_one_component(name):
        hint = "use only letters, digits and . _ + = @ , -, because it becomes the name of a directory"
        draft.problem(item.place, f"a run cannot be named `{name}`", hint)
    models = draft.design.model_names
    only = models[0] if len(models) == 1 else ""
    model = item.get("model", Text(only, item.place))
    if model not in models and run_type is not RunType.EVAL_ONLY:
        hint = suggestion(model, models) or "list it under `models.base` with its name and path"
        draft.problem(model.place, f"run `{name}`: unknown model `{model}`", hint)
    for key, label in _REMARKS.items():
        if key in item:
            draft.remark("run_notes", name, f"{label}: {item.text(key)}")
    parameters = item.get("parameters", Section(item.place))
    checkpoint = parameters.pop("checkpoint_path", "")
    if checkpoint and run_type is not RunType.EVAL_ONLY:
        message = f"run `{name}` is {run_type.value.lower()} (line {item.text('type').place.line})"
        draft.problem(checkpoint.place, f"{message}, but has a checkpoint_path", "remove one of them")
    values = read_settings(draft, parameters, "parameters", is_factor=True)
    _refuse_null_prompts(draft, name, parameters)
    return YamlRun(name=name, type=run_type, model=model, values=values, checkpoint=checkpoint, place=item.place)


def _type(draft: Draft, item: Section) -> RunType | None:
    """The type of a run; without one, it follows from ``is_finetuned``."""
    name, kind = item.text("name"), item.text("type")
    if not kind and "is_finetuned" in item:
        is_trained = FLAG_WORDS.get(item.text("is_finetuned").lower())
        return RunType.FINE_TUNED if is_trained else RunType.CONTROL
    run_type = _TYPES.get(kind.lower().replace("_", "-").replace(" ", "-"))
    if run_type is None:
        message = f"run `{name}` has the unknown type `{kind}`" if kind else f"run `{name}` has no type"
        draft.problem(kind.place, message, suggestion(kind, _TYPES))
        return None
    check_trained(draft, item, run_type, kind)
    return run_type


def check_trained(draft: Draft, item: Section, run_type: RunType, kind: Text) -> None:
    """Compares ``is_finetuned`` of a run, or of its row in the matrix, with the run's type."""
    flag = item.text("is_finetuned")
    is_trained = FLAG_WORDS.get(flag.lower(), run_type is RunType.FINE_TUNED)
    if flag and flag.lower() not in FLAG_WORDS:
        draft.problem(flag.place, f"`is_finetuned` is `{flag}`", "write true or false")
    if is_trained != (run_type is RunType.FINE_TUNED):
        message = f"`is_finetuned` is `{flag}`, but the run's type in line {kind.place.line} is `{run_type.value}`"
        draft.problem(flag.place, message, "correct one of them")


def read_settings(draft: Draft, section: Section, label: str, *, is_factor: bool) -> dict[str, str]:
    """Values by our keys; two names of one parameter must have the same value."""
    values: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, text in section.items():
        key = draft.parameter(Text(name, text.place), text, section=label, is_factor=is_factor)
        if key is None or (not text and key not in PROMPTS):
            continue
        if key in values:
            draft.contradict(names[key], Text(values[key], place_of(values[key])), f"{label}.{name}", text)
        values.setdefault(key, text)
        names.setdefault(key, f"{label}.{name}")
    return values


def _refuse_null_prompts(draft: Draft, run: str, parameters: Section) -> None:
    """A null could mean the prompt of all runs, or none."""
    for key in PROMPTS:
        common = draft.design.settings.get(key)
        if common and key in parameters.nulls:
            message = f"run `{run}`: `{key}` is null, but line {place_of(common).line} gives one for all runs"
            draft.problem(parameters.nulls[key], message, 'write "" for an empty prompt, or remove the key')


def _checked(draft: Draft, runs: Iterable[YamlRun]) -> Iterator[YamlRun]:
    """The runs; reports a name that two have, and carries only the first of several controls of a model over."""
    seen: dict[str, Place] = {}
    controls: dict[str, str] = {}
    for run in runs:
        first = seen.setdefault(run.name.lower(), run.place)
        if run.name and first != run.place:
            draft.repeat(f"two runs are named `{run.name}`", first, run.place)
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
