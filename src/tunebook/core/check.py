"""The rules that a plan must keep, beyond what reading it needs; every problem is found at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tunebook.core.check_training import check_training
from tunebook.core.naming import directory_problems, is_one_component
from tunebook.core.parameters import Kind, Parameter, Value, suggestion
from tunebook.core.plan import Factor, Plan, RunType
from tunebook.core.plan.settings import effective, evaluations
from tunebook.errors import Problem

__all__ = ["check_plan"]


def check_plan(plan: Plan, *, preparation_tools: Sequence[str], evaluation_tools: Sequence[str]) -> tuple[Problem, ...]:
    """Every broken rule of the plan, in the order of its lines."""
    rules: Iterable[Problem] = (
        *_names(plan),
        *(() if plan.unreadable else directory_problems(plan)),
        *_tools(plan, preparation_tools, evaluation_tools),
        *_counts(plan),
        *_factors(plan),
        *_listed(plan),
        *_models(plan),
        *_controls(plan),
        *check_training(plan),
        *_tasks(plan),
        *_matrix(plan),
        *_epochs(plan),
    )
    return tuple(sorted(rules, key=lambda problem: problem.line or 0))


def _names(plan: Plan) -> Iterator[Problem]:
    hint = "use letters, digits and . _ + = @ , - only: it becomes a directory and a job's name"
    if plan.name and not is_one_component(plan.name):
        yield Problem(f"the experiment's name `{plan.name}` cannot be a directory", plan.file, plan.line, hint)
    if plan.runs_line and not plan.runs:
        yield Problem("the runs table is empty", plan.file, plan.runs_line, "write one row per run")
    first_lines: dict[str, int] = {}
    for run in plan.runs:
        if not is_one_component(run.name):
            yield Problem(f"run name `{run.name}` cannot be one path component", plan.file, run.line, hint)
        if run.name in first_lines:
            message = f"run `{run.name}` appears twice, first on line {first_lines[run.name]}"
            yield Problem(message, plan.file, run.line, "rename one of them")
        first_lines.setdefault(run.name, run.line)


def _tools(plan: Plan, preparation: Sequence[str], evaluation: Sequence[str]) -> Iterator[Problem]:
    for stage, name, known, line in (
        ("preparation", plan.tools.preparation, preparation, plan.tools.line),
        ("evaluation", plan.tools.evaluation, evaluation, plan.tools.evaluation_line),
    ):
        if name.lower() not in known:
            hint = "supported: " + ", ".join(known)
            near = suggestion(name, known)
            if near.startswith("did"):
                hint = f"{near} {hint}"
            yield Problem(f"unknown {stage} tool `{name}`", plan.file, line, hint)


def _counts(plan: Plan) -> Iterator[Problem]:
    total = plan.total_runs
    if total and plan.runs and total.value != len(plan.runs):
        message = f"Total Runs is {total.value}, but the runs table has {len(plan.runs)} rows"
        yield Problem(message, plan.file, total.line, "make the two agree")
    total, planned = plan.total_evaluations, len(evaluations(plan))
    if total and total.value != planned:
        message = f"Total evaluations is {total.value}, but the evaluation matrix asks for {planned}"
        yield Problem(message, plan.file, total.line, "make the two agree")


def _factors(plan: Plan) -> Iterator[Problem]:
    """The levels of every factor are the values that the fine-tuned runs have, no more and no less."""
    for factor in plan.factors:
        parameter = plan.parameters.by_column(factor.name)
        if factor.name.lower() == "model":
            models = {run.model: run.model for run in plan.fine_tuned or plan.runs}
            yield from _disagreements(plan, factor, {level: level for level in factor.levels}, models)
        elif parameter is None or not parameter.short:
            hint = plan.parameters.suggest(factor.name, "Model", varying=True)
            yield Problem(f"unknown factor `{factor.name}`", plan.file, factor.line, hint)
        elif parameter.key not in plan.unreadable:
            yield from _levels(plan, factor, parameter)


def _levels(plan: Plan, factor: Factor, parameter: Parameter) -> Iterator[Problem]:
    levels: dict[Value, str] = {}
    for level in factor.levels:
        try:
            levels[level if parameter.kind is Kind.LITERAL else parameter.convert(level)] = level
        except ValueError as error:
            yield Problem(f"factor {factor.name}: {error}", plan.file, factor.line)
            return
    used: dict[Value, str] = {}
    for run in plan.fine_tuned:
        written = plan.setting(run, parameter.key)
        if written is not None:
            used[written.value] = written.text
    yield from _disagreements(plan, factor, levels, used)


def _disagreements(plan: Plan, factor: Factor, levels: Mapping[Any, str], used: Mapping[Any, str]) -> Iterator[Problem]:
    hint = "make `## Variables` and the runs table agree"
    unused = ", ".join(text for value, text in levels.items() if value not in used)
    unlisted = ", ".join(text for value, text in used.items() if value not in levels)
    if unused:
        yield Problem(f"no fine-tuned run has {factor.name} {unused}", plan.file, factor.line, hint)
    if unlisted:
        message = f"runs have {factor.name} {unlisted}, which is not among the levels"
        yield Problem(message, plan.file, factor.line, hint)


def _listed(plan: Plan) -> Iterator[Problem]:
    for key, listed in plan.listed.items():
        values = {item.value for item in listed}
        for run in plan.runs:
            written = run.parameters.get(key)
            if written and values and written.value not in values:
                column = plan.parameters.by_key(key).column
                message = f"run `{run.name}` has {column} {written.text}, but the configuration lists "
                message += ", ".join(item.text for item in listed)
                yield Problem(message, plan.file, run.line, f"see line {listed[0].line}; make the two agree")


def _models(plan: Plan) -> Iterator[Problem]:
    known = [model.name for model in plan.models]
    without_path: set[str] = set()
    for run in plan.runs:
        if not run.model:
            yield Problem(f"run `{run.name}` names no model", plan.file, run.line)
        has_path = run.model in known or run.checkpoint or plan.models_location
        if run.model and not has_path and run.model not in without_path:
            without_path.add(run.model)
            hint = f"add `- {run.model}: PATH` under `### Models`"
            if known:
                hint += f"; {suggestion(run.model, known)}"
            yield Problem(f"run `{run.name}`: no path is given for model `{run.model}`", plan.file, run.line, hint)
    first_lines: dict[str, int] = {}
    for model in plan.models:
        if model.name in first_lines:
            hint = f"see line {first_lines[model.name]}"
            yield Problem(f"model `{model.name}` is listed twice", plan.file, model.line, hint)
        first_lines.setdefault(model.name, model.line)


def _controls(plan: Plan) -> Iterator[Problem]:
    for run in plan.runs:
        given = [plan.parameters.by_key(key).column for key in run.parameters]
        if run.type is not RunType.FINE_TUNED and given:
            message = f"run `{run.name}` is of type {run.type.value} and is not trained, but has {', '.join(given)}"
            yield Problem(message, plan.file, run.line, "write `-` in these columns")
        if run.type is not RunType.EVAL_ONLY and run.checkpoint:
            message = f"run `{run.name}` is of type {run.type.value} and has a checkpoint"
            yield Problem(message, plan.file, run.line, "only `Eval-only` runs have one")


def _tasks(plan: Plan) -> Iterator[Problem]:
    seen: set[str] = set()
    for task in plan.tasks:
        if not is_one_component(task.name):
            hint = "use letters, digits and . _ + = @ , - only: it becomes a file's name"
            yield Problem(f"task name `{task.name}` cannot be part of a file's name", plan.file, task.line, hint)
        if task.name.lower() in seen:
            yield Problem(f"task `{task.name}` appears twice", plan.file, task.line)
        if not task.script:
            hint = "write `FILE.py` or `FILE.py@task`"
            yield Problem(f"task `{task.name}` has no script", plan.file, task.line, hint)
        seen.add(task.name.lower())


def _matrix(plan: Plan) -> Iterator[Problem]:
    if plan.matrix is None:
        return
    runs = {run.name: run for run in plan.runs}
    names: set[str] = set()
    for row in plan.matrix_runs:
        name = str(row.value)
        if name not in runs:
            message = f"the evaluation matrix has run `{name}`, which is not in the runs table"
            yield Problem(message, plan.file, row.line, suggestion(name, runs))
        if name in names:
            yield Problem(f"run `{name}` has two rows in the evaluation matrix", plan.file, row.line)
        names.add(name)
    for run in plan.runs:
        if run.name not in names:
            hint = "add a row, with `-` if it is not to be evaluated"
            yield Problem(f"run `{run.name}` is not in the evaluation matrix", plan.file, run.line, hint)
    trained = {run.name for run in plan.fine_tuned}
    for entry in plan.matrix:
        if entry.run in runs and entry.run not in trained and isinstance(entry.epochs, tuple):
            message = f"run `{entry.run}` is not trained here and has no epochs"
            yield Problem(message, plan.file, entry.line, "write `✓`")


def _epochs(plan: Plan) -> Iterator[Problem]:
    runs = {run.name: run for run in plan.runs}
    said: set[tuple[int, int | None]] = set()
    for evaluation in evaluations(plan):
        run = runs[evaluation.run]
        total = effective(plan, run, "epochs")
        if evaluation.epoch is None or not isinstance(total, int) or evaluation.epoch < total:
            continue
        if (evaluation.line, evaluation.epoch) not in said:
            said.add((evaluation.line, evaluation.epoch))
            epochs = "1 epoch" if total == 1 else f"{total} epochs"
            message = f"cannot evaluate epoch {evaluation.epoch}: run `{run.name}` trains {epochs}"
            hint = f"epochs count from 0: the last one is {total - 1}"
            yield Problem(message, plan.file, evaluation.line, hint)
