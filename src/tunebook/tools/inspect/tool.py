"""The evaluation tool ``inspect-ai``: turns the evaluation matrix into ``eval/{task}_epoch{N}.slurm`` and jobs."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from tunebook.core.deep_checks import DeepCheck
from tunebook.core.jobs import Job, Pack, Resources, Stage
from tunebook.core.paths import evaluation_script, evaluation_stem, expanded
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
from tunebook.tools.imported_files import imported_files
from tunebook.tools.inspect.arguments import Arguments, config_copy, has_own_data, prompt_warnings, task_errors
from tunebook.tools.inspect.deep_checks import TaskUse, task_checks
from tunebook.tools.inspect.deep_models import model_checks
from tunebook.tools.inspect.evaluated_model import PLAIN_TEXT, EvaluatedModel, dataset_type, evaluated_model
from tunebook.tools.inspect.generation import Generation, generation_effects, planned_generation
from tunebook.tools.inspect.package_tasks import is_package_task, read_package_task
from tunebook.tools.inspect.parameters import PLAN_PARAMETERS
from tunebook.tools.inspect.results import InspectResults
from tunebook.tools.inspect.task_source import read_task_script
from tunebook.tools.job_script import input_path, job_variables, script_problems, script_text, shell_body
from tunebook.tools.model_inputs import model_size_b, whole_model
from tunebook.tools.packs import evaluation_pack
from tunebook.tools.plan_inputs import (
    dataset_path,
    evaluation_time,
    job_resources,
    memory_gb,
    model_directory,
    model_path,
    planned_gpus,
)
from tunebook.tools.rendered_inputs import first_prompt
from tunebook.tools.task_script import TaskScript

__all__ = ["InspectTool"]

_SIZE_UNKNOWN_B = 8.0  # most models of a sweep are no larger


class InspectTool(EvaluationTool):
    """The evaluation tool ``inspect-ai``."""

    name = "inspect-ai"
    short = "inspect"
    package = Package("inspect_ai", "inspect-ai", "tunebook[inspect]")
    files = (
        FileKind("{task}_epoch{N}.slurm, or {task}_base.slurm for base models", "SLURM script"),
        FileKind("logs/", "for inspect-ai output"),
    )
    parameters = PLAN_PARAMETERS
    results = InspectResults()
    loads_adapters = True
    task_form = "an inspect-ai task that accepts `config_dir`, and `dataset_path`, `system_prompt` and `prompt`"

    def read_tasks(self, script: Path) -> TaskScript | None:
        """The functions with ``@task``."""
        return read_task_script(script)

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
                    notes.append(f"task {task.name}: {function.name}({', '.join(function.parameters)})")
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

    def runs(self, plan: Plan) -> tuple[Run, ...]:
        """The runs that the matrix evaluates."""
        wanted = {evaluation.run for evaluation in evaluations(plan)}
        return tuple(run for run in plan.runs if run.name in wanted)

    def build(self, context: Context, run: Run) -> Unit:
        """One run's evaluation scripts and their jobs."""
        directory = context.directories[run.name]
        evaluations = [_Evaluation(context, run, evaluation) for evaluation in context.evaluations[run.name]]
        files: list[PlannedFile] = []
        jobs: list[Job] = []
        for evaluation in evaluations:
            file, job = evaluation.built()
            files.append(file)
            jobs.append(job)
        copy = config_copy(context, run)
        if copy is not None and any(evaluation.arguments.config for evaluation in evaluations):
            files.append(copy)
        return Unit(run.name, tuple(files), tuple(jobs), directories=(f"{directory}/eval/logs",))

    def deep_checks(self, context: Context, built: Sequence[tuple[Run, Unit]]) -> Sequence[DeepCheck]:
        """Each task with its real arguments."""
        uses = [
            _Evaluation(context, run, evaluation).use()
            for run, _ in built
            for evaluation in context.evaluations[run.name]
        ]
        return (*task_checks(uses), *model_checks(uses))

    def effects(self, context: Context, run: Run, unit: Unit) -> Sequence[Effect]:  # noqa: ARG002
        """How the run's models are loaded, and how they generate."""
        return tuple(generation_effects(context, run))

    def verify(self, context: Context, run: Run, unit: Unit, read: Callable[[str], str]) -> tuple[Problem, ...]:
        """Reads each file back and compares it with the plan, the checkpoint and the files that it names."""
        copies = unit.files[len(unit.jobs) :]
        message = "it differs from the run's own settings, but task scripts read it"
        problems = [Problem(message, file.path) for file in copies if read(file.path) != file.text]
        for evaluation, job in zip(context.evaluations[run.name], unit.jobs, strict=True):
            variables = _Evaluation(context, run, evaluation).variables()
            problems += script_problems(job, read(job.script), variables, context.experiment)
        return tuple(problems)


