"""The rules of a plan that hold for every tool; reports every broken rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tunebook.core.check_paths import check_paths
from tunebook.core.check_training import check_training
from tunebook.core.contrasts import check_hypotheses
from tunebook.core.naming import directory_problems, is_one_component, run_directories
from tunebook.core.parameters import Kind, Parameter, Value, suggestion
from tunebook.core.plan import Factor, Model, Plan, Run, RunType
from tunebook.core.plan.settings import effective, epochs_of, evaluations, run_settings
from tunebook.errors import Problem

__all__ = ["check_plan", "plan_warnings"]


_NAME_HINT = "use letters, digits and . _ + = @ , - only: it becomes a part of file and job names"


def check_plan(plan: Plan, *, preparation_tools: Sequence[str], evaluation_tools: Sequence[str]) -> tuple[Problem, ...]:
    """Every broken rule of the plan, in the order of its lines."""
    problems = [*_tools(plan, preparation_tools, evaluation_tools)]
    for rule in _RULES:
        problems += rule(plan)
    # A value that cannot be read, or a parameter of a tool that is not installed, may make two runs different.
    is_whole = not plan.unreadable and plan.tools.preparation.lower() in preparation_tools
    if is_whole:
        problems += [*_repeated_runs(plan), *directory_problems(plan)]
    return tuple(sorted(problems, key=lambda problem: problem.line or 0))


def plan_warnings(plan: Plan) -> tuple[Problem, ...]:
    """Warnings: facts that a person should look at, although no rule is broken."""
    asked = {evaluation.task for evaluation in evaluations(plan)}
    used = {run.model for run in plan.runs}
    found = [*_unused_tools(plan), *_unheeded_epochs(plan)]
    for task in plan.tasks:
        if plan.runs and task.name not in asked:
            hint = "mark it in the evaluation matrix, or remove the task"
            found.append(Problem(f"no run is evaluated in task `{task.name}`", plan.file, task.line, hint))
    for model in plan.models:
        if plan.runs and model.name not in used:
            message = f"no run has the model `{model.name}`"
            found.append(Problem(message, plan.file, model.line, "remove it, or name it in `## All Runs`"))
    return tuple(found)


def _name(plan: Plan) -> Iterator[Problem]:
    if plan.name and not is_one_component(plan.name):
        message = f"the experiment's name `{plan.name}` cannot be a directory"
        yield Problem(message, plan.file, plan.line, _NAME_HINT)


def _run_names(plan: Plan) -> Iterator[Problem]:
    if plan.runs_line and not plan.runs:
        yield Problem("the runs table is empty", plan.file, plan.runs_line, "write one row per run")
    seen: dict[str, Run] = {}
    for run in plan.runs:
        if not is_one_component(run.name):
            yield Problem(f"run name `{run.name}` cannot be one path component", plan.file, run.line, _NAME_HINT)
        first = seen.setdefault(run.name, run)
        if first is not run:
            message = f"run `{run.name}` appears twice, first on line {first.line}"
            yield Problem(message, plan.file, run.line, "rename one of them")


def _tools(plan: Plan, preparation: Sequence[str], evaluation: Sequence[str]) -> Iterator[Problem]:
    tools = plan.tools
    if tools.preparation.lower() not in preparation:
        hint = _tool_hint(tools.preparation, preparation)
        yield Problem(f"unknown preparation tool `{tools.preparation}`", plan.file, tools.line, hint)
    for name in tools.evaluation:
        if name.lower() not in evaluation:
            hint = _tool_hint(name, evaluation)
            yield Problem(f"unknown evaluation tool `{name}`", plan.file, tools.evaluation_line, hint)


def _tools_of_tasks(plan: Plan) -> Iterator[Problem]:
    """With several evaluation tools, each task's row names one of them."""
    named = plan.tools.evaluation
    hint = f"write one of these in its column `Tool`: {', '.join(named)}"
    for task in plan.tasks:
        if task.tool and task.tool.lower() not in {name.lower() for name in named}:
            message = f"task `{task.name}` belongs to `{task.tool}`, which the plan's tools do not include"
            yield Problem(message, plan.file, task.line, f"{hint}; or name it in `## Tools`")
        elif not task.tool and len(named) > 1:
            message = f"the plan has {len(named)} evaluation tools, and task `{task.name}` names none of them"
            yield Problem(message, plan.file, task.line, hint)


def _unused_tools(plan: Plan) -> Iterator[Problem]:
    """Warnings: of several evaluation tools, those without a task."""
    used = {plan.tool_of(task) for task in plan.tasks}
    for name in plan.tools.evaluation:
        if len(plan.tools.evaluation) > 1 and name.lower() not in used:
            hint = "give it a task, or remove it from `## Tools`"
            yield Problem(f"no task belongs to {name}", plan.file, plan.tools.evaluation_line, hint)


