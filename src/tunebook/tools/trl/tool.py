"""The preparation tool ``trl``: ``sft.yaml``, ``accelerate.yaml`` and the job that trains with TRL's ``SFTTrainer``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tunebook.core.deep_checks import DeepCheck
from tunebook.core.jobs import Stage
from tunebook.core.parameters import Value
from tunebook.core.plan import Run
from tunebook.core.plan.settings import effective, trains_adapters
from tunebook.errors import PlanError, Problem
from tunebook.tools.base import Context, Effect, FileKind, Findings, Package, PlannedFile, Unit
from tunebook.tools.finetuning.disk_space import adapter_weights as weights_by_config
from tunebook.tools.finetuning.disk_space import checkpoint_size
from tunebook.tools.finetuning.in_effect import recipe_effect
from tunebook.tools.finetuning.rules import BrokenRule
from tunebook.tools.finetuning.saving import form_of_checkpoints, reason_of_evaluation
from tunebook.tools.finetuning.setup import SETUP, Setup
from tunebook.tools.finetuning.setup_file import SetupFile
from tunebook.tools.finetuning.tool import FinetuningTool
from tunebook.tools.finetuning.training import FINETUNE_SCRIPT
from tunebook.tools.finetuning.verify import verify_config
from tunebook.tools.job_script import Shell
from tunebook.tools.model_facts import ModelFacts
from tunebook.tools.model_inputs import config_of
from tunebook.tools.plan_inputs import model_path, planned_precision
from tunebook.tools.runtime.trl_keys import DATA, OWN
from tunebook.tools.runtime.trl_settings import read_settings
from tunebook.tools.trl.config import accelerate_values, processes, sft_values, write_accelerate, write_sft
from tunebook.tools.trl.deep_training import trl_checks
from tunebook.tools.trl.files import ACCELERATE_CONFIG, SFT_CONFIG
from tunebook.tools.trl.models import TrlModel, resolve_model
from tunebook.tools.trl.parameters import PLAN_PARAMETERS, SETUP_PARAMETERS, Trained
from tunebook.tools.trl.rules import STEP_RULES, broken_rules, model_problems, model_rules
from tunebook.tools.trl.targets import adapter_weights, module_names
from tunebook.tools.yaml_read import read_mapping

__all__ = ["SETUP_FILE", "TrlTool"]

SETUP_FILE = SetupFile(
    SETUP_PARAMETERS, Setup, broken_rules, f"{SFT_CONFIG}, {ACCELERATE_CONFIG} and {FINETUNE_SCRIPT}"
)
"""The form of TRL's ``setup_finetune.yaml``."""
_GROUP = Stage.PREPARATION.value


