"""The part of a preparation tool that every tool which fine-tunes has in common.

``setup_finetune.yaml`` comes from the plan; the tool's configuration and ``finetune.slurm`` are derived from it, also
after a person has edited it.
"""

from __future__ import annotations

import shlex
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Generic, Protocol, TypeVar

import yaml

from tunebook.core.jobs import Job
from tunebook.core.parameters import Value
from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import run_settings, trains_adapters
from tunebook.errors import PlanError, Problem
from tunebook.tools.base import Context, Effect, Findings, PlannedFile, PreparationTool, Shrunk, Unit
from tunebook.tools.finetuning.edit_setup import set_values, smaller_batch
from tunebook.tools.finetuning.in_effect import (
    edit_effects,
    precision_effects,
    saving_effects,
    site_effects,
    step_effects,
)
from tunebook.tools.finetuning.planned_setup import planned_settings
from tunebook.tools.finetuning.results import FinetuningResults
from tunebook.tools.finetuning.rules import BrokenRule, StepRules, plan_rules, step_problems
from tunebook.tools.finetuning.saving import bf16_warnings, form_of_checkpoints, reason_of_form, unloadable
from tunebook.tools.finetuning.setup import SETUP, Setup
from tunebook.tools.finetuning.setup_file import SetupFile
from tunebook.tools.finetuning.training import FINETUNE_SCRIPT, Training
from tunebook.tools.finetuning.verify import setup_problems
from tunebook.tools.job_script import Shell, script_problems
from tunebook.tools.model_facts import ModelFacts, read_model_facts
from tunebook.tools.plan_inputs import dataset_path, model_path
from tunebook.tools.rendered_inputs import first_example
from tunebook.tools.results import TrainingResults
from tunebook.tools.training_inputs import input_findings
from tunebook.tools.verified_values import values_digest

__all__ = ["FinetuningTool", "Model"]


class Model(Protocol):
    """A model as a tool trains it."""

    @property
    def parameters_b(self) -> float:
        """Billions of parameters; memory and time depend on it."""
        ...


S = TypeVar("S", bound=Setup)
M = TypeVar("M", bound=Model)


