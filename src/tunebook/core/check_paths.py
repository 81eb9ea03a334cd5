"""The rule about the paths of a plan: each can be the path of a file as it is written."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.core.paths import path_problem
from tunebook.core.plan import Plan
from tunebook.errors import Problem

__all__ = ["check_paths"]


def check_paths(plan: Plan) -> Iterator[Problem]:
    """Every path that no job could read, once."""
    seen: set[tuple[str, str]] = set()
    for what, path, line in _paths(plan):
        problem, hint = path_problem(path)
        if problem and (what, path) not in seen:
            seen.add((what, path))
            yield Problem(f"the path of {what}, {path}, {problem}", plan.file, line, hint, path, code="plan")


def _paths(plan: Plan) -> Iterator[tuple[str, str, int | None]]:
    """The object, the path and the line of everything that jobs read."""
    for run in plan.runs:
        model = plan.model_of(run)
        if run.checkpoint:
            yield f"run `{run.name}`", run.checkpoint, run.line
        elif model is not None:
            yield f"model `{model.name}`", model.path, model.line
        elif plan.models_location:
            yield "the models", plan.models_location, run.line
        data = plan.setting(run, "dataset")
        if data is not None:
            yield "the data set", str(data.value), data.line
    if plan.dataset is not None:
        yield "the data set", plan.dataset.path, plan.dataset.line
    for task in plan.tasks:
        yield f"the script of task `{task.name}`", task.script, task.line
        if task.dataset:
            yield f"the data of task `{task.name}`", task.dataset, task.line
