"""One planned evaluation, and the parts of its script and job that are the same for every evaluation tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from tunebook.core.jobs import Job, Resources, Stage
from tunebook.core.paths import evaluation_script, evaluation_stem
from tunebook.core.plan import Evaluation, EvaluationTask, Run
from tunebook.errors import PlanError
from tunebook.tools.base import Context, PlannedFile
from tunebook.tools.deep.model_checks import ModelUse
from tunebook.tools.evaluated_model import EvaluatedModel, evaluated_model
from tunebook.tools.evaluation_generation import Generation, planned_generation
from tunebook.tools.job_script import Shell, input_path, job_variables, script_parts, shell_body
from tunebook.tools.model_facts import ModelFacts
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
from tunebook.tools.runtime.data_formats import Record
from tunebook.tools.spot_values import ANSWERS, Questions, SpotScript

__all__ = ["PlannedEvaluation"]

_BYTES = {"bf16": 2, "fp32": 4}  # of one weight
_NO_FILES: Mapping[str, str] = MappingProxyType({})
_SIZE_UNKNOWN_B = 8.0  # most models of a sweep are no larger


@dataclass(frozen=True)
class PlannedEvaluation:
    """One evaluation of the matrix.

    Attributes:
        tool: the name of the tool; ``short`` is its short name.
        questions: those of a spot check; ``None`` for the evaluation itself.
    """

    context: Context
    run: Run
    evaluation: Evaluation
    tool: str
    short: str
    questions: Questions | None = None

    @property
    def directory(self) -> str:
        """The run's directory, relative to the experiment's."""
        return self.context.directories[self.run.name]

    @property
    def task(self) -> EvaluationTask:
        """The row of the tasks table."""
        return self.context.plan.task_named(self.evaluation.task)

    @cached_property
    def model(self) -> EvaluatedModel:
        """The model that is evaluated."""
        return evaluated_model(self.context, self.run, self.evaluation)

    @cached_property
    def generation(self) -> Generation:
        """How it generates answers."""
        planned, questions = planned_generation(self.context.plan), self.questions
        if questions is None:
            return planned
        return replace(planned, limit=questions.number, max_tokens=questions.max_tokens or planned.max_tokens)

    @property
    def model_name(self) -> str:
        """How logs and tables show the model: unique in the experiment, since the directory is."""
        if self.evaluation.epoch is None:
            return self.directory
        return f"{self.directory}_epoch{self.evaluation.epoch}"

    def job(self, *, texts: Sequence[str] = (), data: Sequence[str] = ()) -> Job:
        """The job.

        Args:
            texts: the task's files; the job's own script is always one of its texts.
            data: the paths of the data sets that the task reads.
        """
        prepared = self.context.prepared.get(self.run.name)
        script = evaluation_script(self.directory, self.task.name, self.evaluation.epoch)
        stem = script.removesuffix(".slurm")
        return Job(
            name=stem,
            run=self.run.name,
            stage=Stage.EVALUATION,
            tool=self.short,
            directory=script.rpartition("/")[0],
            script=script,
            outcome=f"{stem}.outcome.json",
            texts=(script, *texts),
            data=tuple(input_path(self.context.experiment, path) for path in data),
            models=self._models(),
            needs=(prepared.job,) if prepared and self.evaluation.epoch is not None else (),
            task=self.task.name,
            epoch=self.evaluation.epoch,
            result=f"{stem}.result.json",
            resources=self._resources(),
            pack=evaluation_pack(self.context.plan, self.tool, self.whole_model()[0]),
        )

    def _models(self) -> tuple[str, ...]:
        """The model that is evaluated untrained, or that an adapter belongs to; both for an adapter from elsewhere.

        A checkpoint is the result of a job that the evaluation needs.
        """
        paths = [self.model.base]
        if self.evaluation.epoch is None:
            facts = self.context.models.get(model_path(self.context.plan, self.context.site, self.run))
            base = facts.base if facts else None
            paths = [self.model.directory, str(base.directory) if base else ""]
        return tuple(input_path(self.context.experiment, path) for path in paths if path)

    def _resources(self) -> Resources:
        key = ("resources of evaluations", self.run.model, self.run.checkpoint, self.model.precision)
        return self.context.memo.once(key, self._computed_resources)

    def _computed_resources(self) -> Resources:
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

    def script(
        self, job: Job, variables: Mapping[str, Shell], *, body: str, before: str = "", after: str = ""
    ) -> PlannedFile:
        """The job's script.

        Args:
            variables: as :meth:`variables` returns them, and the tool's own.
            body: the name of the file in ``templates`` with the tool's commands.
            before: the name of a file in ``templates`` with commands that come first; empty for none.
            after: the name of one with commands that come last.

        Raises:
            PlanError: a value cannot be written where it belongs.
        """
        site = self.context.site
        commands = "".join(shell_body(name) for name in (before, body, after) if name)
        try:
            start, end = script_parts(
                job,
                job_name=f"{self.context.plan.name}.{self.directory}.{evaluation_stem(self.task.name, job.epoch)}",
                modules=site.modules,
                environment=site.environment_for(self.tool, Stage.EVALUATION),
                variables=variables,
                body=commands,
            )
        except ValueError as error:
            message = f"run `{self.run.name}`: {error}"
            raise PlanError(message, file=self.context.plan.file, line=self.run.line) from None
        return PlannedFile(job.script, start, executable=True, end=end)

    def spot_script(
        self,
        job: Job,
        variables: Mapping[str, Shell],
        folder: Path,
        *,
        body: str,
        after: str,
        before: str = "",
        files: Mapping[str, str] = _NO_FILES,
    ) -> SpotScript:
        """The job's script with commands behind it that write the answers; all that it writes is in a folder.

        Args:
            variables: those of the job's script, with the tool's changes for a spot check.
            files: those in the folder that the script reads, name to text.

        Raises:
            PlanError: a value cannot be written where it belongs.
        """
        places: dict[str, Shell] = {
            "outcome": f"{folder}/spot.outcome.json",
            "given_up": f"{folder}/given_up",
            "log_directory": f"{folder}/logs",
            "result": f"{folder}/result.json",
            "answers": f"{folder}/{ANSWERS}",
            "input_texts": [],
            "input_data": [],
            "input_models": [],
        }
        if self.questions is not None and self.questions.inputs:
            places["directory"] = str(folder)
        script = self.script(job, {**variables, **places}, body=body, before=before, after=after)
        return SpotScript(
            text=script.text,
            model=self.model.directory,
            base=self.model.base,
            resources=job.resources,
            weights_gb=self._weights_gb(),
            files=files,
            generation=MappingProxyType(self.generation.values()),
        )

    def _weights_gb(self) -> float | None:
        size_b = model_size_b(self.run.model, self.whole_model()[1])
        return None if size_b is None else size_b * _BYTES[self.model.precision]

    def variables(self, job: Job) -> dict[str, Shell]:
        """The variables of every evaluation's script."""
        root = str(self.context.experiment)
        return {
            **job_variables(job, self.context.experiment),
            "model_path": self.model.directory,
            "prepare_options": self.model.prepare_options(),
            "log_directory": f"{root}/{job.directory}/logs",
            "result": f"{root}/{job.result}",
        }

    def whole_model(self) -> tuple[str, ModelFacts | None]:
        """The absolute directory of the base model, of an adapter's base too, and what it holds."""
        path = model_path(self.context.plan, self.context.site, self.run)
        return self.context.memo.once(("whole model", path), lambda: _whole_model(self.context, path))

    def model_use(self, prompts: tuple[str, str] | None, *, packages: tuple[str, ...]) -> ModelUse:
        """The model as the deep checks try it.

        Args:
            prompts: system prompt and prompt; ``None`` for a task with data of its own.
            packages: those that decide how the model is asked.
        """
        directory, facts = self.whole_model()
        options = {
            "precision": self.model.precision,
            "sample": self.model.samples,
            "plain_text": self.model.is_plain_text,
        }
        return ModelUse(
            plan=self.context.plan,
            run=self.run,
            line=self.task.line,
            model=directory,
            config=(facts.config if facts else None) or {},
            options=options,
            examples=self.examples(),
            prompts=prompts,
            packages=packages,
        )

    def examples(self) -> tuple[Record, ...]:
        """Some examples of the run's training data."""
        facts = self.context.datasets.get(dataset_path(self.context.plan, self.run))
        train = facts.parts.get("train") if facts else None
        return tuple(record for _, record in train.sample) if train else ()


def _whole_model(context: Context, path: str) -> tuple[str, ModelFacts | None]:
    facts, directory = context.models.get(path), model_directory(context, path)
    base = facts.base if facts is not None else None
    if base is not None:  # an adapter that is only evaluated
        return str(base.directory), base
    return directory, facts
