"""The arguments of a task: a file with the run's settings if the task takes one, otherwise data and prompts.

Task scripts follow one of three conventions: ``config_path`` is the file; ``config_dir`` is a directory that holds it,
as ``setup_finetune.yaml``, or one just below it. The directory that they get here meets both; see :func:`config_file`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tunebook.core.parameters import suggestion
from tunebook.core.plan import EvaluationTask, Plan, Run
from tunebook.core.plan.settings import effective
from tunebook.errors import PlanError, Problem
from tunebook.tools.base import Context, PlannedFile, Prepared
from tunebook.tools.evaluation_data import EvaluationData
from tunebook.tools.inspect.package_tasks import is_package_task
from tunebook.tools.plan_inputs import absolute_path, dataset_keys, dataset_path
from tunebook.tools.task_script import TaskFunction, TaskScript
from tunebook.tools.yaml_text import yaml_lines

__all__ = ["Arguments", "config_file", "has_own_data", "prompt_warnings", "task_errors"]

_CONFIG = ("config_dir", "config_path")
_DATA = ("dataset_path", "data_path")
_PROMPTS = ("system_prompt", "prompt")
_NEUTRAL = {"system_prompt": "", "prompt": "{input}"}
_ASKED_WITH = ("dataset_type", *_PROMPTS)
_CONFIG_FILE = "setup_finetune.yaml"
_COPY_HEAD = """\
# A copy of ../setup_finetune.yaml for task scripts, which look for it here or one level above.
# Edit that file, not this one.
"""
_UNTRAINED_HEAD = """\
# For task scripts that read data and prompts from such a file. tunebook writes it from the plan: edit the plan.
"""
_NOT_TRAINED = Prepared(job="", checkpoints={}, config=None, values={})


def config_file(context: Context, run: Run) -> PlannedFile:
    """The file that task scripts read, below the run's directory.

    It is the run's ``setup_finetune.yaml`` once more; for a run without one it has only the data and the prompts.
    """
    path = f"{context.directories[run.name]}/eval/{_CONFIG_FILE}"
    prepared = context.prepared.get(run.name, _NOT_TRAINED)
    if prepared.config is not None:
        return PlannedFile(path, _COPY_HEAD, end=prepared.config)
    settings = {key: prepared.values.get(key, effective(context.plan, run, key)) for key in _ASKED_WITH}
    data = str(prepared.values.get("dataset_path") or dataset_path(context.plan, run))
    keys = dataset_keys(absolute_path(context, data)) if data else {}
    return PlannedFile(path, _UNTRAINED_HEAD, end="\n".join(yaml_lines({**keys, **settings})) + "\n")


def has_own_data(task: EvaluationTask) -> bool:
    """Tasks of installed packages bring their data, unless the plan names some."""
    return task.has_own_data or (is_package_task(task.script) and not task.dataset)


def _first(function: TaskFunction | None, names: Sequence[str]) -> str | None:
    """The first name that the task accepts; a task that could not be read here is assumed to accept all."""
    for name in names:
        if function is None or function.accepts(name):
            return name
    return None


@dataclass(frozen=True)
class Arguments:
    """The arguments of one run's evaluation by one task.

    The task of a fine-tuned run reads the run's own training configuration, so that training and evaluation have one
    source. If the plan's table of tasks names another data set, or the task requires one, the task gets that too. Where
    there is no configuration (a model that was not trained here, or a tool that writes none) the task gets data and
    prompts one by one; if it cannot take them so, it gets a file with them. A task with data of its own gets the
    prompts only.
    """

    context: Context
    run: Run
    task: EvaluationTask
    script: TaskScript | None

    @cached_property
    def function(self) -> TaskFunction | None:
        """The task's function; ``None`` if it could not be read here."""
        return self.script.function_for(self.task) if self.script else None

    @property
    def _prepared(self) -> Prepared:
        return self.context.prepared.get(self.run.name, _NOT_TRAINED)

    @cached_property
    def config(self) -> str | None:
        """The parameter for the file with the run's settings, if the task gets that."""
        if has_own_data(self.task) or not (self.has_training or self._reads_a_file_only):
            return None
        return _first(self.function, _CONFIG)

    @property
    def has_training(self) -> bool:
        """Whether the run has a training configuration."""
        return self._prepared.config is not None

    @property
    def _reads_a_file_only(self) -> bool:
        """Whether the task takes data or prompts that matter from a file with settings only."""
        function = self.function
        if function is None or not any(map(function.accepts, _CONFIG)):
            return False
        if not any(map(function.accepts, _DATA)):
            return True
        matter = [key for key, neutral in _NEUTRAL.items() if (self.source.setting(key) or neutral) != neutral]
        return not all(map(function.accepts, matter))

    @cached_property
    def source(self) -> EvaluationData:
        """The data and the prompts."""
        return EvaluationData(self.context, self.run, self.task)

    @cached_property
    def data(self) -> str:
        """The data set that the task reads."""
        return self.source.path

    def values(self) -> dict[str, Any]:
        """The arguments by name.

        Raises:
            PlanError: the task cannot take the data that it should be evaluated on.
        """
        values: dict[str, Any] = {}
        if self.config is not None:
            values[self.config] = self._config_value(self.config)
            if self._requires_data or self.data != self.source.absolute(self.source.of_run):
                values[self._data_parameter()] = self.data
            return values
        if not has_own_data(self.task):
            values[self._data_parameter()] = self.data
        for name in _PROMPTS:
            if self._takes_prompt(name):
                values[name] = self.source.setting(name)
        return {name: value for name, value in values.items() if value not in {None, ""} or name in _PROMPTS}

    @property
    def _requires_data(self) -> bool:
        """Whether the task has a parameter for its data that it cannot do without."""
        return self.function is not None and not set(self.function.required).isdisjoint(_DATA)

    def prompts(self) -> tuple[str, str] | None:
        """System prompt and prompt of the evaluation; ``None`` for a task with data of its own."""
        if has_own_data(self.task):
            return None
        return self.source.prompts()

    def _takes_prompt(self, name: str) -> bool:
        if self.function is None:
            return not has_own_data(self.task)  # an unknown task of a package rarely takes prompts
        return self.function.accepts(name)

    def _config_value(self, name: str) -> str:
        directory = f"{self.context.experiment}/{self.context.directories[self.run.name]}/eval"
        if name == "config_dir":
            return directory
        return f"{directory}/{_CONFIG_FILE}"

    def _data_parameter(self) -> str:
        name = _first(self.function, _DATA)
        if name is not None:
            return name
        task = f"task `{self.function.name if self.function else self.task.name}`"
        message = f"{task} cannot read {self.data}, which the tasks table names for it: "
        message += f"it would read the data of run `{self.run.name}`, {self.source.of_run}"
        hint = "add a parameter `dataset_path` to the task, or name the run's own data set in the table"
        raise PlanError(message, file=self.context.plan.file, line=self.task.line, hint=hint)


