"""The rules that a plan must keep, beyond what reading it needs; every problem is found at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tunebook.core.check_training import check_training
from tunebook.core.naming import directory_problems, is_one_component
from tunebook.core.parameters import Kind, Parameter, Value, suggestion
from tunebook.core.plan import Factor, Plan, Run, RunType
from tunebook.core.plan.settings import effective, evaluations
from tunebook.errors import Problem

__all__ = ["check_plan"]


def check_plan(plan: Plan, *, preparation_tools: Sequence[str], evaluation_tools: Sequence[str]) -> tuple[Problem, ...]:
    """Every broken rule of the page, in the order of its lines."""
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
        yield Problem("the runs table is empty", plan.file, plan.runs_line, "write one row a run")
    seen: dict[str, Run] = {}
    for run in plan.runs:
        if not is_one_component(run.name):
            yield Problem(f"run name `{run.name}` cannot be one path component", plan.file, run.line, hint)
        first = seen.setdefault(run.name, run)
        if first is not run:
            message = f"run `{run.name}` appears twice, first on line {first.line}"
            yield Problem(message, plan.file, run.line, "rename one of them")


def _tools(plan: Plan, preparation: Sequence[str], evaluation: Sequence[str]) -> Iterator[Problem]:
    for stage, name, known, line in (
        ("preparation", plan.tools.preparation, preparation, plan.tools.line),
        ("evaluation", plan.tools.evaluation, evaluation, plan.tools.evaluation_line),
    ):
        if name.lower() not in known:
            supported = "supported: " + ", ".join(known)
            near = suggestion(name, known)
            hint = f"{near} {supported}" if near.startswith("did") else supported
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
            runs = plan.fine_tuned or plan.runs
            used: dict[Value, str] = {run.model: run.model for run in runs}
            levels: dict[Value, str] = {level: level for level in factor.levels}
        elif parameter is None or not parameter.short:
            hint = plan.parameters.suggest(factor.name, "Model", varying=True)
            yield Problem(f"unknown factor `{factor.name}`", plan.file, factor.line, hint)
            continue
        elif parameter.key in plan.unreadable:
            continue
        else:
            written = [plan.setting(run, parameter.key) for run in plan.fine_tuned]
            used = {item.value: item.text for item in written if item is not None}
            try:
                levels = {_level(parameter, level): level for level in factor.levels}
            except ValueError as error:
                yield Problem(f"factor {factor.name}: {error}", plan.file, factor.line)
                continue
        yield from _disagreements(plan, factor, levels, used)


def _level(parameter: Parameter, level: str) -> Value:
    return level if parameter.kind is Kind.LITERAL else parameter.convert(level)


def _disagreements(
    plan: Plan, factor: Factor, levels: Mapping[Value, str], used: Mapping[Value, str]
) -> Iterator[Problem]:
    hint = "make `## Variables` and the runs table agree"
    unused = [text for value, text in levels.items() if value not in used]
    unlisted = [text for value, text in used.items() if value not in levels]
    if unused:
        message = f"no fine-tuned run has {factor.name} {', '.join(unused)}"
        yield Problem(message, plan.file, factor.line, hint)
    if unlisted:
        message = f"runs have {factor.name} {', '.join(unlisted)}, which is not among the levels"
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
    told: set[str] = set()
    for run in plan.runs:
        if not run.model:
            yield Problem(f"run `{run.name}` names no model", plan.file, run.line)
        elif plan.model_of(run) is None and not run.checkpoint and not plan.models_location and run.model not in told:
            told.add(run.model)
            known = [model.name for model in plan.models]
            hint = f"add `- {run.model}: PATH` under `### Models`"
            hint += f"; {suggestion(run.model, known)}" if known else ""
            yield Problem(f"run `{run.name}`: no path is given for model `{run.model}`", plan.file, run.line, hint)
    names: dict[str, int] = {}
    for model in plan.models:
        if names.setdefault(model.name, model.line) != model.line:
            yield Problem(
                f"model `{model.name}` is listed twice", plan.file, model.line, f"see line {names[model.name]}"
            )


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
    runs = {run.name: run for run in plan.runs}
    seen: set[object] = set()
    for row in plan.matrix_runs:
        if row.value not in runs:
            hint = suggestion(str(row.value), runs)
            message = f"the evaluation matrix has run `{row.value}`, which is not in the runs table"
            yield Problem(message, plan.file, row.line, hint)
        if row.value in seen:
            yield Problem(f"run `{row.value}` has two rows in the evaluation matrix", plan.file, row.line)
        seen.add(row.value)
    if plan.matrix is not None:
        for run in plan.runs:
            if run.name not in seen:
                hint = "add a row, with `-` if it is not to be evaluated"
                yield Problem(f"run `{run.name}` is not in the evaluation matrix", plan.file, run.line, hint)
    for entry in plan.matrix or ():
        untrained = entry.run in runs and runs[entry.run].type is not RunType.FINE_TUNED
        if untrained and isinstance(entry.epochs, tuple):
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
            message = f"run `{run.name}` has {total} epoch(s), and epoch {evaluation.epoch} is to be evaluated"
            hint = f"epochs count from 0: the last one is {total - 1}"
            yield Problem(message, plan.file, evaluation.line, hint)
