"""The preparation tool ``torchtune``: turns a fine-tuned run of the plan into its directory's files and its job.

``setup_finetune.yaml`` comes from the plan; ``finetune.yaml`` and ``finetune.slurm`` are derived from it, also after a
person has edited it.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import yaml

from tunebook.core.deep_checks import DeepCheck
from tunebook.core.jobs import Job, Resources, Stage
from tunebook.core.paths import checkpoint, expanded, output_directory
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import trains_adapters
from tunebook.core.site import Environment
from tunebook.errors import PlanError, Problem
from tunebook.tools.base import (
    Context,
    Effect,
    FileKind,
    Findings,
    Package,
    PlannedFile,
    PreparationTool,
    Prepared,
    Shrunk,
    Unit,
)
from tunebook.tools.job_script import Shell, input_path, job_variables, script_problems, script_text, shell_body
from tunebook.tools.model_facts import ModelFacts, read_model_facts
from tunebook.tools.model_inputs import config_of
from tunebook.tools.packs import training_pack
from tunebook.tools.plan_inputs import dataset_path, model_path
from tunebook.tools.rendered_inputs import first_example
from tunebook.tools.torchtune.config import config_values, launched_recipe, metrics_path, write_config
from tunebook.tools.torchtune.deep_checks import torchtune_checks
from tunebook.tools.torchtune.disk_space import checkpoint_bytes
from tunebook.tools.torchtune.edit_setup import set_values, smaller_batch
from tunebook.tools.torchtune.files import FINETUNE_CONFIG, FINETUNE_SCRIPT, SETUP
from tunebook.tools.torchtune.in_effect import setup_effects
from tunebook.tools.torchtune.models import TorchtuneModel, resolve_model
from tunebook.tools.torchtune.omegaconf_yaml import read_config
from tunebook.tools.torchtune.parameters import PLAN_PARAMETERS
from tunebook.tools.torchtune.planned_setup import planned_setup
from tunebook.tools.torchtune.reservations import recipe_warnings, saving_problems
from tunebook.tools.torchtune.results import TorchtuneResults
from tunebook.tools.torchtune.rules import broken_rules, model_rules, plan_rules, step_problems, unresolved_warmup
from tunebook.tools.torchtune.saving import reason_of_form, unloadable
from tunebook.tools.torchtune.setup import Setup
from tunebook.tools.torchtune.setup_file import differences, read_generated_setup, read_setup, write_setup
from tunebook.tools.torchtune.verify import setup_problems, verify_config
from tunebook.tools.training_inputs import input_findings

__all__ = ["TorchtuneTool"]


class TorchtuneTool(PreparationTool):
    """The preparation tool ``torchtune``."""

    name = "torchtune"
    short = "torchtune"
    package = Package("torchtune", "torchtune", "tunebook[torchtune]")
    files = (
        FileKind(SETUP, "configuration: edit this one"),
        FileKind(FINETUNE_CONFIG, "torchtune config"),
        FileKind(FINETUNE_SCRIPT, "SLURM script"),
    )
    editable = (SETUP,)
    parameters = PLAN_PARAMETERS
    results = TorchtuneResults()

    def rules(self, plan: Plan) -> tuple[Problem, ...]:
        """Problems for requests that torchtune's recipes cannot fulfil."""
        return plan_rules(plan)

    def check(self, context: Context) -> Findings:
        """Missing data (warnings), and contradictions between the plan and its files (errors)."""
        steps = tuple(step_problems(context.plan, context.datasets))
        return input_findings(context) + Findings(steps + saving_problems(context), recipe_warnings(context))

    def runs(self, plan: Plan) -> tuple[Run, ...]:
        """The fine-tuned runs."""
        return plan.fine_tuned

    def build(self, context: Context, run: Run) -> Unit:
        """One run's three files and its job."""
        planned, planned_model, setup = _setups(context, run)
        warnings = tuple(_deviations(planned, setup, run, _setup_path(context, run)))
        return _Derivation(context, run, setup).unit(write_setup(planned), planned, planned_model, warnings)

    def effects(self, context: Context, run: Run, unit: Unit) -> Sequence[Effect]:  # noqa: ARG002
        """Resolved defaults, numbers of steps, and what a person has edited."""
        planned, model, setup = _setups(context, run)
        file = _setup_path(context, run)
        written = context.plan.setting(run, "save")
        save_source = reason_of_form(context, setup, model)
        if written is not None:
            save_source = f"{context.plan.file}:{written.line}"
        if setup.saves_adapters != planned.saves_adapters:
            save_source = f"{file}, edited by hand"
        examples = _examples(context, setup)
        effects = setup_effects(
            planned, setup, examples=examples, site=context.site, file=file, save_source=save_source
        )
        return tuple(effects)

    def verify(self, context: Context, run: Run, unit: Unit, read: Callable[[str], str]) -> tuple[Problem, ...]:
        """Reads the run's files back and compares them with the plan, or with the setup that a person edited."""
        directory = context.directories[run.name]
        setup_path = f"{directory}/{SETUP}"
        config_path = f"{directory}/{FINETUNE_CONFIG}"
        try:
            setup = _setup_read_back(read(setup_path), unit, setup_path)
            values = read_config(read(config_path))
        except PlanError as error:
            return error.problems
        except (yaml.YAMLError, ValueError) as error:
            return (Problem(f"run `{run.name}`: cannot be read back: {error}", config_path),)
        problems: list[Problem] = []
        if setup_path not in context.edited:
            problems += setup_problems(context, run, setup)
        problems += verify_config(run, setup, values, config_path, _examples(context, setup))
        variables: dict[str, Shell] = {"config": str(context.experiment / config_path), "epochs": setup.epochs}
        script = read(f"{directory}/{FINETUNE_SCRIPT}")
        problems += script_problems(unit.jobs[0], script, variables, context.experiment)
        return tuple(problems)

    def first_example(self, context: Context, run: Run) -> Sequence[tuple[str, bool]]:
        """Rendered with the prompts of the setup in effect."""
        _, _, setup = _setups(context, run)
        facts = context.datasets.get(dataset_path(context.plan, run))
        model = context.models.get(model_path(context.plan, context.site, run))
        return first_example(facts, model, system_prompt=setup.system_prompt, prompt=setup.prompt)

    def deep_checks(self, context: Context, built: Sequence[tuple[Run, Unit]]) -> Sequence[DeepCheck]:
        """Proofs on shrunk models about the configurations that were generated."""
        return tuple(torchtune_checks(context, built))

    def manual_commands(self, scripts: Sequence[str]) -> tuple[str, ...]:
        """One loop over the runs' directories."""
        directories = " ".join(shlex.quote(str(PurePosixPath(script).parent)) for script in scripts)
        return (f'for dir in {directories}; do (cd "$dir" && sbatch {FINETUNE_SCRIPT}); done',)

    def model_size_b(self, name: str, facts: ModelFacts | None) -> float | None:
        """From the model's ``config.json``, or from the table of well-known models."""
        if config_of(name, facts) is None:
            return None
        return resolve_model(name, facts, lora=True).parameters_b

    def checkpoint_bytes(self, context: Context, run: Run) -> float | None:
        """From the form and precision of the checkpoints, and the model's dimensions."""
        return checkpoint_bytes(context, run)

    def download_command(self, repository: str, directory: str) -> str:
        """``tune download``."""
        return f"tune download {repository} --output-dir {directory}"

    def edit(self, text: str, assignments: Sequence[str], *, file: str, experiment: Path) -> str:
        """``setup_finetune.yaml`` with other values."""
        return set_values(text, assignments, file=file, experiment=experiment)

    def shrink(self, text: str, *, file: str) -> Shrunk | None:
        """At most half the batch, and more gradient accumulation, with the same product."""
        return smaller_batch(text, file=file)