def _unheeded_epochs(plan: Plan) -> Iterator[Problem]:
    """Warns if `Epochs to evaluate` decides nothing, as after a change of Epochs: every cell names other epochs."""
    trained = {run.name: run for run in plan.fine_tuned}
    entries = [entry for entry in plan.matrix or () if entry.run in trained]
    if not plan.epochs_line or not entries:
        return
    for entry in entries:
        usual = epochs_of(plan, trained[entry.run], plan.epochs_to_evaluate)
        is_known = bool(usual)  # a run without Epochs is an error of its own
        if not is_known or entry.epochs is None or epochs_of(plan, trained[entry.run], entry.epochs) == usual:
            return
    asked = plan.epochs_to_evaluate
    words = asked if isinstance(asked, str) else ", ".join(map(str, asked))
    message = f"`Epochs to evaluate` is `{words}`, but the matrix names other epochs for every run, and is followed"
    hint = "write `✓` in the matrix where the default applies, or make the two agree (epochs count from 0)"
    yield Problem(message, plan.file, plan.epochs_line, hint)


def _tool_hint(name: str, known: Sequence[str]) -> str:
    hint = f"supported: {', '.join(known)}; a tool of another package once that is installed beside tunebook"
    near = suggestion(name, known)
    return f"{near} {hint}" if near.startswith("did you mean") else hint


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
    """The levels of every factor must be exactly the values that the fine-tuned runs have."""
    for factor in plan.factors:
        parameter = plan.parameters.by_column(factor.name)
        if factor.name.lower() == "model":
            used: dict[Value, str] = {run.model: run.model for run in plan.fine_tuned or plan.runs}
            levels: dict[Value, str] = {level: level for level in factor.levels}
            yield from _disagreements(plan, factor, levels, used)
        elif parameter is not None and parameter.short:
            yield from _parameter_levels(plan, factor, parameter)
        elif plan.parameters.is_complete:
            hint = plan.parameters.suggest(factor.name, "Model", varying=True)
            yield Problem(f"unknown factor `{factor.name}`", plan.file, factor.line, hint)


def _parameter_levels(plan: Plan, factor: Factor, parameter: Parameter) -> Iterator[Problem]:
    if parameter.key in plan.unreadable:
        return
    written = [plan.setting(run, parameter.key) for run in plan.fine_tuned]
    used = {item.value: item.text for item in written if item is not None}
    levels: dict[Value, str] = {}
    for level in factor.levels:
        try:
            value = level if parameter.kind is Kind.LITERAL else parameter.convert(level)
        except ValueError as error:
            yield Problem(f"factor {factor.name}: {error}", plan.file, factor.line)
            return
        levels[value] = level
    yield from _disagreements(plan, factor, levels, used)


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
    """If the configuration lists values for a column, every run must have one of them."""
    for key, listed in plan.listed.items():
        parameter = plan.parameters.by_key(key)
        if listed and not parameter.lora_only:
            yield from _blank_cells(plan, parameter, [item.text for item in listed])
        values = {item.value for item in listed}
        texts = ", ".join(item.text for item in listed)
        for run in plan.runs:
            written = run.parameters.get(key)
            if written and values and written.value not in values:
                message = f"run `{run.name}` has {parameter.column} {written.text}, but the configuration lists {texts}"
                yield Problem(message, plan.file, run.line, f"see line {listed[0].line}; make the two agree")


def _prompts_in_rows(plan: Plan) -> Iterator[Problem]:
    """A dash below `System Prompt` may mean "none" or "as in the configuration"."""
    for parameter in plan.parameters:
        written = plan.configuration.get(parameter.key)
        if parameter.kind is Kind.LITERAL and parameter.key in plan.columns and written and written.text:
            yield from _blank_cells(plan, parameter, [f'"{written.text}"'])


def _blank_cells(plan: Plan, parameter: Parameter, texts: Sequence[str]) -> Iterator[Problem]:
    """Fine-tuned runs without a value in a column for which the configuration gives texts."""
    for run in plan.fine_tuned:
        if parameter.key not in {*run.parameters, *plan.unreadable}:
            message = f"run `{run.name}` has no {parameter.column} in its row, but the configuration gives "
            hint = "write the run's value into the row"
            yield Problem(message + ", ".join(texts), plan.file, run.line, hint)


def _repeated_runs(plan: Plan) -> Iterator[Problem]:
    """Runs that repeat the training of an earlier run in another directory."""
    directories = run_directories(plan)
    seen: dict[tuple[object, ...], Run] = {}
    for run in plan.fine_tuned:
        model = plan.model_of(run) or Model("", run.model, run.line)
        settings = {**run_settings(plan, run)}
        settings["dataset"] = settings.get("dataset") or plan.dataset_path
        first = seen.setdefault((model.path, *settings.values()), run)
        if directories[first.name] != directories[run.name]:
            message = f"run `{run.name}` is the same training as run `{first.name}` on line {first.line}"
            yield Problem(message, plan.file, run.line, "remove one of them, or give them different values")


