"""Finds what a person changed in the plan by hand since its design was stored, so that no update loses it. Pure.

Names of runs, remarks, order, estimates, status and a person's own text are kept by an update and are not compared.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tunebook.core.parameters import EVALUATION_PARAMETERS, PARAMETERS
from tunebook.core.plan import Plan, Run, RunType
from tunebook.core.plan.settings import evaluations
from tunebook.errors import Problem

__all__ = ["lost_edits"]


@dataclass(frozen=True)
class _Fact:
    """Something that a plan says: its value to compare, its text for people, and the option that says the same."""

    value: object
    text: str
    line: int | None = None
    option: str = ""


_Facts = Mapping[str, _Fact]
_NOTHING = _Fact(None, "nothing")


def lost_edits(plan: Plan, *, stored: Plan, updated: Plan) -> tuple[Problem, ...]:
    """Changes by hand that the update would undo.

    Args:
        plan: the plan as it is.
        stored: the plan that the stored design gives.
        updated: the plan that would be written; a change by hand that it has too is not lost.
    """
    common = {run.name for run in plan.runs} & {run.name for run in stored.runs}
    now, before, after = (_facts(version, evaluated=common) for version in (plan, stored, updated))
    problems: list[Problem] = []
    for name in dict.fromkeys((*now, *before)):
        fact, was, becomes = (facts.get(name, _NOTHING) for facts in (now, before, after))
        if fact.value in (was.value, becomes.value):
            continue
        message = f"{name} was changed by hand: the plan has {fact.text}, but the stored design gives {was.text}"
        hint = f"add {fact.option} to take the change into the design, or undo it" if fact.option else "undo the change"
        problems.append(Problem(message, plan.file, fact.line, hint))
    return tuple(problems)


def _facts(plan: Plan, *, evaluated: AbstractSet[str]) -> _Facts:
    """All facts; those on evaluations only of the runs that are named, since others are reported as runs."""
    facts: dict[str, _Fact] = {}
    for part in (_overview(plan), _resources(plan), _settings(plan), _runs(plan), _evaluations(plan, evaluated)):
        facts.update(part)
    return facts


def _overview(plan: Plan) -> Iterator[tuple[str, _Fact]]:
    yield "the experiment's name", _told(plan.name, plan.line, "--name")
    yield "the question", _told(plan.question, None, "--question")
    yield "the preparation tool", _told(plan.tools.preparation, plan.tools.line, "--preparation")
    yield "the evaluation tool", _told(plan.tools.evaluation, plan.tools.evaluation_line, "--evaluation")
    epochs = plan.epochs_to_evaluate
    text = epochs if isinstance(epochs, str) else ",".join(map(str, epochs))
    yield "the epochs to evaluate", _told(text, None, "--evaluate-epochs")


def _told(text: str, line: int | None, option: str) -> _Fact:
    return _Fact(text, f"`{text}`", line, _option(option, text) if text else "")


def _option(name: str, text: str) -> str:
    return f"`{name} {shlex.quote(text)}`"


def _resources(plan: Plan) -> Iterator[tuple[str, _Fact]]:
    for model in plan.models:
        yield (
            f"model `{model.name}`",
            _Fact(model.path, f"`{model.path}`", model.line, _option("--model", f"{model.name}={model.path}")),
        )
    if plan.dataset:
        yield "the data set", _told(plan.dataset.path, plan.dataset.line, "--dataset")
        yield "the data set's format", _told(plan.dataset.format, plan.dataset.line, "--dataset-format")
    for task in plan.tasks:
        name = task.name
        script = f"{task.script}@{task.function}" if task.function else task.script
        yield f"task `{name}`", _Fact(script, f"`{script}`", task.line, _option("--task", f"{name}={script}"))
        for what, text in (("dataset", task.dataset or ""), ("description", task.description)):
            option = _option(f"--task-{what}", f"{name}={text}") if text else ""
            yield f"the {what} of task `{name}`", _Fact(text, f"`{text}`", task.line, option)


def _settings(plan: Plan) -> Iterator[tuple[str, _Fact]]:
    """Every setting; one that the plan leaves out has its default."""
    for parameter in (*PARAMETERS, *EVALUATION_PARAMETERS):
        written = plan.configuration.get(parameter.key)
        if written is None:
            yield parameter.column, _Fact(parameter.default, "nothing")
        else:
            option = _option("--set", f"{parameter.key}={written.text}")
            yield parameter.column, _Fact(written.value, f"`{written.text}`", written.line, option)


def _runs(plan: Plan) -> Iterator[tuple[str, _Fact]]:
    for run in plan.runs:
        values = {key: written.value for key, written in run.parameters.items()}
        texts = {"model": run.model, **{key: written.text for key, written in run.parameters.items()}}
        told = ", ".join(f"{key}={text}" for key, text in texts.items())
        value = (run.type, run.model, values, run.checkpoint)
        yield f"run `{run.name}`", _Fact(value, told, run.line, _run_option(run, texts))


def _run_option(run: Run, texts: Mapping[str, str]) -> str:
    if run.type is RunType.CONTROL:
        return _option("--control", run.model)
    if run.type is RunType.EVAL_ONLY:
        return _option("--eval-only", f"{run.name}@{run.model}={run.checkpoint}")
    return _option("--with", ",".join(f"{key}={text}" for key, text in {"name": run.name, **texts}.items()))


def _evaluations(plan: Plan, runs: AbstractSet[str]) -> Iterator[tuple[str, _Fact]]:
    """The epochs of every run and task, whether they come from the matrix or from the default."""
    epochs: dict[tuple[str, str], list[int | None]] = {}
    lines: dict[tuple[str, str], int] = {}
    for item in evaluations(plan):
        epochs.setdefault((item.run, item.task), []).append(item.epoch)
        lines[item.run, item.task] = item.line
    for run in plan.runs:
        for task in plan.tasks:
            if run.name in runs:
                cell = (run.name, task.name)
                yield f"the evaluation of `{run.name}` in `{task.name}`", _cell(cell, epochs.get(cell, []), lines)


def _cell(cell: tuple[str, str], epochs: list[int | None], lines: Mapping[tuple[str, str], int]) -> _Fact:
    run, task = cell
    if not epochs:
        text, told = "-", "none"
    elif epochs == [None]:
        text, told = "yes", "one"
    else:
        text = ",".join(map(str, epochs))
        told = f"epochs {text}"
    return _Fact(epochs, told, lines.get(cell), _option("--matrix", f"{run}:{task}={text}"))
