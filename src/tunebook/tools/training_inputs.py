"""Facts about the models and data sets that a plan trains with, and where they contradict the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tunebook.core.plan import Plan
from tunebook.core.plan.resources import splits_text
from tunebook.core.site import Site
from tunebook.errors import Problem
from tunebook.tools.base import Findings
from tunebook.tools.datasets import DatasetFacts, read_dataset_facts
from tunebook.tools.model_facts import ModelFacts, read_model_facts
from tunebook.tools.plan_inputs import dataset_path, model_path

__all__ = ["TrainingInputs", "input_findings", "survey_inputs"]

_MAY_BE_ELSEWHERE = "it may exist on compute nodes only; it could not be verified here"


@dataclass(frozen=True)
class TrainingInputs:
    """Facts by path; ``None`` for a path that was not found."""

    models: Mapping[str, ModelFacts | None] = field(default_factory=lambda: MappingProxyType({}))
    datasets: Mapping[str, DatasetFacts | None] = field(default_factory=lambda: MappingProxyType({}))


def survey_inputs(plan: Plan, site: Site, experiment: Path) -> TrainingInputs:
    """Reads the files of each model and each data set of the fine-tuned runs once."""
    models: dict[str, ModelFacts | None] = {}
    datasets: dict[str, DatasetFacts | None] = {}
    for run in plan.fine_tuned:
        model, data = model_path(plan, site, run), dataset_path(plan, run)
        if model and model not in models:
            models[model] = read_model_facts(experiment / Path(model).expanduser())
        if data and data not in datasets:
            datasets[data] = read_dataset_facts(experiment / Path(data).expanduser())
    return TrainingInputs(dict(sorted(models.items())), dict(sorted(datasets.items())))


def input_findings(plan: Plan, inputs: TrainingInputs) -> Findings:
    """Contradictions to the plan (errors); missing files and overlapping splits (warnings); what was read (notes)."""
    errors: list[Problem] = []
    warnings = list(_model_warnings(plan, inputs))
    notes = [f"model {path}: read" for path, facts in inputs.models.items() if facts]
    for path, facts in inputs.datasets.items():
        line = None
        if plan.dataset is not None and plan.dataset.path == path:
            line = plan.dataset.line
        if facts is None:
            warnings.append(Problem(f"data set {path} was not found", plan.file, line, _MAY_BE_ELSEWHERE, path))
            continue
        notes.append(f"data {path}: {_splits(facts)}")
        errors += _dataset_errors(plan, path, facts, line)
        if path == plan.dataset_path:
            errors += _split_errors(plan, path, facts)
        for (first, second), count in facts.overlaps.items():
            message = f"{count} inputs of {path} appear in both {first} and {second}; scores on them are inflated"
            warnings.append(Problem(message, plan.file, line, "remove them from one split"))
    return Findings(tuple(errors), tuple(warnings), tuple(notes))


def _model_warnings(plan: Plan, inputs: TrainingInputs) -> Iterator[Problem]:
    lines = {model.path: model.line for model in plan.models}
    for path, facts in inputs.models.items():
        if facts is None:
            yield Problem(f"model {path} was not found", plan.file, lines.get(path), _MAY_BE_ELSEWHERE, path)
        elif facts.missing_files:
            missing = ", ".join(facts.missing_files)
            yield Problem(f"model {path} lacks weight files: {missing}", plan.file, lines.get(path))


def _dataset_errors(plan: Plan, path: str, facts: DatasetFacts, line: int | None) -> Iterator[Problem]:
    if facts.problem:
        yield Problem(f"the data set {path} {facts.problem}", plan.file, line)
    if facts.splits and "train" not in facts.splits:
        yield Problem(f"the data set {path} has no train split: {_splits(facts)}", plan.file, line)


def _split_errors(plan: Plan, path: str, facts: DatasetFacts) -> Iterator[Problem]:
    """Numbers of examples that differ from those that the plan gives."""
    if plan.dataset is None or not facts.splits:
        return
    for split, count in plan.dataset.splits.items():
        found = facts.splits.get(split, "no such split")
        if found != count:
            message = f"the plan says {split} ({count}), but {path} has {found}"
            yield Problem(message, plan.file, plan.dataset.splits_line, "correct the number in the plan, or the file")


def _splits(facts: DatasetFacts) -> str:
    return facts.unread or splits_text(facts.splits)