class FinetuningTool(PreparationTool, Generic[S, M]):
    """A tool that fine-tunes the runs of the plan; the abstract members are what a tool has of its own."""

    editable = (SETUP,)
    results: TrainingResults = FinetuningResults()
    form: SetupFile[S]
    """The form of the tool's setup file."""
    step_rules: StepRules
    """The rules on the number of optimizer steps."""
    configurations: tuple[str, ...]
    """The names of the files that the job reads, and that are derived from the setup."""
    body: str
    """The name of the shell commands of the job."""
    ignores_windows: bool = False
    """Whether trainings attend to all tokens, also where the model has a window: it is then the longest sequence."""

    @abstractmethod
    def resolve(self, name: str, facts: ModelFacts | None, *, lora: bool) -> M:
        """The model as the tool trains it.

        Raises:
            PlanError: it is not known, or the tool cannot train it.
        """

    @abstractmethod
    def reason_to_merge(self, context: Context, run: Run, model: M, setup: S | None = None) -> str:
        """Why checkpoints are merged weights by default; empty if they are adapters.

        Args:
            setup: the settings that apply, where they are known already.
        """

    @abstractmethod
    def broken_rules(self, settings: Mapping[str, Value], examples: int | None = None) -> Iterator[BrokenRule]:
        """The rules that settings, by key of the plan, break."""

    def model_rules(self, settings: Mapping[str, Value], model: M) -> Iterator[BrokenRule]:  # noqa: ARG002
        """The settings that this model cannot honour."""
        yield from ()

    def own_settings(self, settings: Mapping[str, Value]) -> Mapping[str, Value]:  # noqa: ARG002
        """The keys of the setup that only this tool has."""
        return {}

    @abstractmethod
    def config_files(self, training: Training[S, M]) -> tuple[PlannedFile, ...]:
        """The files that the job reads.

        Raises:
            PlanError: the settings cannot be honoured.
        """

    @abstractmethod
    def config_problems(self, training: Training[S, M], read: Callable[[str], str]) -> Sequence[Problem]:
        """How the files that the job reads, as they are on disk, differ from the settings.

        Raises:
            PlanError: a file cannot be read.
        """

    @abstractmethod
    def variables(self, training: Training[S, M]) -> Mapping[str, Shell]:
        """The variables of the job's script that are the tool's own."""

    def more_texts(self, training: Training[S, M]) -> Sequence[str]:  # noqa: ARG002
        """Further files that decide what the training does."""
        return ()

    @abstractmethod
    def own_effects(self, training: Training[S, M]) -> Sequence[Effect]:
        """Values that only this tool has."""

    def precisions_saved(self, setup: S) -> tuple[str, str]:  # noqa: ARG002
        """The precision of adapters, and that of merged weights."""
        return "fp32", "fp32"

    def drops_last(self, settings: Mapping[str, Value]) -> bool:  # noqa: ARG002
        """Whether a training drops an epoch's incomplete last step."""
        return False

    def own_paths(self, setup: S, given: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002
        """Further paths that ``--set`` names, each with what it is."""
        return {}

    def rules(self, plan: Plan) -> tuple[Problem, ...]:
        """Problems for requests that the tool cannot fulfil."""
        return plan_rules(plan, self.broken_rules)

    def check(self, context: Context) -> Findings:
        """Missing data (warnings), and contradictions between the plan and its files (errors)."""
        steps = tuple(step_problems(context.plan, context.datasets, self.step_rules))
        data = input_findings(context, ignores_windows=self.ignores_windows)
        return data + Findings(steps, bf16_warnings(context))

    def runs(self, plan: Plan) -> tuple[Run, ...]:
        """The fine-tuned runs."""
        return plan.fine_tuned

    def training(self, context: Context, run: Run, setup: S, model: M) -> Training[S, M]:
        """A run with the settings that apply to it, and their model."""
        return Training(context, run, setup, model, self.short)

    def build(self, context: Context, run: Run) -> Unit:
        """One run's files and its job."""
        planned, model, setup = self.setups(context, run)
        if setup is not planned:
            model = self._named_model(context, run, setup)
        training = self.training(context, run, setup, model)
        self._refuse(training)
        setup_path, text = training.path(SETUP), self.form.write(planned)
        job = self._job(training)
        variables = self.variables(training)
        script = training.script(job, variables, self.body)
        files = (PlannedFile(setup_path, text), *self.config_files(training), script)
        prepared = training.prepared(job, context.edited.get(setup_path, text))
        warnings = tuple(self._deviations(planned, training))
        values = self._verified_values(training, job, variables)
        return Unit(run.name, files, (job,), prepared=prepared, warnings=warnings, values=values)

    def _verified_values(self, training: Training[S, M], job: Job, variables: Mapping[str, Shell]) -> str:
        """A digest of everything beside texts that :meth:`verify` depends on."""
        context, setup = training.context, training.setup
        model = context.memo.once_of("model", training.model, lambda: values_digest(training.model))
        of_plan = run_settings(context.plan, training.run)
        return values_digest(setup.values, model, training.examples, of_plan, job, variables, context.site.wandb_entity)

    def _job(self, training: Training[S, M]) -> Job:
        texts = [training.path(name) for name in (*self.configurations, FINETUNE_SCRIPT)]
        return training.job([*texts, *self.more_texts(training)])

    def setups(self, context: Context, run: Run) -> tuple[S, M, S]:
        """The planned setup with its model, and the one that applies: the planned one, or a person's edited one."""
        model = self.model_of(context, run)
        save = form_of_checkpoints(context, run, self.reason_to_merge(context, run, model))
        settings = planned_settings(context, run, parameters_b=model.parameters_b, save=save)
        planned = self.form.made({**settings, **self.own_settings(settings)})
        file = f"{context.directories[run.name]}/{SETUP}"
        if file in context.edited:
            return planned, model, self.form.read(context.edited[file], file=file)
        return planned, model, planned

    def model_of(self, context: Context, run: Run) -> M:
        """The model of a run of the plan."""
        path = model_path(context.plan, context.site, run)
        lora = trains_adapters(context.plan, run)
        try:
            key = ("model", self.short, run.model, path, lora)
            return context.memo.once(key, lambda: self.resolve(run.model, context.models.get(path), lora=lora))
        except PlanError as error:
            listed = context.plan.model_of(run)
            line = listed.line if listed is not None else run.line
            raise PlanError([replace(item, file=context.plan.file, line=line) for item in error.problems]) from None

    def _named_model(self, context: Context, run: Run, setup: S) -> M:
        """The model that an edited setup names, which may be another one than the plan's."""
        path, experiment = setup.model_checkpoint, context.experiment
        file = f"{context.directories[run.name]}/{SETUP}"
        facts = read_model_facts(experiment / path)
        if facts is not None and facts.flaws:
            message = f"the model {path}"
            raise PlanError([Problem(f"{message} {flaw.message}", file, None, flaw.hint) for flaw in facts.flaws])
        if facts is not None and facts.directory != experiment / path:
            message = f"{path} is an entry of the Hugging Face cache"
            raise PlanError(message, file=file, hint=f"write the snapshot's directory: {facts.directory}")
        return self.resolve(PurePosixPath(path).name, facts, lora=setup.lora_rank is not None)

    def _refuse(self, training: Training[S, M]) -> None:
        """The rules again, with facts that the plan alone does not give: the number of GPUs, the data, the model.

        Raises:
            PlanError: a setting cannot be honoured.
        """
        settings, file, name = training.setup.settings, training.path(SETUP), training.run.name
        broken = [
            *self.broken_rules(settings, training.examples),
            *self.step_rules.unresolved_warmup(settings, training.examples),
            *self.model_rules(settings, training.model),
        ]
        if broken:
            raise PlanError([Problem(f"run `{name}`: {rule.message}", file, None, rule.hint) for rule in broken])
        found = unloadable(training.context, training.run, settings)
        problems = [replace(item, file=file, line=None) for item in found]
        if problems:
            raise PlanError(problems)

    def _deviations(self, planned: S, training: Training[S, M]) -> Iterator[Problem]:
        if training.setup is planned:
            return
        run, file, derived = training.run, training.path(SETUP), self.configurations[0]
        for key, (before, after) in self.form.differences(planned, training.setup).items():
            hint = f"your edit is kept, and {derived} follows it; --overwrite restores the plan's value"
            yield Problem(f"run `{run.name}`: {key} is {after!r} here and {before!r} in the plan", file, None, hint)

    def effects(self, context: Context, run: Run, unit: Unit) -> Sequence[Effect]:  # noqa: ARG002
        """Resolved defaults, numbers of steps, and what a person has edited."""
        planned, model, setup = self.setups(context, run)
        training = self.training(context, run, setup, model)
        written = context.plan.setting(run, "save")
        source = reason_of_form(self.reason_to_merge(context, run, model, setup))
        if written is not None:
            source = f"{context.plan.file}:{written.line}"
        if setup.saves_adapters != planned.saves_adapters:
            source = f"{training.path(SETUP)}, edited by hand"
        adapters, merged = self.precisions_saved(setup)
        return (
            *precision_effects(setup),
            *self.own_effects(training),
            *saving_effects(setup, adapters=adapters, merged=merged, source=source),
            *step_effects(setup, training.examples, drops_last=self.drops_last(setup.settings)),
            *site_effects(setup, context.site),
            *edit_effects(self.form, planned, setup, file=training.path(SETUP)),
        )

    def verify(self, context: Context, run: Run, unit: Unit, read: Callable[[str], str]) -> tuple[Problem, ...]:
        """Reads the run's files back and compares them with the plan, or with the setup that a person edited."""
        directory = context.directories[run.name]
        setup_path = f"{directory}/{SETUP}"
        problems: list[Problem] = []
        try:
            setup = self._read_back(read(setup_path), unit, setup_path)
            if setup_path in context.edited:
                model = self._named_model(context, run, setup)
            else:
                model = self.model_of(context, run)
            training = self.training(context, run, setup, model)
            if setup_path not in context.edited:
                problems += setup_problems(context, run, self.form.rows, setup)
            problems += self.config_problems(training, read)
        except PlanError as error:
            return error.problems
        except (yaml.YAMLError, ValueError) as error:
            file = f"{directory}/{self.configurations[0]}"
            return (Problem(f"run `{run.name}`: cannot be read back: {error}", file),)
        job = unit.jobs[0]
        problems += script_problems(job, read(job.script), self.variables(training), context.experiment)
        return tuple(problems)

    def _read_back(self, text: str, unit: Unit, file: str) -> S:
        """The setup on disk. An unedited one is read without checks, which saves seconds for a sweep."""
        if text == unit.files[0].text:
            generated = self.form.read_generated(text)
            if generated is not None:
                return generated
        return self.form.read(text, file=file)

    def first_example(self, context: Context, run: Run) -> Sequence[tuple[str, bool]]:
        """Rendered with the prompts of the setup in effect."""
        _, _, setup = self.setups(context, run)
        facts = context.datasets.get(dataset_path(context.plan, run))
        model = context.models.get(model_path(context.plan, context.site, run))
        return first_example(facts, model, system_prompt=setup.system_prompt, prompt=setup.prompt)

    def manual_commands(self, scripts: Sequence[str]) -> tuple[str, ...]:
        """One loop over the runs' directories."""
        directories = " ".join(shlex.quote(str(PurePosixPath(script).parent)) for script in scripts)
        return (f'for dir in {directories}; do (cd "$dir" && sbatch {FINETUNE_SCRIPT}); done',)

    def edit(self, text: str, assignments: Sequence[str], *, file: str, experiment: Path) -> str:
        """``setup_finetune.yaml`` with other values."""
        return set_values(self.form, text, assignments, file=file, experiment=experiment, own_paths=self.own_paths)

    def shrink(self, text: str, *, file: str) -> Shrunk | None:
        """At most half the batch, and more gradient accumulation, with the same product."""
        return smaller_batch(self.form, text, file=file)
