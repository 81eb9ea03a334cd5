"""Describes a design in words: its kind, and how its runs are named. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from tunebook.core.naming import run_labels
from tunebook.core.plan import Fact, Plan, RunType
from tunebook.design.combine import combinations, factor_groups
from tunebook.design.parameter_names import column_of
from tunebook.design.values import MODEL, Design

__all__ = ["describe_design", "naming_facts"]


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
