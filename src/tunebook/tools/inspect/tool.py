"""The evaluation tool ``inspect-ai``: turns the evaluation matrix into ``eval/{task}_epoch{N}.slurm`` and jobs."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tunebook.core.deep_checks import DeepCheck
from tunebook.core.jobs import Job, Stage
from tunebook.core.paths import expanded
from tunebook.core.plan import Evaluation, EvaluationTask, Plan, Run
from tunebook.core.plan.settings import evaluations
from tunebook.core.site import Site
from tunebook.errors import PlanError, Problem
from tunebook.tools.base import (
    Context,
    Effect,
    EvaluationTool,
    FileKind,
    Findings,
    Package,
    PlannedFile,
    Unit,
)
from tunebook.tools.evaluated_model import PLAIN_TEXT, dataset_type
from tunebook.tools.evaluation_generation import Generation, generation_effects
from tunebook.tools.evaluation_job import PlannedEvaluation
from tunebook.tools.evaluation_parameters import EVALUATION_PARAMETERS
from tunebook.tools.imported_files import imported_files
from tunebook.tools.inspect.arguments import Arguments, config_file, has_own_data, prompt_warnings, task_errors
from tunebook.tools.inspect.deep_checks import TaskUse, task_checks
from tunebook.tools.inspect.deep_models import model_checks
from tunebook.tools.inspect.new_task import InspectTaskWriter
from tunebook.tools.inspect.package_tasks import is_package_task, read_package_task
from tunebook.tools.inspect.results import InspectResults
from tunebook.tools.inspect.served import (
    INFERENCE,
    VLLM,
    Server,
    is_served,
    served_effects,
    served_problems,
    served_request,
    served_resources,
    served_warnings,
    server_of,
)
from tunebook.tools.inspect.spot_check import Message, spot_variables
from tunebook.tools.inspect.task_source import read_task_script
from tunebook.tools.inspect.task_splits import split_warnings
from tunebook.tools.inspect.warm import WARM_SCRIPT, warm_file
from tunebook.tools.job_script import Shell, input_path, script_problems
from tunebook.tools.model_inputs import whole_model
from tunebook.tools.plan_inputs import absolute_path, dataset_path, model_path
from tunebook.tools.rendered_inputs import first_prompt
from tunebook.tools.runtime.chat import instruct_messages
from tunebook.tools.runtime.generation import DEFAULT_MAX_TOKENS
from tunebook.tools.runtime.questions import SPLIT
from tunebook.tools.spot_values import Questions, SpotScript
from tunebook.tools.task_script import TaskScript
from tunebook.tools.verified_values import values_digest

__all__ = ["InspectTool"]


class InspectTool(EvaluationTool):
    """The evaluation tool ``inspect-ai``."""

    name = "inspect-ai"
    short = "inspect"
    package = Package("inspect_ai", "inspect-ai", "tunebook[inspect]")
    files = (
        FileKind("{task}_epoch{N}.slurm, or {task}_base.slurm for base models", "SLURM script"),
        FileKind("logs/", "for inspect-ai output"),
    )
    services = (Package("vllm", "vllm", "vllm"),)
    parameters = (INFERENCE, *EVALUATION_PARAMETERS)
    results = InspectResults()
    task_writer = InspectTaskWriter()
    loads_adapters = True
    task_form = "an inspect-ai task that accepts `config_dir`, and `dataset_path`, `system_prompt` and `prompt`"

    def read_tasks(self, script: Path) -> TaskScript | None:
        """The functions with ``@task``."""
        return read_task_script(script)

    def rules(self, plan: Plan) -> tuple[Problem, ...]:
        """Adapters that vLLM does not serve."""
        return tuple(served_problems(plan))

    def survey(self, plan: Plan, site: Site, experiment: Path) -> Mapping[str, TaskScript | None]:  # noqa: ARG002
        """Script path to what it accepts, read from its source."""
        found: dict[str, TaskScript | None] = {}
        for script in sorted({task.script for task in plan.tasks if task.script}):
            if is_package_task(script):
                found[script] = read_package_task(script)
            else:
                found[script] = read_task_script(experiment / expanded(script))
        return found

    def check(self, context: Context) -> Findings:
        """Scripts that are missing or unreadable here (warnings) or do not accept their arguments (errors)."""
        facts: Mapping[str, TaskScript | None] = context.facts[self.name]
        errors: list[Problem] = []
        warnings: list[Problem] = []
        notes: list[str] = []
        for task in context.plan.tasks:
            found = facts.get(task.script)
            if task.function and is_package_task(task.script):
                errors.append(_twice_named(context.plan, task))
            elif found is None or found.unread:
                warnings.append(_unread(context.plan, task, found))
            else:
                errors.extend(task_errors(context.plan, task, found))
                warnings.extend(prompt_warnings(context.plan, task, found))
                function = found.function_for(task)
                if function:
                    warnings.extend(split_warnings(context, task, function))
                    notes.append(f"task {task.name}: {function.name}({', '.join(function.parameters)})")
        warnings.extend(served_warnings(context))
        return Findings(tuple(errors), tuple(warnings), tuple(notes))

    def first_prompt(self, context: Context, run: Run, task: EvaluationTask) -> str:
        """From the data and the prompts that the task is given."""
        prompts = Arguments(context, run, task, context.facts[self.name].get(task.script)).prompts()
        if prompts is None:
            return ""
        facts = context.datasets.get(task.dataset or dataset_path(context.plan, run))
        model = whole_model(context.models.get(model_path(context.plan, context.site, run)))
        is_plain_text = dataset_type(context, run) == PLAIN_TEXT
        return first_prompt(facts, model, system_prompt=prompts[0], prompt=prompts[1], is_plain_text=is_plain_text)

    def spot_check(
        self, context: Context, run: Run, evaluation: Evaluation, questions: Questions, folder: Path
    ) -> SpotScript:
        """The evaluation's own script, for a few samples or for other conversations."""
        item = _of(context, run, evaluation)
        splits = {} if has_own_data(item.task) else item.arguments.source.splits()
        planned = replace(item, questions=questions.at_most(splits.get(SPLIT)))
        variables, files = spot_variables(planned.variables_of_script, planned.conversations(), folder)
        before = "served" if planned.server is not None else ""
        return planned.spot_script(
            planned.planned, variables, folder, body="evaluate", before=before, after="answers", files=files
        )

    def runs(self, plan: Plan) -> tuple[Run, ...]:
        """The runs that the matrix evaluates."""
        wanted = {evaluation.run for evaluation in evaluations(plan)}
        return tuple(run for run in plan.runs if run.name in wanted)

    def build(self, context: Context, run: Run) -> Unit:
        """One run's evaluation scripts and their jobs."""
        directory = context.directories[run.name]
        evaluations = [_of(context, run, evaluation) for evaluation in context.evaluations[run.name]]
        files: list[PlannedFile] = []
        jobs: list[Job] = []
        for evaluation in evaluations:
            file, job = evaluation.built()
            files.append(file)
            jobs.append(job)
        if any(evaluation.arguments.config for evaluation in evaluations):
            files.append(config_file(context, run))
        servers = [evaluation.service_file() for evaluation in evaluations]
        files += dict.fromkeys(server for server in servers if server is not None)
        values = values_digest(run.name, jobs, [evaluation.variables_of_script for evaluation in evaluations])
        return Unit(run.name, tuple(files), tuple(jobs), directories=(f"{directory}/eval/logs",), values=values)

    def deep_checks(self, context: Context, built: Sequence[tuple[Run, Unit]]) -> Sequence[DeepCheck]:
        """Each task with its real arguments."""
        uses = [_of(context, run, evaluation).use() for run, _ in built for evaluation in context.evaluations[run.name]]
        return (*task_checks(uses), *model_checks(uses))

    def effects(self, context: Context, run: Run, unit: Unit) -> Sequence[Effect]:  # noqa: ARG002
        """How the run's models are loaded, and how they generate."""
        longest = f"{DEFAULT_MAX_TOKENS}, unless the task says otherwise"
        found = tuple(generation_effects(context, run, longest=longest, source="inspect-ai's default"))
        return (*found, *served_effects(context, run))

    def verify(self, context: Context, run: Run, unit: Unit, read: Callable[[str], str]) -> tuple[Problem, ...]:
        """Reads each file back and compares it with the plan, the checkpoint and the files that it names."""
        copy = config_file(context, run)
        problems = []
        for file in unit.files[len(unit.jobs) :]:
            message = "it differs from what tunebook generates, but it starts what the evaluations share"
            if file.path == copy.path:
                message = "it differs from the run's own settings, but task scripts read it"
            if read(file.path) != file.text:
                problems.append(Problem(message, file.path))
        for evaluation, job in zip(context.evaluations[run.name], unit.jobs, strict=True):
            variables = _of(context, run, evaluation).variables_of_script
            problems += script_problems(job, read(job.script), variables, context.experiment)
        return tuple(problems)


