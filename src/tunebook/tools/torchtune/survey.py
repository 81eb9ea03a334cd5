"""The rules on steps, with the number of examples that the data set's file holds."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.core.plan import Plan
from tunebook.errors import Problem
from tunebook.tools.plan_inputs import dataset_path
from tunebook.tools.torchtune.rules import step_problems
from tunebook.tools.training_inputs import TrainingInputs

__all__ = ["step_errors"]


def step_errors(plan: Plan, inputs: TrainingInputs) -> Iterator[Problem]:
    """Broken rules where the plan does not give the number of examples; where it does, the plan's own check applies."""
    examples: dict[str, int | None] = {}
    for run in plan.fine_tuned:
        path = dataset_path(plan, run)
        facts = inputs.datasets.get(path)
        is_given = plan.dataset and plan.dataset.path == path and plan.dataset.splits.get("train")
        if not is_given:
            examples[run.name] = facts.splits.get("train") if facts else None
    yield from step_problems(plan, examples)