def _setup_path(context: Context, run: Run) -> str:
    return f"{context.directories[run.name]}/{SETUP}"


def _setups(context: Context, run: Run) -> tuple[Setup, TorchtuneModel, Setup]:
    """The planned setup with its model, and the one that applies: the planned one, or a person's edited one."""
    path, file = model_path(context.plan, context.site, run), _setup_path(context, run)
    lora = trains_adapters(context.plan, run)
    try:
        model = resolve_model(run.model, context.models.get(path), lora=lora)
    except PlanError as error:
        listed = context.plan.model_of(run)
        line = listed.line if listed is not None else run.line
        raise PlanError([replace(item, file=context.plan.file, line=line) for item in error.problems]) from None
    planned = planned_setup(context, run, model)
    if file in context.edited:
        return planned, model, read_setup(context.edited[file], file=file)
    return planned, model, planned


def _setup_read_back(text: str, unit: Unit, file: str) -> Setup:
    """The setup on disk. An unedited one is read without checks, which saves seconds for a sweep."""
    if text == unit.files[0].text:
        generated = read_generated_setup(text)
        if generated is not None:
            return generated
    return read_setup(text, file=file)


@dataclass(frozen=True)
class _Derivation:
    """Turns the settings that apply to a run into its files and its job."""

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
        examples = _examples(self.context, self.setup)
        self._check(model, examples)
        values = config_values(self.setup, model, output=self.output, site=self.context.site, examples=examples)
        setup_path = f"{self.directory}/{SETUP}"
        files = (
            PlannedFile(setup_path, setup_text),
            PlannedFile(f"{self.directory}/{FINETUNE_CONFIG}", write_config(values, run=self.run.name)),
            PlannedFile(f"{self.directory}/{FINETUNE_SCRIPT}", self._script(), executable=True),
        )
        job = self.job
        checkpoints = dict(enumerate(job.checkpoints))
        settings = {"seed": self.setup.seed, "prompt": self.setup.prompt, "system_prompt": self.setup.system_prompt}
        settings |= {"dataset_path": self.setup.dataset_path, "dataset_type": self.setup.settings["dataset_type"]}
        settings |= {"epochs": self.setup.epochs, "precision": values["dtype"]}
        config = self.context.edited.get(setup_path, setup_text)
        base, rank = "", None
        if self.setup.saves_adapters:
            base, rank = str(values["checkpointer"]["checkpoint_dir"]), self.setup.lora_rank
        prepared = Prepared(job.name, checkpoints, config, MappingProxyType(settings), base, rank)
        return Unit(self.run.name, files, (job,), prepared=prepared, warnings=warnings)

    def _check(self, model: TorchtuneModel, examples: int | None) -> None:
        """The rules again, with facts that the plan alone does not give: the number of GPUs, the data, the model.

        Raises:
            PlanError: a setting cannot be honoured.
        """
        settings, file = self.setup.settings, f"{self.directory}/{SETUP}"
        broken = [
            *broken_rules(settings, examples=examples),
            *unresolved_warmup(settings, examples),
            *model_rules(settings, model),
        ]
        if broken:
            name = self.run.name
            raise PlanError([Problem(f"run `{name}`: {rule.message}", file, None, rule.hint) for rule in broken])
        problems = [replace(item, file=file, line=None) for item in unloadable(self.context, self.run, settings)]
        if problems:
            raise PlanError(problems)

    def _model(self) -> TorchtuneModel:
        """The model that an edited setup names, which may be another one than the plan's."""
        path = self.setup.model_checkpoint
        facts = read_model_facts(self.context.experiment / path)
        self._refuse_unusable(path, facts)
        return resolve_model(PurePosixPath(path).name, facts, lora=self.setup.lora_rank is not None)

    def _refuse_unusable(self, path: str, facts: ModelFacts | None) -> None:
        """Raises for a model of an edited setup that the job could not load."""
        file = f"{self.directory}/{SETUP}"
        if facts is None:
            return
        if facts.flaws:
            message = f"the model {path}"
            raise PlanError([Problem(f"{message} {flaw.message}", file, None, flaw.hint) for flaw in facts.flaws])
        if facts.directory != self.context.experiment / path:
            message = f"{path} is an entry of the Hugging Face cache"
            raise PlanError(message, file=file, hint=f"write the snapshot's directory: {facts.directory}")

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
            texts=self._texts(),
            data=(input_path(self.context.experiment, self.setup.dataset_path),),
            models=(input_path(self.context.experiment, self.setup.model_checkpoint),),
            metrics=str(metrics_path(self.output)),
            checkpoints=tuple(str(checkpoint(self.output, epoch)) for epoch in range(self.setup.epochs)),
            resources=self._resources(),
            pack=training_pack(self.context.plan, self.context.site, self.setup.gpus),
        )

    def _texts(self) -> tuple[str, ...]:
        """The files that decide what the training does; a recipe of a person's own is one of them if it is a file."""
        texts = [f"{self.directory}/{FINETUNE_CONFIG}", f"{self.directory}/{FINETUNE_SCRIPT}"]
        recipe = self.setup.custom_recipe
        if recipe and (self.context.experiment / recipe).is_file():
            texts.append(input_path(self.context.experiment, recipe))
        return tuple(texts)

    def _resources(self) -> Resources:
        setup, site = self.setup, self.context.site
        return Resources(
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


def _examples(context: Context, setup: Setup) -> int | None:
    """How many training examples there are, as the data set or else the plan says; ``None`` if neither does."""
    path, plan = setup.dataset_path, context.plan
    for name, found in context.datasets.items():
        if found and found.splits.get("train") and path == str(context.experiment / expanded(name)):
            return found.splits["train"]
    is_of_plan = plan.dataset and path == str(context.experiment / expanded(plan.dataset.path))
    return plan.dataset.splits.get("train") if plan.dataset and is_of_plan else None


def _adapter(setup: Setup) -> str:
    if setup.save_adapter_weights_only:
        return "only"
    return "stash" if setup.stash_adapter_weights else "keep"


def _deviations(planned: Setup, edited: Setup, run: Run, file: str) -> Iterator[Problem]:
    if edited is planned:
        return
    for key, (before, after) in differences(planned, edited).items():
        hint = f"your edit is kept, and {FINETUNE_CONFIG} follows it; --overwrite restores the plan's value"
        yield Problem(f"run `{run.name}`: {key} is {after!r} here and {before!r} in the plan", file, None, hint)
