"""torchtune: from a fine-tuned run of the plan to its directory's files and its job.

``setup_finetune.yaml`` comes from the plan; ``finetune.yaml`` and ``finetune.slurm`` are derived from it, or from what
a person made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import yaml

from tunebook.core.jobs import Job, Resources, Stage
from tunebook.core.paths import FINETUNE_CONFIG, FINETUNE_SCRIPT, SETUP, checkpoint, output_directory
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import effective, steps_per_epoch
from tunebook.core.site import Environment, Site
from tunebook.errors import PlanError, Problem
from tunebook.tools.base import Context, Findings, PlannedFile, Prepared, Unit
from tunebook.tools.job_script import job_variables, script_text, shell_body
from tunebook.tools.model_facts import read_model_facts
from tunebook.tools.torchtune.config import config_values, launched_recipe, metrics_path, write_config
from tunebook.tools.torchtune.models import TorchtuneModel, resolve_model
from tunebook.tools.torchtune.omegaconf_yaml import read_config
from tunebook.tools.torchtune.planned_setup import model_path, planned_setup
from tunebook.tools.torchtune.results import TorchtuneResults
from tunebook.tools.torchtune.setup_file import Setup, differences, read_generated_setup, read_setup, write_setup
from tunebook.tools.torchtune.survey import Facts, survey, survey_findings
from tunebook.tools.torchtune.verify import setup_problems, verify_config, verify_script

__all__ = ["TorchtuneTool"]


class TorchtuneTool:
    """The preparation tool ``torchtune``."""

    name = "torchtune"
    short = "torchtune"
    stage = Stage.PREPARATION
    editable = (SETUP,)
    results = TorchtuneResults()

    def version(self) -> str | None:
        """The installed version."""
        try:
            return version("torchtune")
        except PackageNotFoundError:
            return None

    def survey(self, plan: Plan, site: Site, experiment: Path) -> Facts:
        """Reads each model's and each data set's files once."""
        return survey(plan, site, experiment)

    def check(self, context: Context) -> Findings:
        """What the survey shows: what is missing (warnings), and what contradicts the page (errors)."""
        return survey_findings(context, context.facts[self.name])

    def runs(self, plan: Plan) -> tuple[Run, ...]:
        """The fine-tuned runs."""
        return plan.fine_tuned

    def build(self, context: Context, run: Run) -> Unit:
        """One run's three files and its job."""
        directory = context.directories[run.name]
        setup_path = f"{directory}/{SETUP}"
        facts: Facts = context.facts[self.name]
        path = model_path(context.plan, context.site, run)
        lora = effective(context.plan, run, "lora_rank") is not None
        planned_model = resolve_model(run.model, facts.models.get(path), lora=lora)
        planned = planned_setup(context, run, planned_model)
        setup, warnings = planned, tuple[Problem, ...]()
        if setup_path in context.edited:
            setup = read_setup(context.edited[setup_path], file=setup_path)
            _check_steps(setup, facts, setup_path)
            warnings = tuple(_deviations(planned, setup, run, setup_path))
        return _Derivation(context, run, setup).unit(write_setup(planned), planned, planned_model, warnings)

    def verify(self, context: Context, run: Run, unit: Unit, read: Callable[[str], str]) -> tuple[Problem, ...]:
        """Reads the run's files back and compares them with the plan, or with the setup that a person edited."""
        directory = context.directories[run.name]
        try:
            text = read(f"{directory}/{SETUP}")
            setup = read_generated_setup(text) if text == unit.files[0].text else None
            setup = setup or read_setup(text, file=f"{directory}/{SETUP}")
            values = read_config(read(f"{directory}/{FINETUNE_CONFIG}"))
        except PlanError as error:
            return error.problems
        except (yaml.YAMLError, ValueError) as error:
            return (Problem(f"run `{run.name}`: cannot be read back: {error}", f"{directory}/{FINETUNE_CONFIG}"),)
        edited = f"{directory}/{SETUP}" in context.edited
        found = [] if edited else setup_problems(context, run, setup)
        found += verify_config(run, setup, values, f"{directory}/{FINETUNE_CONFIG}")
        found += verify_script(unit, setup, read(f"{directory}/{FINETUNE_SCRIPT}"), context.experiment)
        return tuple(found)