@dataclass(frozen=True)
class _Evaluation:
    """One evaluation of the matrix, and the script and the job that are made of it."""

    context: Context
    run: Run
    evaluation: Evaluation

    @property
    def directory(self) -> str:
        return self.context.directories[self.run.name]

    @property
    def task(self) -> EvaluationTask:
        return next(task for task in self.context.plan.tasks if task.name == self.evaluation.task)

    @property
    def facts(self) -> TaskScript | None:
        found: Mapping[str, TaskScript | None] = self.context.facts[InspectTool.name]
        return found.get(self.task.script)

    @cached_property
    def arguments(self) -> Arguments:
        return Arguments(self.context, self.run, self.task, self.facts)

    @cached_property
    def model(self) -> EvaluatedModel:
        return evaluated_model(self.context, self.run, self.evaluation)

    @cached_property
    def generation(self) -> Generation:
        return planned_generation(self.context.plan)

    def asked(self) -> dict[str, Any]:
        """What the log must show beyond the arguments of model and task."""
        found: dict[str, Any] = {"limit": self.generation.limit, "generation": self.generation.values()}
        if not has_own_data(self.task):
            found["dataset"] = self.arguments.data
            found["splits"] = self.arguments.splits()
        return found

    @cached_property
    def job(self) -> Job:
        prepared = self.context.prepared.get(self.run.name)
        script = evaluation_script(self.directory, self.task.name, self.evaluation.epoch)
        stem = str(PurePosixPath(script).with_suffix(""))
        return Job(
            name=stem,
            run=self.run.name,
            stage=Stage.EVALUATION,
            tool=InspectTool.short,
            directory=str(PurePosixPath(script).parent),
            script=script,
            outcome=f"{stem}.outcome.json",
            texts=(script, *self._task_files()),
            data=self._data(),
            models=self._base_model(),
            needs=(prepared.job,) if prepared and self.evaluation.epoch is not None else (),
            task=self.task.name,
            epoch=self.evaluation.epoch,
            result=f"{stem}.result.json",
            resources=self._resources(),
            pack=self._pack(),
        )

    def _task_files(self) -> tuple[str, ...]:
        """The task's file and the files beside it that it imports; none if they are on another machine."""
        path = self._script_path()
        if not path or self.facts is None:
            return ()
        files = (Path(path), *imported_files(Path(path)))
        return tuple(input_path(self.context.experiment, file) for file in files)

    def _data(self) -> tuple[str, ...]:
        """The data set that the task reads, unless the task brings its own."""
        path = self.arguments.data
        if has_own_data(self.task) or not path:
            return ()
        return (input_path(self.context.experiment, path),)

    def _base_model(self) -> tuple[str, ...]:
        """The model that is evaluated untrained, or that an adapter belongs to; both for an adapter from elsewhere.

        A checkpoint is the result of a job that the evaluation needs.
        """
        paths = [self.model.base]
        if self.evaluation.epoch is None:
            facts = self.context.models.get(model_path(self.context.plan, self.context.site, self.run))
            base = facts.base if facts else None
            paths = [self.model.directory, str(base.directory) if base else ""]
        return tuple(input_path(self.context.experiment, path) for path in paths if path)

    def _pack(self) -> Pack | None:
        path = model_path(self.context.plan, self.context.site, self.run)
        return evaluation_pack(self.context.plan, InspectTool.name, str(model_directory(self.context, path)))

    def _resources(self) -> Resources:
        site = self.context.site
        gpus = min(1, planned_gpus(self.context.plan, site))
        path = model_path(self.context.plan, site, self.run)
        size = model_size_b(self.run.model, whole_model(self.context.models.get(path))) or _SIZE_UNKNOWN_B
        return job_resources(
            site,
            time=evaluation_time(self.context.plan, site),
            memory_gb=memory_gb(size, gpus, precision=self.model.precision),
            cpus=4,
            gpus=gpus,
        )

    def built(self) -> tuple[PlannedFile, Job]:
        site, job = self.context.site, self.job
        try:
            text = script_text(
                job,
                job_name=f"{self.context.plan.name}.{self.directory}.{evaluation_stem(self.task.name, job.epoch)}",
                modules=site.modules,
                environment=site.environment_for(InspectTool.name, Stage.EVALUATION),
                variables=self.variables(),
                body=shell_body("evaluate"),
            )
        except ValueError as error:
            message = f"run `{self.run.name}`: {error}"
            raise PlanError(message, file=self.context.plan.file, line=self.run.line) from None
        return PlannedFile(job.script, text, executable=True), job

    def variables(self) -> dict[str, Any]:
        root, job = str(self.context.experiment), self.job
        return {
            **job_variables(job, self.context.experiment),
            "task": self._task_spec(),
            "task_arguments": json.dumps(self.arguments.values(), ensure_ascii=False),
            "model": f"hf/{self._model_name()}",
            "model_path": self.model.directory,
            "prepare_options": self.model.prepare_options(),
            "log_directory": f"{root}/{job.directory}/logs",
            "options": self.generation.options(),
            "asked": json.dumps(self.asked(), ensure_ascii=False),
            "result": f"{root}/{job.result}",
        }

    def use(self) -> TaskUse:
        """The task as the job uses it, for the deep checks."""
        script, data = self._script_path(), ""
        prompts = self.arguments.prompts()
        if prompts is not None:
            data = self.arguments.data
        function = self.arguments.function
        name = function.name if function else self.task.function
        path = model_path(self.context.plan, self.context.site, self.run)
        facts, model = self.context.models.get(path), model_directory(self.context, path)
        base = facts.base if facts is not None else None
        if base is not None:  # an adapter that is only evaluated
            facts, model = base, base.directory
        return TaskUse(
            plan=self.context.plan,
            run=self.run,
            task=self.task,
            spec=f"{script}@{name}" if script and name else script or self.task.script,
            arguments=self.arguments.values(),
            file=script,
            config=config_copy(self.context, self.run) if self.arguments.config else None,
            config_directory=str(self.context.experiment / self.directory / "eval"),
            data=data,
            dataset_type=dataset_type(self.context, self.run),
            prompts=prompts,
            limit=self.generation.limit,
            model=str(model),
            model_config=(facts.config if facts else None) or {},
            options={
                "precision": self.model.precision,
                "sample": self.model.samples,
                "plain_text": self.model.is_plain_text,
            },
            examples=self._examples(),
        )

    def _examples(self) -> tuple[Mapping[str, Any], ...]:
        """Some examples of the run's training data."""
        facts = self.context.datasets.get(dataset_path(self.context.plan, self.run))
        train = facts.parts.get("train") if facts else None
        return tuple(record for _, record in train.sample) if train else ()

    def _script_path(self) -> str:
        """The task's file; empty for a task of an installed package."""
        if is_package_task(self.task.script):
            return ""
        return str(self.context.experiment / expanded(self.task.script))

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
        start = self.context.experiment / PurePosixPath(self.job.script).parent
        return glob.escape(os.path.relpath(self._script_path(), start))

    def _model_name(self) -> str:
        """How logs and tables show the model: unique in the experiment, since the directory is."""
        if self.evaluation.epoch is None:
            return self.directory
        return f"{self.directory}_epoch{self.evaluation.epoch}"


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
