"""Compares plans fact by fact: the written plan with what is read back, and the plan with its stored design. Pure.

A fact is something that decides what is trained or evaluated, by a name for people.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import product

from tunebook.core.parameters import Value
from tunebook.core.plan import Evaluation, Plan, Run, RunType, parse_plan
from tunebook.core.plan.resources import join_script
from tunebook.core.plan.settings import evaluations
from tunebook.design.factors import values_text
from tunebook.design.task_inputs import OWN_DATA
from tunebook.errors import Problem

__all__ = ["lost_edits", "plan_differences"]

_HINT = "the plan cannot hold this text: leave out back quotes, ticks at an end, control characters and the like"


@dataclass(frozen=True)
class _Fact:
    """The value to compare, its text for people, and the option that gives the same, if there is one."""

    value: object
    text: str
    line: int | None = None
    option: str = ""


_Facts = dict[str, _Fact]
_NOTHING = _Fact(None, "nothing")


def plan_differences(plan: Plan, text: str) -> tuple[Problem, ...]:
    """Everything that would be read from the text otherwise than the plan says, with the problems of reading it."""
    parsed = parse_plan(text, plan.parameters)
    found = [*parsed.problems]
    wanted = _facts(plan) | dict(_facts_for_people(plan))
    read = _facts(parsed.plan) | dict(_facts_for_people(parsed.plan))
    for name in wanted.keys() | read.keys():
        ours, theirs = wanted.get(name, _NOTHING), read.get(name, _NOTHING)
        if (ours.value, ours.text) != (theirs.value, theirs.text):
            message = f"{name} would be read as {theirs.text} instead of {ours.text}"
            found.append(Problem(message, plan.file, hint=_HINT))
    return tuple(sorted(found, key=lambda problem: (problem.line or 0, problem.message)))


def lost_edits(plan: Plan, *, stored: Plan, updated: Plan) -> tuple[Problem, ...]:
    """Changes by hand that an update would undo.

    Names of runs, remarks, order, estimates and a person's own text are kept by an update and are not compared.

    Args:
        plan: the plan as it is.
        stored: the plan that the stored design gives.
        updated: the plan that would be written; a change by hand that it has too is not lost.
    """
    common = {run.name for run in plan.runs} & {run.name for run in stored.runs}
    now, before = _facts(plan, evaluated=common), _facts(stored, evaluated=common)
    after = _facts(updated, evaluated=common)
    problems: list[Problem] = []
    for name in now | before:
        fact, was = now.get(name, _NOTHING), before.get(name, _NOTHING)
        if fact.value in (was.value, after.get(name, _NOTHING).value):
            continue
        message = f"{name} was changed by hand: the plan has {fact.text}, but the stored design gives {was.text}"
        hint = "undo the change"
        if fact.option:
            hint = f"add `{fact.option}` to take the change into the design, or undo it"
        problems.append(Problem(message, plan.file, fact.line, hint))
    return tuple(problems)


def _facts(plan: Plan, *, evaluated: AbstractSet[str] | None = None) -> _Facts:
    """All facts; those on evaluations only of the runs that are named."""
    facts: _Facts = {}
    for part in (_overview(plan), _resources(plan), _settings(plan), _runs(plan), _evaluations(plan, evaluated)):
        facts.update(part)
    return facts


def _overview(plan: Plan) -> Iterator[tuple[str, _Fact]]:
    epochs = plan.epochs_to_evaluate
    yield "the experiment's name", _text(plan.name, plan.line, "--name")
    yield "the question", _text(plan.question, None, "--question")
    yield "the preparation tool", _text(plan.tools.preparation, plan.tools.line, "--preparation")
    yield "the evaluation tool", _text(plan.tools.evaluation_text, plan.tools.evaluation_line, "--evaluation")
    yield "the epochs to evaluate", _text(str(epochs).strip("(,)").replace(" ", ""), None, "--evaluate-epochs")


def _text(text: str, line: int | None, option: str, name: str = "") -> _Fact:
    """A fact that is one text; an option cannot give an empty one."""
    given = f"{name}={text}" if name else text
    return _Fact(text, f"`{text}`", line, _option(option, given) if text else "")


def _option(name: str, text: str) -> str:
    return f"{name} {shlex.quote(text)}"


def _resources(plan: Plan) -> Iterator[tuple[str, _Fact]]:
    for model in plan.models:
        yield f"model `{model.name}`", _text(model.path, model.line, "--model", model.name)
    if plan.dataset:
        yield "the data set", _text(plan.dataset.path, plan.dataset.line, "--dataset")
        yield "the data set's format", _text(plan.dataset.format, plan.dataset.line, "--dataset-format")
    for task in plan.tasks:
        script = join_script(task.script, task.function)
        name, line = task.name, task.line
        yield f"task `{name}`", _text(script, line, "--task", name)
        data = OWN_DATA if task.has_own_data else task.dataset or ""
        yield f"the data set of task `{name}`", _text(data, line, "--task-dataset", name)
        yield f"the tool of task `{name}`", _text(task.tool, line, "--task-tool", name)
        direction = task.direction.value if task.direction is not None else ""
        yield f"the measure of task `{name}`", _text(task.measure, line, "--task-measure", name)
        yield f"the direction of task `{name}`", _text(direction, line, "--task-direction", name)
        yield f"the description of task `{name}`", _text(task.description, line, "--task-description", name)


def _settings(plan: Plan) -> Iterator[tuple[str, _Fact]]:
    """Every setting; one that the plan leaves out has its default."""
    for parameter in plan.parameters:
        written = plan.configuration.get(parameter.key)
        if written is None:
            yield parameter.column, _Fact(parameter.default, "nothing")
        else:
            option = _option("--set", f"{parameter.key}={written.text}")
            yield parameter.column, _Fact(written.value, f"`{written.text}`", written.line, option)


def _runs(plan: Plan) -> Iterator[tuple[str, _Fact]]:
    for run in plan.runs:
        values: dict[str, Value] = {}
        texts = {"model": run.model}
        for key, written in run.parameters.items():
            values[key], texts[key] = written.value, written.text
        value = (run.type, run.model, values, run.checkpoint)
        yield f"run `{run.name}`", _Fact(value, values_text(texts), run.line, _run_option(run, texts))


def _run_option(run: Run, texts: Mapping[str, str]) -> str:
    if run.type is RunType.CONTROL:
        return _option("--control", run.model)
    if run.type is RunType.EVAL_ONLY:
        return _option("--eval-only", f"{run.name}@{run.model}={run.checkpoint}")
    return _option("--with", values_text({"name": run.name, **texts}, sep=","))


def _evaluations(plan: Plan, runs: AbstractSet[str] | None) -> Iterator[tuple[str, _Fact]]:
    """The epochs of every run and task, whether they come from the matrix or from the default."""
    found: dict[tuple[str, str], list[Evaluation]] = {}
    for item in evaluations(plan):
        found.setdefault((item.run, item.task), []).append(item)
    for run, task in product(plan.runs, plan.tasks):
        if runs is not None and run.name not in runs:
            continue
        wanted = found.get((run.name, task.name), [])
        epochs = [item.epoch for item in wanted]
        text = ",".join(map(str, epochs)).replace("None", "yes") or "-"
        told = {"yes": "one", "-": "none"}.get(text, f"epochs {text}")
        option = _option("--matrix", f"{run.name}:{task.name}={text}")
        line = wanted[-1].line if wanted else None
        yield f"the evaluation of `{run.name}` in `{task.name}`", _Fact(epochs, told, line, option)


def _facts_for_people(plan: Plan) -> Iterator[tuple[str, _Fact]]:
    """Other facts that must be read as they were written."""
    training = {model: round(minutes, 6) for model, minutes in plan.estimates.training_min.items()}
    each = {run.name: (round(run.estimate_min or 0.0, 6), run.notes) for run in plan.runs}
    values: dict[str, object] = {
        "the columns": plan.columns,
        "the hypotheses": [hypothesis.text for hypothesis in plan.hypotheses],
        "the splits": dict(plan.dataset.splits) if plan.dataset else {},
        "the factors": [(factor.name, *factor.levels) for factor in plan.factors],
        "the estimates": (training, round(plan.estimates.evaluation_min or 0.0, 6)),
        "the order, estimates and notes of runs": each,
        "the order of models": [model.name for model in plan.models],
    }
    for name, value in values.items():
        yield name, _Fact(value, repr(value))