def _command_line(generation: Generation) -> list[str]:
    """The options of inspect-ai's command line."""
    options: list[str] = []
    for name, value in generation.values().items():
        options += [f"--{name.replace('_', '-')}", str(value)]
    if generation.limit is not None:
        options += ["--limit", str(generation.limit)]
    return options


def _of(context: Context, run: Run, evaluation: Evaluation) -> _Evaluation:
    return _Evaluation(context, run, evaluation, InspectTool.name, InspectTool.short)


class _Evaluation(PlannedEvaluation):
    """One evaluation of the matrix, and the script and the job that are made of it."""

    @property
    def facts(self) -> TaskScript | None:
        found: Mapping[str, TaskScript | None] = self.context.facts[InspectTool.name]
        return found.get(self.task.script)

    @cached_property
    def arguments(self) -> Arguments:
        return Arguments(self.context, self.run, self.task, self.facts)

    def asked(self) -> dict[str, Any]:
        """The values that the log must show beside the arguments of model and task."""
        found: dict[str, Any] = {"limit": self.generation.limit, "generation": self.generation.values()}
        if not has_own_data(self.task):
            found["dataset"] = self.arguments.data
            found["splits"] = self.arguments.source.splits()
        return found

    def conversations(self) -> list[list[Message]]:
        """The messages of a person's own inputs, with the prompts that the run's training has."""
        inputs = self.questions.inputs if self.questions else ()
        system_prompt, prompt = self.arguments.source.prompts()
        return [instruct_messages(system_prompt, prompt, text) for text in inputs]

    @cached_property
    def planned(self) -> Job:
        job = self.job(texts=(*self._task_files(), *self._settings_files()), data=self._data())
        if self.server is None:
            if job.pack is None:
                return job
            return replace(job, pack=replace(job.pack, service=WARM_SCRIPT))
        resources = served_resources(job.resources, self.context.site)
        return replace(job, resources=resources, pack=self.server.pack(self.context.plan))

    def _task_files(self) -> tuple[str, ...]:
        """The task's file and the files beside it that it imports; none if they are on another machine."""
        path = self._script_path()
        if not path or self.facts is None:
            return ()
        return self.context.memo.once(("task files", path), lambda: _with_imports(self.context.experiment, path))

    def _settings_files(self) -> tuple[str, ...]:
        """The file with the prompts, where no training depends on it."""
        if self.arguments.config is None or self.arguments.has_training:
            return ()
        return (config_file(self.context, self.run).path,)

    def _data(self) -> tuple[str, ...]:
        """The data set that the task reads, unless the task brings its own."""
        if has_own_data(self.task) or not self.arguments.data:
            return ()
        return (self.arguments.data,)

    def built(self) -> tuple[PlannedFile, Job]:
        before = "served" if self.server is not None else ""
        return self.script(self.planned, self.variables_of_script, body="evaluate", before=before), self.planned

    @cached_property
    def server(self) -> Server | None:
        """The server that answers; ``None`` if the job loads the model itself."""
        if not is_served(self.context.plan):
            return None
        return server_of(self.context, self.run, self.evaluation)

    def service_file(self) -> PlannedFile | None:
        """The script that starts the server, or the process that several evaluations share; ``None`` without one."""
        environment = self.context.site.environment_for(InspectTool.name, Stage.EVALUATION)
        try:
            if self.server is None:
                return warm_file(self.context.plan, self.context.site, InspectTool.name)
            return self.server.file(self.context, environment)
        except ValueError as error:
            message = f"run `{self.run.name}`: {error}"
            raise PlanError(message, file=self.context.plan.file, line=self.run.line) from None

    @cached_property
    def variables_of_script(self) -> Mapping[str, Shell]:
        serving: dict[str, Shell] = {}
        if self.server is not None:
            serving["prepare_options"] = [*self.model.prepare_options(), "--inference", VLLM]
            serving["service_script"] = str(self.context.experiment / self.server.path)
            serving["served"] = served_request(self.context, self.run, self.evaluation)
        return {
            **self.variables(self.planned),
            "task": self._task_spec(),
            "task_arguments": json.dumps(self.arguments.values(), ensure_ascii=False),
            "model": f"hf/{self.model_name}",
            "options": _command_line(self.generation),
            "asked": json.dumps(self.asked(), ensure_ascii=False),
            **serving,
        }

    def use(self) -> TaskUse:
        """The task as the job uses it, for the deep checks."""
        script, data = self._script_path(), ""
        prompts = self.arguments.prompts()
        if prompts is not None:
            data = self.arguments.data
        function = self.arguments.function
        name = function.name if function else self.task.function
        model, facts = self.whole_model()
        return TaskUse(
            plan=self.context.plan,
            run=self.run,
            task=self.task,
            spec=f"{script}@{name}" if script and name else script or self.task.script,
            arguments=self.arguments.values(),
            file=script,
            config=config_file(self.context, self.run) if self.arguments.config else None,
            config_directory=str(self.context.experiment / self.directory / "eval"),
            data=data,
            dataset_type=dataset_type(self.context, self.run),
            prompts=prompts,
            limit=self.generation.limit,
            model=model,
            model_config=(facts.config if facts else None) or {},
            options={
                "precision": self.model.precision,
                "sample": self.model.samples,
                "plain_text": self.model.is_plain_text,
            },
            examples=self.examples(),
        )

    def _script_path(self) -> str:
        """The task's file; empty for a task of an installed package."""
        if is_package_task(self.task.script):
            return ""
        return absolute_path(self.context, self.task.script)

    def _task_spec(self) -> str:
        """``FILE@task``; inspect-ai 0.3 reads a file name without it as a pattern, which must be relative."""
        if not self._script_path():
            return self.task.script
        function = self.arguments.function
        name = self.task.function
        if function:
            name = function.name
        if name:
            return f"{self._script_path()}@{name}"
        script = self._script_path()
        above = self.context.memo.once(("relative", script), lambda: os.path.relpath(script, self.context.experiment))
        if above.startswith(f"{self.directory}/"):
            return glob.escape(os.path.relpath(above, self.planned.directory))
        return glob.escape(f"../../{above}")  # from the directory `eval` of the run's own


def _with_imports(experiment: Path, script: str) -> tuple[str, ...]:
    files = (Path(script), *imported_files(Path(script)))
    return tuple(input_path(experiment, file) for file in files)


def _twice_named(plan: Plan, task: EvaluationTask) -> Problem:
    message = f"{task.script}@{task.function} names a task of a package and also a function"
    return Problem(message, plan.file, task.line, f"write `{task.script}`, or the path of a file before the `@`")


def _unread(plan: Plan, task: EvaluationTask, script: TaskScript | None) -> Problem:
    """The warning about a task whose parameters are unknown here."""
    if script is not None:
        message = f"task script {task.script}: its parameters could not be read, since {script.unread}"
        return Problem(message, plan.file, task.line, "the evaluation's environment needs a newer Python")
    if is_package_task(task.script):
        message = f"the package of task {task.script} is not installed here: its parameters could not be read"
        return Problem(message, plan.file, task.line, "make sure that the evaluation's environment has the package")
    hint = "it may exist on compute nodes only; its parameters could not be read here"
    message = f"task script {task.script} was not found"
    return Problem(message, plan.file, task.line, hint, task.script)