class TrlTool(FinetuningTool[Setup, TrlModel]):
    """The preparation tool ``trl``."""

    name = "trl"
    short = "trl"
    package = Package("trl", "trl", "tunebook[trl]")
    files = (
        FileKind(SETUP, "configuration: edit this one"),
        FileKind(SFT_CONFIG, "TRL config"),
        FileKind(ACCELERATE_CONFIG, "Accelerate config"),
        FileKind(FINETUNE_SCRIPT, "SLURM script"),
    )
    parameters = PLAN_PARAMETERS
    form = SETUP_FILE
    step_rules = STEP_RULES
    configurations = (SFT_CONFIG, ACCELERATE_CONFIG)
    body = "train_trl"

    def resolve(self, name: str, facts: ModelFacts | None, *, lora: bool) -> TrlModel:  # noqa: ARG002
        """Any causal language model of Transformers."""
        return resolve_model(name, facts)

    def reason_to_merge(self, context: Context, run: Run, model: TrlModel, setup: Setup | None = None) -> str:  # noqa: ARG002
        """Only an evaluation that loads whole models."""
        return reason_of_evaluation(context)

    def broken_rules(self, settings: Mapping[str, Value], examples: int | None = None) -> Iterator[BrokenRule]:
        """Settings that TRL's trainer cannot honour."""
        return broken_rules(settings, examples)

    def model_rules(self, settings: Mapping[str, Value], model: TrlModel) -> Iterator[BrokenRule]:
        """Modules that the model does not have."""
        return model_rules(settings, model)

    def check(self, context: Context) -> Findings:
        """What every tool checks, and settings that a run's model cannot honour."""
        return super().check(context) + Findings(model_problems(context))

    def config_files(self, training: Trained) -> tuple[PlannedFile, ...]:
        """``sft.yaml`` and ``accelerate.yaml``."""
        run = training.run.name
        return (
            PlannedFile(training.path(SFT_CONFIG), write_sft(sft_values(training), run=run)),
            PlannedFile(training.path(ACCELERATE_CONFIG), write_accelerate(accelerate_values(training), run=run)),
        )

    def config_problems(self, training: Trained, read: Callable[[str], str]) -> Sequence[Problem]:
        """Every value of both files, as the job and Accelerate read it."""
        path, launcher = training.path(SFT_CONFIG), training.path(ACCELERATE_CONFIG)
        found = read_settings(read(path), file=path)
        values = {**found.trl, DATA: found.data, OWN: found.own}
        problems = verify_config(training.run, sft_values(training), values, path)
        launched = read_mapping(read(launcher))
        if not isinstance(launched, dict):
            launched = {}
        return [*problems, *verify_config(training.run, accelerate_values(training), launched, launcher)]

    def variables(self, training: Trained) -> Mapping[str, Shell]:
        """The files that the job reads, and its launcher."""
        root = training.context.experiment
        return {
            "config": f"{root}/{training.path(SFT_CONFIG)}",
            "accelerate_config": f"{root}/{training.path(ACCELERATE_CONFIG)}",
            "processes": processes(training),
        }

    def own_effects(self, training: Trained) -> Sequence[Effect]:
        """The recipe, the names of the adapted modules, and the precision in which they are trained."""
        setup, model = training.setup, training.model
        targets = setup.values["lora_target_modules"]
        if setup.lora_rank is None or not isinstance(targets, tuple):
            return (recipe_effect(setup),)
        names = ", ".join(module_names(model, targets))
        effects = [
            recipe_effect(setup),
            Effect("modules", "Adapted Modules", names, f"names of the family {model.family}", _GROUP),
        ]
        kind = setup.values["quantization"]
        if kind is not None:
            value = f"base weights in {kind}, computed in {setup.precision}; evaluated in {setup.precision}"
            effects.append(Effect("quantized", "Training Precision", value, "follows from Quantization", _GROUP))
        return tuple(effects)

    def deep_checks(self, context: Context, built: Sequence[tuple[Run, Unit]]) -> Sequence[DeepCheck]:
        """Proofs on shrunk models about the settings that were generated."""
        return tuple(trl_checks(context, built))

    def model_size_b(self, name: str, facts: ModelFacts | None) -> float | None:
        """From the model's weights or its ``config.json``, or from the table of well-known models."""
        if config_of(name, facts) is None:
            return None
        return resolve_model(name, facts).parameters_b

    def checkpoint_bytes(self, context: Context, run: Run) -> float | None:
        """From the form and precision of the checkpoints, and the model's weights."""
        plan = context.plan
        facts = context.models.get(model_path(plan, context.site, run))
        try:
            model = resolve_model(run.model, facts)
            weights = _adapter_weights(context, run, model)
        except PlanError:
            return None
        return checkpoint_size(
            parameters_b=model.parameters_b,
            form=form_of_checkpoints(context, run, reason_of_evaluation(context)),
            precision=planned_precision(plan, context.site, run),
            adapter_weights=weights,
        )


def _adapter_weights(context: Context, run: Run, model: TrlModel) -> float:
    plan = context.plan
    if not trains_adapters(plan, run):
        return 0.0
    rank, targets = effective(plan, run, "lora_rank"), effective(plan, run, "lora_target_modules")
    if not model.shapes or not isinstance(rank, int) or not isinstance(targets, tuple):
        return weights_by_config(plan, run, model.config)
    return adapter_weights(model, module_names(model, targets), rank)
