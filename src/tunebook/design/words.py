"""A design in words, for people: its kind, and how its runs are named. Pure."""

from __future__ import annotations

from tunebook.core.naming import run_labels
from tunebook.core.page import Fact
from tunebook.core.plan import Plan, RunType
from tunebook.design.combine import combinations, group_sizes
from tunebook.design.values import MODEL, Combine, Design, Factor

__all__ = ["design_words", "naming_facts"]


def design_words(design: Design, plan: Plan) -> str:
    """``4×2 factorial (LoRA Rank × Learning Rate), 3 seeds each, and the base model as control``."""
    parts = [_combined(design)] if design.train else ["Evaluation only"]
    seeds = len(design.seeds) or design.replicates
    if design.train and seeds > 1:
        parts.append(f"{seeds} seeds each")
    models = {run.model for run in plan.fine_tuned}
    if len(models) > 1 and design.factor(MODEL) is None:
        parts.append(f"{len(models)} models")
    if design.exclusions:
        rules = [
            " and ".join(f"{design.column(key)} {text}" for key, text in rule.items()) for rule in design.exclusions
        ]
        parts.append("without " + " or ".join(rules))
    controls = sum(run.type is RunType.CONTROL for run in plan.runs)
    if controls:
        parts.append("the base model as control" if controls == 1 else f"{controls} base models as controls")
    return ", ".join(parts)


def _combined(design: Design) -> str:
    names = " × ".join(_group_names(design))
    if not design.factors:
        return f"List of {_runs(len(design.listed))}" if design.listed else "One configuration"
    if design.combine is Combine.ONE_AT_A_TIME:
        text = f"One factor at a time ({', '.join(design.column(factor.key) for factor in design.factors)})"
    else:
        sizes = "×".join(str(size) for size in group_sizes(design))
        text = f"{sizes} factorial ({names})" if len(group_sizes(design)) > 1 else f"{sizes} levels of {names}"
    if design.sample is not None:
        text = f"{len(combinations(design))} random combinations (seed {design.sample_seed}) of {text}"
    return text + (f" and {_runs(len(design.listed))} by itself" if design.listed else "")


def _groups(design: Design) -> list[list[Factor]]:
    groups: list[list[Factor]] = []
    for factor in design.factors:
        if any(factor in group for group in groups):
            continue
        keys = next((keys for keys in design.paired if factor.key in keys), (factor.key,))
        groups.append([member for key in keys if (member := design.factor(key))])
    return groups


def _group_names(design: Design) -> list[str]:
    return [" with ".join(design.column(factor.key) for factor in group) for group in _groups(design)]


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def naming_facts(plan: Plan) -> tuple[Fact, ...]:
    """How the experiment and its runs are named, by example."""
    facts = [("Experiment", plan.name)]
    trained = plan.fine_tuned
    if trained:
        varied = [key for key in plan.columns if len({str(run.parameters.get(key)) for run in trained}) > 1]
        labels = next(iter(run_labels(plan).values()))
        rows = [plan.parameters.by_key(key) for key in varied if labels]
        parts = [f"{row.short}{{{row.column}}}" for row in rows]
        if trained[0].name.endswith("_".join(labels)) and parts:
            facts.append(("Fine-tuned runs", "_".join(["{Model}", *parts])))
    if any(run.type is RunType.CONTROL for run in plan.runs):
        facts.append(("Control runs", "{Model}_base"))
    return tuple(facts)