@dataclass(frozen=True)
class _Derivation:
    """From the settings that are in force for a run to its files and its job."""

    context: Context
    run: Run
    setup: Setup

    @property
    def directory(self) -> str:
        return self.context.directories[self.run.name]

    @cached_property
    def output(self) -> Path:
        name, base = self.context.plan.name, self.setup.output_dir_base
        return output_directory(self.context.experiment, name, self.directory, base)

    def unit(
        self, setup_text: str, planned: Setup, planned_model: TorchtuneModel, warnings: tuple[Problem, ...]
    ) -> Unit:
        model = planned_model if self.setup is planned else self._model()
        values = config_values(self.setup, model, output=self.output, site=self.context.site)
        files = (
            PlannedFile(f"{self.directory}/{SETUP}", setup_text),
            PlannedFile(f"{self.directory}/{FINETUNE_CONFIG}", write_config(values, run=self.run.name)),
            PlannedFile(f"{self.directory}/{FINETUNE_SCRIPT}", self._script(), executable=True),
        )
        job = self.job
        checkpoints = dict(enumerate(job.checkpoints))
        config_dir = str(self.context.experiment / self.directory)
        settings = {"seed": self.setup.seed, "prompt": self.setup.prompt, "system_prompt": self.setup.system_prompt}
        settings |= {"dataset_path": self.setup.dataset_path, "epochs": self.setup.epochs}
        prepared = Prepared(job.name, checkpoints, config_dir, MappingProxyType(settings))
        return Unit(self.run.name, files, (job,), prepared=prepared, warnings=warnings)

    def _model(self) -> TorchtuneModel:
        """The model that an edited setup names, which may be another one than the plan's."""
        path = self.setup.model_checkpoint
        known: Facts = self.context.facts[TorchtuneTool.name]
        facts = known.models[path] if path in known.models else read_model_facts(self.context.experiment / path)
        return resolve_model(PurePosixPath(path).name, facts, lora=self.setup.lora_rank is not None)

    @cached_property
    def job(self) -> Job:
        return Job(
            name=f"{self.directory}/finetune",
            run=self.run.name,
            stage=Stage.PREPARATION,
            tool=TorchtuneTool.short,
            directory=self.directory,
            script=f"{self.directory}/{FINETUNE_SCRIPT}",
            outcome=f"{self.directory}/finetune.outcome.json",
            inputs=(f"{self.directory}/{FINETUNE_CONFIG}", f"{self.directory}/{FINETUNE_SCRIPT}"),
            metrics=str(metrics_path(self.output)),
            checkpoints=tuple(str(checkpoint(self.output, epoch)) for epoch in range(self.setup.epochs)),
            resources=self._resources(),
        )

    def _resources(self) -> Resources:
        setup, site = self.setup, self.context.site
        return Resources(
            time=setup.time,
            memory=setup.mem,
            cpus=setup.cpus,
            gpus=setup.gpus,
            gpu_syntax=site.gpu_syntax,
            account=setup.account,
            partition=setup.partition,
            constraint=setup.constraint,
            qos=setup.qos,
            mail_user=site.mail_user,
            mail_type=site.mail_type,
        )

    def _script(self) -> str:
        setup, job, root = self.setup, self.job, str(self.context.experiment)
        distributed = setup.gpus > 1
        variables: dict[str, Any] = {
            **job_variables(job, self.context.experiment),
            "config": f"{root}/{self.directory}/{FINETUNE_CONFIG}",
            "output_directory": str(self.output),
            "recipe": launched_recipe(setup),
            "launcher": ["--nnodes", "1", "--nproc_per_node", str(setup.gpus)] if distributed else [],
            "epochs": setup.epochs,
            "adapter": _adapter(setup),
        }
        try:
            return script_text(
                job,
                job_name=f"{self.context.plan.name}.{self.directory}",
                modules=setup.modules,
                environment=Environment(setup.conda_env, setup.venv),
                variables=variables,
                body=shell_body("finetune"),
            )
        except ValueError as error:
            raise PlanError(f"run `{self.run.name}`: {error}", file=f"{self.directory}/{SETUP}") from None


def _check_steps(setup: Setup, facts: Facts, file: str) -> None:
    """The rules on steps for settings that a person edited, where the number of examples is known."""
    data = facts.datasets.get(setup.dataset_path)
    examples = data.splits.get("train") if data else None
    if not examples or setup.packed:
        return
    steps = setup.epochs * steps_per_epoch(
        examples,
        batch_size=setup.batch_size,
        accumulation=setup.gradient_accumulation_steps,
        gpus=max(1, setup.gpus),
        max_steps=setup.max_steps_per_epoch,
    )
    if setup.num_warmup_steps >= steps:
        message = f"{examples} examples make {steps} steps, and the warm-up takes {setup.num_warmup_steps}"
        raise PlanError(message, file=file, hint="make the batch smaller or the warm-up shorter")


def _adapter(setup: Setup) -> str:
    if setup.save_adapter_weights_only:
        return "only"
    return "stash" if setup.stash_adapter_weights else "keep"


def _deviations(planned: Setup, edited: Setup, run: Run, file: str) -> Iterator[Problem]:
    for key, (before, after) in differences(planned, edited).items():
        hint = "it stays as edited, and finetune.yaml follows it; --overwrite takes the plan's"
        yield Problem(f"run `{run.name}`: {key} is {after!r} here and {before!r} in the plan", file, None, hint)
