"""Names and words for a design: its kind, and names of the experiment and its runs where a person gives none. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import PurePosixPath

from tunebook.core.naming import as_component, run_labels
from tunebook.core.plan import Fact, Plan, Run, RunType
from tunebook.design.factors import column_of, combinations, factor_groups
from tunebook.design.values import MODEL, Design
from tunebook.tools.parameters import every_parameter

__all__ = ["FreeNames", "control_name", "describe_design", "experiment_name", "naming_facts", "with_names"]

_WORDS = {"lora_rank": "lora", MODEL: "model"}
_MOST_WORDS = 3


def experiment_name(design: Design, day: date) -> str:
    """``capitalization_lora_comparison_2025-10-22``; ``_sweep_`` if several things vary."""
    words = [_WORDS.get(key) or every_parameter().by_key(key).short or key for key in _varied_keys(design)]
    kind = {0: [], 1: ["comparison"]}.get(len(words), ["sweep"])
    if not words:
        words = ["finetuning" if design.is_trained else "models"]
    task = [task.name for task in design.tasks[:1]]
    return as_component("_".join([*task, *words[:_MOST_WORDS], *kind, f"{day:%Y-%m-%d}"]))


def _varied_keys(design: Design) -> list[str]:
    keys = [*design.factor_keys]
    for run in design.listed:
        keys += run.values
    if len(design.models) > 1:
        keys.append(MODEL)
    return list(dict.fromkeys(keys))


class FreeNames:
    """Gives out names that differ by more than case, since directories may follow from them."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.lower() for name in taken}

    def take(self, name: str) -> str:
        """The name, or the first of ``name-2``, ``name-3`` … that is free."""
        candidate, number = str(name), 2
        while candidate.lower() in self._taken:
            candidate, number = f"{name}-{number}", number + 1
        self._taken.add(candidate.lower())
        return candidate


def with_names(plan: Plan, given: Sequence[str]) -> tuple[Run, ...]:
    """The runs with the names that are given, or with names by convention: ``{model}_rank8_lr1e-5``.

    Args:
        given: one name per run; an empty one is by convention.
    """
    labels = run_labels(plan)
    names = FreeNames()
    # Names that are given come first, so that no name by convention takes one of them.
    taken = [names.take(name) if name else "" for name in given]
    runs: list[Run] = []
    for run, name in zip(plan.runs, taken, strict=True):
        usual = "_".join([_stem(run.model), *(labels[run.name] or _rank_and_rate(plan, run))])
        runs.append(replace(run, name=name or names.take(usual)))
    return tuple(runs)


def _stem(model: str) -> str:
    """A model's name as a part of a run's name."""
    return as_component(PurePosixPath(model).name).lstrip(".-") or "model"


def _rank_and_rate(plan: Plan, run: Run) -> list[str]:
    """The labels of a run's name where nothing varies."""
    labels: list[str] = []
    for key in ("lora_rank", "lr"):
        written = plan.setting(run, key)
        if written:
            labels.append(f"{plan.parameters.by_key(key).short}{written.text}")
    return labels


def control_name(model: str) -> str:
    """The name of a control run by convention."""
    return f"{_stem(model)}_base"


# --- words ----------------------------------------------------------------------------------------------------------


def describe_design(design: Design, plan: Plan) -> str:
    """``4×2 factorial (LoRA Rank × Learning Rate), 3 seeds each, and the base model as control``."""
    parts = [_training(design)]
    models = {run.model for run in plan.fine_tuned}
    if len(models) > 1 and design.factor(MODEL) is None:
        parts.append(f"{len(models)} models")
    if design.exclusions:
        parts.append("without " + " or ".join(map(_values, design.exclusions)))
    controls = [run.type for run in plan.runs].count(RunType.CONTROL)
    if controls == 1:
        parts.append("the base model as control")
    elif controls:
        parts.append(f"{controls} base models as controls")
    return ", ".join(parts)


def _training(design: Design) -> str:

    if not design.is_trained:
        return "Evaluation only"
    if design.runs_per_combination > 1:
        return f"{_combined(design)}, {design.runs_per_combination} seeds each"
    return _combined(design)


def _values(rule: Mapping[str, str]) -> str:
    return " and ".join(f"{column_of(key)} {text}" for key, text in rule.items())


def _combined(design: Design) -> str:

    if not design.factors:
        return f"List of {_runs(len(design.listed))}" if design.listed else "One configuration"
    sizes, names = [], []
    for group in factor_groups(design):
        sizes.append(str(len(group[0].levels)))
        names.append(" with ".join(column_of(factor.key) for factor in group))
    if design.is_one_at_a_time:
        text = f"One factor at a time ({', '.join(map(column_of, design.factor_keys))})"
    elif len(names) > 1:
        text = f"{'×'.join(sizes)} factorial ({' × '.join(names)})"
    else:
        text = f"{sizes[0]} levels of {names[0]}"
    if design.sample is not None:
        text = f"{len(combinations(design))} random combinations (seed {design.drawing_seed}) of {text}"
    return f"{text} and {_runs(len(design.listed))} by itself" if design.listed else text


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def naming_facts(plan: Plan) -> tuple[Fact, ...]:
    """The names of the experiment and of its runs, by pattern."""
    facts = [("Experiment", plan.name)]
    pattern = _run_name_pattern(plan)
    if pattern:
        facts.append(("Fine-tuned runs", pattern))
    if RunType.CONTROL in {run.type for run in plan.runs}:
        facts.append(("Control runs", "{Model}_base"))
    return tuple(facts)


def _run_name_pattern(plan: Plan) -> str:
    """``{Model}_rank{LoRA Rank}``; empty if nothing varies, or if the first run has another name."""
    if not plan.fine_tuned:
        return ""
    parts = ["{Model}"]
    for key in plan.columns:
        parameter = plan.parameters.by_key(key)
        if len({str(run.parameters.get(key)) for run in plan.fine_tuned}) > 1:
            parts.append(f"{parameter.short}{{{parameter.column}}}")
    labels = next(iter(run_labels(plan).values()))
    if not labels or len(parts) == 1 or not plan.fine_tuned[0].name.endswith("_".join(labels)):
        return ""
    return "_".join(parts)
