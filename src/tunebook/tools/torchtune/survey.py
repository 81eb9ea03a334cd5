"""What the disk knows of a plan's models and data, and where that contradicts the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tunebook.core.plan import Plan
from tunebook.core.site import Site
from tunebook.errors import Problem
from tunebook.tools.base import Context, Findings
from tunebook.tools.datasets import DatasetFacts, read_dataset_facts
from tunebook.tools.model_facts import ModelFacts, read_model_facts
from tunebook.tools.torchtune.planned_setup import dataset_path, model_path
from tunebook.tools.torchtune.rules import step_problems

__all__ = ["Facts", "survey", "survey_findings"]


@dataclass(frozen=True)
class Facts:
    """By path; ``None`` is "not there"."""

    models: Mapping[str, ModelFacts | None] = field(default_factory=lambda: MappingProxyType({}))
    datasets: Mapping[str, DatasetFacts | None] = field(default_factory=lambda: MappingProxyType({}))


def survey(plan: Plan, site: Site, experiment: Path) -> Facts:
    """Reads each model's and each data set's files once."""
    models = {path for run in plan.fine_tuned if (path := model_path(plan, site, run))}
    datasets = {path for run in plan.fine_tuned if (path := dataset_path(plan, run))}
    return Facts(
        {path: read_model_facts(_there(experiment, path)) for path in sorted(models)},
        {path: read_dataset_facts(_there(experiment, path)) for path in sorted(datasets)},
    )


def _there(experiment: Path, path: str) -> Path:
    return experiment / Path(path).expanduser()


def survey_findings(context: Context, facts: Facts) -> Findings:
    """What is missing or overlaps (warnings), and what contradicts the page (errors)."""
    errors = [*_dataset_errors(context, facts), *_step_errors(context, facts)]
    warnings = [*_missing(context, facts), *_overlaps(context, facts)]
    notes = [f"model {path}: read" for path, found in facts.models.items() if found]
    notes += [f"data {path}: {_splits(found)}" for path, found in facts.datasets.items() if found]
    return Findings(tuple(errors), tuple(warnings), tuple(notes))


def _dataset_errors(context: Context, facts: Facts) -> Iterator[Problem]:
    plan = context.plan
    for path, found in facts.datasets.items():
        line = plan.dataset.line if plan.dataset and plan.dataset.path == path else None
        if found and found.problem:
            yield Problem(f"the data set {path} {found.problem}", plan.file, line)
        if found and found.splits and "train" not in found.splits:
            yield Problem(f"the data set {path} has no train split: {_splits(found)}", plan.file, line)
        if found and found.splits and plan.dataset and plan.dataset.path == path:
            for split, count in plan.dataset.splits.items():
                if found.splits.get(split) != count:
                    there = found.splits.get(split, "no such split")
                    message = f"the page says {split} ({count}), and {path} has {there}"
                    yield Problem(message, plan.file, plan.dataset.splits_line, "make the page say what the file holds")


def _step_errors(context: Context, facts: Facts) -> Iterator[Problem]:
    """The rules on steps, with the true number of examples where the plan does not give it."""
    plan = context.plan
    examples: dict[str, int | None] = {}
    for run in plan.fine_tuned:
        path = dataset_path(plan, run)
        found = facts.datasets.get(path)
        given = plan.dataset and plan.dataset.path == path and plan.dataset.splits.get("train")
        if not given:
            examples[run.name] = found.splits.get("train") if found else None
    yield from step_problems(plan, examples)


def _missing(context: Context, facts: Facts) -> Iterator[Problem]:
    plan = context.plan
    hint = "it may exist on compute nodes only; it could not be verified here"
    lines = {model.path: model.line for model in plan.models}
    for path, found in facts.models.items():
        if found is None:
            yield Problem(f"model {path} is not there", plan.file, lines.get(path), hint)
        elif found.missing_files:
            missing = ", ".join(found.missing_files)
            yield Problem(f"model {path} lacks weight files: {missing}", plan.file, lines.get(path))
    for data, there in facts.datasets.items():
        if there is None:
            line = plan.dataset.line if plan.dataset and plan.dataset.path == data else None
            yield Problem(f"data set {data} is not there", plan.file, line, hint)


def _overlaps(context: Context, facts: Facts) -> Iterator[Problem]:
    plan = context.plan
    for path, found in facts.datasets.items():
        line = plan.dataset.line if plan.dataset and plan.dataset.path == path else None
        for (first, second), count in (found.overlaps if found else {}).items():
            message = f"{count} inputs of {path} stand in both {first} and {second}"
            yield Problem(message, plan.file, line, "what was trained on should not be tested on")


def _splits(found: DatasetFacts) -> str:
    return found.unread or ", ".join(f"{name} ({count})" for name, count in found.splits.items())
