"""What a task is given: the run's training configuration where it takes one, else its data and prompts one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tunebook.core.parameters import suggestion
from tunebook.core.plan import EvaluationTask, Plan, Run
from tunebook.core.plan.settings import effective
from tunebook.errors import PlanError, Problem
from tunebook.tools.base import Context
from tunebook.tools.inspect.task_source import TaskFacts, TaskFunction

__all__ = ["prompt_warnings", "task_arguments", "task_errors", "task_function"]

_DATA = ("config_dir", "dataset_path")


def task_function(task: EvaluationTask, facts: TaskFacts) -> TaskFunction | None:
    """The function that ``FILE.py@name`` names, or the file's only task, or the one named like the plan's task."""
    named = {function.name: function for function in facts.functions}
    if task.function:
        return named.get(task.function)
    if len(facts.functions) == 1:
        return facts.functions[0]
    return named.get(task.name)


def task_errors(plan: Plan, task: EvaluationTask, facts: TaskFacts) -> Iterator[Problem]:
    """Why a script that is there cannot be used, and what to add to it."""
    function = task_function(task, facts)
    names = [found.name for found in facts.functions]
    if facts.problem:
        yield Problem(f"task script {task.script} {facts.problem}", plan.file, task.line)
    elif not facts.functions:
        yield Problem(f"task script {task.script} has no function with @task", plan.file, task.line)
    elif function is None and task.function:
        hint = suggestion(task.function, names)
        yield Problem(f"task script {task.script} has no task `{task.function}`", plan.file, task.line, hint)
    elif function is None:
        hint = f"write `{task.script}@NAME` with one of " + ", ".join(names)
        yield Problem(f"task script {task.script} has several tasks", plan.file, task.line, hint)
    elif not any(function.accepts(name) for name in _DATA):
        message = f"task `{function.name}` of {task.script} accepts neither config_dir nor dataset_path"
        hint = f"add a parameter `config_dir: str | None = None` on line {function.line} and read "
        hint += "setup_finetune.yaml there, or `dataset_path` and `system_prompt`"
        yield Problem(message, plan.file, task.line, hint)
    else:
        unknown = [name for name in function.required if name not in {*_DATA, "system_prompt", "prompt"}]
        if unknown:
            hint = "give them defaults in the script"
            message = f"task `{function.name}` of {task.script} wants {', '.join(unknown)}, which no page gives"
            yield Problem(message, plan.file, task.line, hint)


def prompt_warnings(plan: Plan, task: EvaluationTask, facts: TaskFacts) -> Iterator[Problem]:
    """A task that takes neither the training's configuration nor its prompts asks in words of its own."""
    function = task_function(task, facts)
    if function is None or function.accepts("config_dir"):
        return
    for key, silent in (("system_prompt", ""), ("prompt", "{input}")):
        if not function.accepts(key) and plan.value(key, silent) != silent:
            message = f"task `{function.name}` takes no {key}: it may ask otherwise than training did"
            yield Problem(
                message, plan.file, task.line, f"add a parameter `{key}` on line {function.line} of its script"
            )


def task_arguments(context: Context, run: Run, task: EvaluationTask, facts: TaskFacts | None) -> dict[str, Any]:
    """The task's arguments by name.

    A fine-tuned run's task reads the run's own training configuration (``config_dir``), so that both sides have one
    source. A model that was not trained here has none: its task gets the page's data and prompts one by one, as far as
    it takes them. A script that could not be read is taken to accept what the page's convention says.
    """
    function = task_function(task, facts) if facts else None
    values = _values(context, run, task)
    prepared = context.prepared.get(run.name)
    chosen: tuple[str, ...]
    if function and not prepared and not function.accepts("dataset_path"):
        message = f"task `{function.name}` takes only a training's config_dir, and run `{run.name}` is not trained here"
        hint = "add `dataset_path` and `system_prompt` to its parameters, or write `-` in the matrix"
        raise PlanError(message, file=context.plan.file, line=task.line, hint=hint)
    if function is None:
        chosen = ("config_dir",) if prepared else ("dataset_path", "system_prompt", "prompt")
    elif prepared and function.accepts("config_dir"):
        own = task.dataset and task.dataset != (context.plan.dataset.path if context.plan.dataset else None)
        chosen = ("config_dir", "dataset_path") if own and function.accepts("dataset_path") else ("config_dir",)
    else:
        chosen = tuple(name for name in ("dataset_path", "system_prompt", "prompt") if function.accepts(name))
    return {name: values[name] for name in chosen if values.get(name) is not None}


def _values(context: Context, run: Run, task: EvaluationTask) -> Mapping[str, Any]:
    prepared = context.prepared.get(run.name)
    trained: Mapping[str, Any] = prepared.values if prepared else {}
    data = task.dataset or trained.get("dataset_path") or (context.plan.dataset.path if context.plan.dataset else None)
    return {
        "config_dir": prepared.config_dir if prepared else None,
        "dataset_path": str(context.experiment / Path(data).expanduser()) if data else None,
        "system_prompt": trained.get("system_prompt", effective(context.plan, run, "system_prompt")),
        "prompt": trained.get("prompt", effective(context.plan, run, "prompt")),
    }
