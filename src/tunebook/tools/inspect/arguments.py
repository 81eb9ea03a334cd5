"""The arguments of a task: the run's training configuration if the task takes one, otherwise data and prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunebook.core.parameters import suggestion
from tunebook.core.plan import EvaluationTask, Plan, Run
from tunebook.core.plan.settings import effective
from tunebook.errors import PlanError, Problem
from tunebook.tools.base import Context, Prepared, TaskFunction, TaskScript

__all__ = ["prompt_warnings", "task_arguments", "task_errors"]

_DATA = ("config_dir", "dataset_path")
_SINGLE = ("dataset_path", "system_prompt", "prompt")
_NOT_TRAINED = Prepared(job="", checkpoints={}, config_dir=None, values={})


def task_errors(plan: Plan, task: EvaluationTask, script: TaskScript) -> Iterator[Problem]:
    """Why a script cannot be used, and what to add to it."""
    names = [function.name for function in script.functions]
    function = script.function_for(task)
    message, hint = "", ""
    if script.problem:
        message = f"task script {task.script} {script.problem}"
    elif not names:
        message = f"task script {task.script} has no function with @task"
    elif function is not None:
        message, hint = _function_problem(task, function)
    elif task.function:
        message = f"task script {task.script} has no task `{task.function}`"
        hint = suggestion(task.function, names)
    else:
        message = f"task script {task.script} has several tasks"
        hint = f"write `{task.script}@NAME` with one of " + ", ".join(names)
    if message:
        yield Problem(message, plan.file, task.line, hint)


def _function_problem(task: EvaluationTask, function: TaskFunction) -> tuple[str, str]:
    """Message and hint; both are empty for a task that can be used."""
    if not any(function.accepts(name) for name in _DATA):
        message = f"task `{function.name}` of {task.script} accepts neither config_dir nor dataset_path"
        hint = f"add a parameter `config_dir: str | None = None` on line {function.line} and read "
        hint += "setup_finetune.yaml there, or `dataset_path` and `system_prompt`"
        return message, hint
    unknown = [name for name in function.required if name not in {"config_dir", *_SINGLE}]
    if unknown:
        required = ", ".join(f"`{name}`" for name in unknown)
        what = "the parameters"
        if len(unknown) == 1:
            what = "the parameter"
        message = f"task `{function.name}` of {task.script} requires {what} {required}, which tunebook does not supply"
        return message, "give default values in the script"
    return "", ""


def prompt_warnings(plan: Plan, task: EvaluationTask, script: TaskScript) -> Iterator[Problem]:
    """A task that accepts neither the training configuration nor its prompts may prompt differently."""
    function = script.function_for(task)
    if function is None or function.accepts("config_dir"):
        return
    for key, neutral in (("system_prompt", ""), ("prompt", "{input}")):
        if not function.accepts(key) and plan.value(key, neutral) != neutral:
            message = f"task `{function.name}` does not accept {key}: its prompts may differ from those of training"
            hint = f"add a parameter `{key}` on line {function.line} of its script"
            yield Problem(message, plan.file, task.line, hint)


def task_arguments(context: Context, run: Run, task: EvaluationTask, script: TaskScript | None) -> dict[str, Any]:
    """The task's arguments by name.

    The task of a fine-tuned run reads the run's own training configuration (``config_dir``), so that training and
    evaluation have one source. Where there is none (a model that was not trained here, or a tool that writes none) the
    task gets data and prompts one by one, as far as it accepts them. A script that could not be read here is assumed to
    accept everything.
    """
    function = None
    if script is not None:
        function = script.function_for(task)
    prepared = context.prepared.get(run.name, _NOT_TRAINED)
    config_dir = prepared.config_dir
    if function and not config_dir and not function.accepts("dataset_path"):
        message = f"task `{function.name}` accepts only a training's config_dir, but run `{run.name}` has none"
        hint = "add `dataset_path` and `system_prompt` to its parameters, or write `-` in the matrix"
        raise PlanError(message, file=context.plan.file, line=task.line, hint=hint)
    values = _values(context, run, task, prepared)
    arguments = {}
    for name in _chosen(context, task, function, config_dir):
        if values.get(name) is not None:
            arguments[name] = values[name]
    return arguments


def _chosen(
    context: Context, task: EvaluationTask, function: TaskFunction | None, config_dir: str | None
) -> tuple[str, ...]:
    """The names of the arguments that the task gets."""
    if function is None and config_dir:
        return ("config_dir",)
    if function is None:
        return _SINGLE
    if not config_dir or not function.accepts("config_dir"):
        return tuple(filter(function.accepts, _SINGLE))
    has_own_data = task.dataset and task.dataset != context.plan.dataset_path
    if has_own_data and function.accepts("dataset_path"):
        return ("config_dir", "dataset_path")
    return ("config_dir",)


def _values(context: Context, run: Run, task: EvaluationTask, prepared: Prepared) -> Mapping[str, Any]:
    plan, trained = context.plan, prepared.values
    data = task.dataset or trained.get("dataset_path") or plan.dataset_path
    return {
        "config_dir": prepared.config_dir,
        "dataset_path": str(context.experiment / Path(data).expanduser()) if data else None,
        "system_prompt": trained.get("system_prompt", effective(plan, run, "system_prompt")),
        "prompt": trained.get("prompt", effective(plan, run, "prompt")),
    }