def _misspelt_models(plan: Plan) -> Iterator[Problem]:
    """Listed models that no run has, if their name is similar to a run's model without a path."""
    listed = {model.name for model in plan.models}
    missing = sorted({run.model for run in plan.runs if run.model and not run.checkpoint} - listed)
    used = {run.model for run in plan.runs}
    for model in plan.models:
        hint = suggestion(model.name, missing)
        if model.name not in used and hint.startswith("did you mean"):
            yield Problem(f"no run has the model `{model.name}`", plan.file, model.line, hint)


def _models_of_runs(plan: Plan) -> Iterator[Problem]:
    known = [model.name for model in plan.models]
    reported: set[str] = set()
    for run in plan.runs:
        if not run.model:
            yield Problem(f"run `{run.name}` names no model", plan.file, run.line, "name one of `### Models`")
            continue
        has_path = run.checkpoint or plan.models_location or run.model in known
        if not has_path and run.model not in reported:
            reported.add(run.model)
            hint = f"add `- {run.model}: PATH` under `### Models`"
            if known:
                hint += f"; {suggestion(run.model, known)}"
            yield Problem(f"run `{run.name}`: no path is given for model `{run.model}`", plan.file, run.line, hint)


def _model_names(plan: Plan) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for model in plan.models:
        line = first.setdefault(model.name, model.line)
        if line != model.line:
            yield Problem(f"model `{model.name}` is listed twice", plan.file, model.line, f"see line {line}")


def _controls(plan: Plan) -> Iterator[Problem]:
    for run in plan.runs:
        given = [plan.parameters.by_key(key).column for key in run.parameters]
        if run.type is not RunType.FINE_TUNED and given:
            message = f"run `{run.name}` is of type {run.type.value} and is not trained, but has {', '.join(given)}"
            yield Problem(message, plan.file, run.line, "write `-` in these columns")
        if run.type is not RunType.EVAL_ONLY and run.checkpoint:
            message = f"run `{run.name}` is of type {run.type.value}, but has a checkpoint"
            yield Problem(message, plan.file, run.line, "only `Eval-only` runs have one")


def _tasks(plan: Plan) -> Iterator[Problem]:
    seen: set[str] = set()
    for task in plan.tasks:
        if not is_one_component(task.name):
            message = f"task name `{task.name}` cannot be part of a file's name"
            yield Problem(message, plan.file, task.line, _NAME_HINT)
        if task.name.lower() in seen:
            yield Problem(f"task `{task.name}` appears twice", plan.file, task.line, "rename one of them")
        if not task.script:
            hint = "write `FILE.py` or `FILE.py@task`"
            yield Problem(f"task `{task.name}` has no script", plan.file, task.line, hint)
        seen.add(task.name.lower())


def _matrix_rows(plan: Plan) -> Iterator[Problem]:
    runs = [run.name for run in plan.runs]
    seen: set[Value] = set()
    for row in plan.matrix_runs:
        if row.value not in runs:
            message = f"the evaluation matrix has run `{row.value}`, which is not in the runs table"
            yield Problem(message, plan.file, row.line, suggestion(str(row.value), runs))
        if row.value in seen:
            message = f"run `{row.value}` has two rows in the evaluation matrix"
            yield Problem(message, plan.file, row.line, "remove one of them")
        seen.add(row.value)
    for run in plan.runs if plan.matrix is not None else ():
        if run.name not in seen:
            hint = "add a row, with `-` if it should not be evaluated"
            yield Problem(f"run `{run.name}` is not in the evaluation matrix", plan.file, run.line, hint)


def _matrix_cells(plan: Plan) -> Iterator[Problem]:
    untrained = {run.name for run in plan.runs if run.type is not RunType.FINE_TUNED}
    for entry in plan.matrix or ():
        if entry.run in untrained and isinstance(entry.epochs, tuple):
            message = f"run `{entry.run}` is not trained here and has no epochs"
            yield Problem(message, plan.file, entry.line, "write `✓`")


def _epochs(plan: Plan) -> Iterator[Problem]:
    """Only epochs that a run trains can be evaluated; an epoch is reported once per row, not once per task."""
    runs = {run.name: run for run in plan.runs}
    reported: set[tuple[int, int]] = set()
    for evaluation in evaluations(plan):
        run, epoch = runs[evaluation.run], evaluation.epoch
        total = effective(plan, run, "epochs")
        if epoch is None or not isinstance(total, int) or epoch < total or (evaluation.line, epoch) in reported:
            continue
        reported.add((evaluation.line, epoch))
        trained = "1 epoch (epoch 0)" if total == 1 else f"{total} epochs (0 to {total - 1})"
        message = f"cannot evaluate epoch {epoch}: run `{run.name}` trains {trained}"
        yield Problem(message, plan.file, evaluation.line, "epochs count from 0")


_RULES: tuple[Callable[[Plan], Iterator[Problem]], ...] = (
    _name,
    _run_names,
    _counts,
    _factors,
    _listed,
    _prompts_in_rows,
    _misspelt_models,
    _models_of_runs,
    _model_names,
    _controls,
    check_training,
    _tools_of_tasks,
    _tasks,
    check_paths,
    _matrix_rows,
    _matrix_cells,
    _epochs,
    check_hypotheses,
)