def task_errors(plan: Plan, task: EvaluationTask, script: TaskScript) -> Iterator[Problem]:
    """Why a script cannot be used, and what to add to it."""
    names = [function.name for function in script.functions if function.name]
    function = script.function_for(task)
    message, hint = "", ""
    if script.problem:
        message = f"task script {task.script} {script.problem}"
    elif not script.functions:
        message = f"task script {task.script} has no function with @task"
    elif function is not None:
        message, hint = _function_problem(task, function)
    elif len(names) < len(script.functions):
        line = next(item.line for item in script.functions if not item.name)
        message = f"task script {task.script}: the name of the task on line {line} cannot be read"
        hint = 'write it as a text, `@task(name="…")`, or as a constant of the script'
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
    supplied: tuple[str, ...] = (*_CONFIG, *_DATA, *_PROMPTS)
    if has_own_data(task):
        supplied = _PROMPTS
    elif not any(function.accepts(name) for name in (*_CONFIG, *_DATA)):
        message = f"task `{function.name}` of {task.script} accepts neither config_dir nor dataset_path"
        hint = f"add a parameter `config_dir: str | None = None` on line {function.line} and read "
        hint += "setup_finetune.yaml there, or `dataset_path` and `system_prompt`; "
        hint += "for a task with data of its own, write `-` as its Dataset"
        return message, hint
    unknown = [name for name in function.required if name not in supplied]
    if not unknown:
        return "", ""
    required = ", ".join(f"`{name}`" for name in unknown)
    what = "the parameter"
    if len(unknown) > 1:
        what = "the parameters"
    message = f"task `{function.name}` of {task.script} requires {what} {required}, which tunebook does not supply"
    if has_own_data(task):
        message += " to a task with data of its own"
    return message, "give default values in the script"


def prompt_warnings(plan: Plan, task: EvaluationTask, script: TaskScript) -> Iterator[Problem]:
    """A task that accepts neither the training configuration nor its prompts may prompt differently."""
    function = script.function_for(task)
    if function is None:
        return
    if not has_own_data(task) and any(function.accepts(name) for name in _CONFIG):
        return
    for key, neutral in _NEUTRAL.items():
        if not function.accepts(key) and plan.value(key, neutral) != neutral:
            message = f"task `{function.name}` does not accept {key}: its prompts may differ from those of training"
            hint = f"add a parameter `{key}` on line {function.line} of its script"
            yield Problem(message, plan.file, task.line, hint)
