"""One run's training: its settings, the places of its files, and its job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Generic, TypeVar

from tunebook.core.jobs import Job, Resources, Stage
from tunebook.core.paths import METRICS, checkpoint, output_directory
from tunebook.core.plan import Run
from tunebook.core.site import Environment
from tunebook.errors import PlanError
from tunebook.tools.base import Context, PlannedFile, Prepared
from tunebook.tools.finetuning.setup import SETUP, Setup
from tunebook.tools.job_script import Shell, input_path, job_variables, script_parts, shell_body
from tunebook.tools.packs import training_pack
from tunebook.tools.plan_inputs import absolute_path, training_estimate_min

__all__ = ["FINETUNE_SCRIPT", "Training"]

FINETUNE_SCRIPT = "finetune.slurm"
"""The name of a training's script."""

S = TypeVar("S", bound=Setup)
M = TypeVar("M")


@dataclass(frozen=True)
class Training(Generic[S, M]):
    """The settings that apply to a run, and what follows from them.

    Attributes:
        model: as the tool trains it.
        tool: the short name of the tool that trains.
    """

    context: Context
    run: Run
    setup: S
    model: M
    tool: str

    @property
    def directory(self) -> str:
        """The name of the run's directory."""
        return self.context.directories[self.run.name]

    def path(self, name: str) -> str:
        """The path of one of the run's files, relative to the experiment's directory."""
        return f"{self.directory}/{name}"

    @cached_property
    def output(self) -> str:
        """The directory of checkpoints and metrics."""
        name, base = self.context.plan.name, self.setup.output_dir_base
        return output_directory(self.context.experiment, name, self.directory, base)

    @property
    def metrics(self) -> str:
        """The file to which the training writes its metrics."""
        return f"{self.output}/{METRICS}"

    @property
    def examples(self) -> int | None:
        """How many training examples there are, as the data set or else the plan says; ``None`` if neither does."""
        context, path = self.context, self.setup.dataset_path
        return context.memo.once(("examples", path), lambda: _examples(context, path))

    def job(self, texts: Sequence[str]) -> Job:
        """The run's job.

        Args:
            texts: the files, beside the script, that decide what the training does.
        """
        experiment, setup = self.context.experiment, self.setup
        script = self.path(FINETUNE_SCRIPT)
        return Job(
            name=self.path("finetune"),
            run=self.run.name,
            stage=Stage.PREPARATION,
            tool=self.tool,
            directory=self.directory,
            script=script,
            outcome=self.path("finetune.outcome.json"),
            texts=tuple(texts),
            data=(input_path(experiment, setup.dataset_path),),
            models=(input_path(experiment, setup.model_checkpoint),),
            metrics=self.metrics,
            checkpoints=tuple(checkpoint(self.output, epoch) for epoch in range(setup.epochs)),
            resources=self._resources(),
            pack=training_pack(self.context.plan, self.context.site, setup.gpus),
            estimate_min=training_estimate_min(self.context.plan, self.run),
        )

    def _resources(self) -> Resources:
        setup, site = self.setup, self.context.site
        resources = Resources(
            time=setup.time,
            memory=setup.mem,
            cpus=setup.cpus,
            gpus=setup.gpus,
            gpu_type=site.gpu_type,
            gpu_syntax=site.gpu_syntax,
            account=setup.account,
            partition=setup.partition,
            constraint=setup.constraint,
            qos=setup.qos,
            mail_user=site.mail_user,
            mail_type=site.mail_type,
        )
        return self.context.memo.once(resources, lambda: resources)  # thousands of runs have the same

    def script(self, job: Job, variables: Mapping[str, Shell], body: str) -> PlannedFile:
        """The job's script.

        Args:
            variables: the tool's own; ``body`` is the name of its shell commands.

        Raises:
            PlanError: a value cannot be written into a script.
        """
        setup = self.setup
        try:
            start, end = script_parts(
                job,
                job_name=f"{self.context.plan.name}.{self.directory}",
                modules=setup.modules,
                environment=Environment(setup.conda_env, setup.venv),
                variables={**job_variables(job, self.context.experiment), **variables},
                body=shell_body(body),
            )
        except ValueError as error:
            raise PlanError(f"run `{self.run.name}`: {error}", file=self.path(SETUP)) from None
        return PlannedFile(job.script, start, executable=True, end=end)

    def prepared(self, job: Job, config: str) -> Prepared:
        """The preparation, as the run's evaluation needs it.

        Args:
            config: the text of the setup file that applies.
        """
        setup = self.setup
        settings = {"seed": setup.seed, "prompt": setup.prompt, "system_prompt": setup.system_prompt}
        settings |= {"dataset_path": setup.dataset_path, "dataset_type": setup.values["dataset_type"]}
        settings |= {"epochs": setup.epochs, "precision": setup.precision}
        settings["max_seq_len"] = setup.values.get("max_seq_len")
        base, rank = "", None
        if setup.saves_adapters:
            base, rank = setup.model_checkpoint, setup.lora_rank
        return Prepared(job.name, dict(enumerate(job.checkpoints)), config, MappingProxyType(settings), base, rank)


def _examples(context: Context, path: str) -> int | None:
    plan = context.plan
    for name, found in context.datasets.items():
        if found and found.splits.get("train") and path == absolute_path(context, name):
            return found.splits["train"]
    is_of_plan = plan.dataset and path == absolute_path(context, plan.dataset.path)
    return plan.dataset.splits.get("train") if plan.dataset and is_of_plan else None
