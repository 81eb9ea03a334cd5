"""Compares plans: the one that was written with the one that is read back, fact by fact. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tunebook.core.parameters import Written
from tunebook.core.plan import Plan, Run, parse_plan
from tunebook.core.plan.settings import evaluations
from tunebook.errors import Problem

__all__ = ["plan_differences"]

_HINT = "the plan cannot hold this text: leave out back quotes, ticks at an end, control characters and the like"


def plan_differences(plan: Plan, text: str) -> tuple[Problem, ...]:
    """Everything that would be read from the text otherwise than the plan says, with the problems of reading it."""
    parsed = parse_plan(text)
    found = [*parsed.problems]
    wanted, read = dict(_facts(plan)), dict(_facts(parsed.plan))
    for name in wanted.keys() | read.keys():
        if wanted.get(name) != read.get(name):
            message = f"{name} would be read as {read.get(name)!r} instead of {wanted.get(name)!r}"
            found.append(Problem(message, plan.file, hint=_HINT))
    return tuple(sorted(found, key=lambda problem: (problem.line or 0, problem.message)))


def _facts(plan: Plan) -> Iterator[tuple[str, object]]:
    """Everything in a plan that decides something, by a name for people, without lines."""
    yield "the experiment's name", plan.name
    yield "the question", plan.question
    yield "the tools", (plan.tools.preparation, plan.tools.evaluation)
    yield "the columns", plan.columns
    yield "the models", tuple((model.name, model.path) for model in plan.models)
    yield "the epochs to evaluate", plan.epochs_to_evaluate
    yield "the estimates", _estimates(plan)
    if plan.dataset:
        yield "the data set", (plan.dataset.path, plan.dataset.format, dict(plan.dataset.splits))
    for factor in plan.factors:
        yield f"factor {factor.name}", factor.levels
    for run in plan.runs:
        yield f"run `{run.name}`", _run(run)
    yield "the order of runs", tuple(run.name for run in plan.runs)
    for task in plan.tasks:
        yield f"task `{task.name}`", (task.script, task.function, task.dataset, task.description)
    for key, written in plan.configuration.items():
        yield f"setting `{key}`", (written.value, str(written.text))
    yield "the evaluations", tuple((item.run, item.task, item.epoch) for item in evaluations(plan))


def _run(run: Run) -> object:
    estimate = round(run.estimate_min or 0.0, 6)
    return (run.model, run.type, _texts(run.parameters), run.checkpoint, estimate, run.notes)


def _estimates(plan: Plan) -> object:
    training = {model: round(minutes, 6) for model, minutes in plan.estimates.training_min.items()}
    return training, round(plan.estimates.evaluation_min or 0.0, 6)


def _texts(parameters: Mapping[str, Written]) -> dict[str, tuple[object, str]]:
    return {key: (written.value, str(written.text)) for key, written in parameters.items()}
