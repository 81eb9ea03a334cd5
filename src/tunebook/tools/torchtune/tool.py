"""The preparation tool ``torchtune``: ``finetune.yaml`` and the job that trains with torchtune's recipes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tunebook.core.deep_checks import DeepCheck
from tunebook.core.jobs import Stage
from tunebook.core.parameters import Value
from tunebook.core.plan import Run
from tunebook.errors import Problem
from tunebook.tools.base import Context, Effect, FileKind, Findings, Package, PlannedFile, Unit
from tunebook.tools.finetuning.in_effect import recipe_effect
from tunebook.tools.finetuning.recipes import STOCK_RECIPES
from tunebook.tools.finetuning.rows import configured_values
from tunebook.tools.finetuning.rules import BrokenRule
from tunebook.tools.finetuning.setup import SETUP
from tunebook.tools.finetuning.setup_file import SetupFile
from tunebook.tools.finetuning.tool import FinetuningTool
from tunebook.tools.finetuning.training import FINETUNE_SCRIPT
from tunebook.tools.finetuning.verify import verify_config
from tunebook.tools.job_script import Shell, input_path
from tunebook.tools.model_facts import ModelFacts
from tunebook.tools.model_inputs import config_of
from tunebook.tools.torchtune.config import config_values, launched_recipe, write_config
from tunebook.tools.torchtune.deep_checks import torchtune_checks
from tunebook.tools.torchtune.disk_space import checkpoint_bytes
from tunebook.tools.torchtune.files import FINETUNE_CONFIG
from tunebook.tools.torchtune.models import TorchtuneModel, resolve_model
from tunebook.tools.torchtune.omegaconf_yaml import read_config
from tunebook.tools.torchtune.parameters import PLAN_PARAMETERS, SETUP_PARAMETERS, Trained
from tunebook.tools.torchtune.recipes import is_ours
from tunebook.tools.torchtune.reservations import recipe_warnings, saving_problems
from tunebook.tools.torchtune.results import TorchtuneResults
from tunebook.tools.torchtune.rules import STEP_RULES, broken_rules, model_rules
from tunebook.tools.torchtune.saving import planned_recipe, reason_to_merge
from tunebook.tools.torchtune.setup import TorchtuneSetup

__all__ = ["SETUP_FILE", "TorchtuneTool"]

SETUP_FILE = SetupFile(SETUP_PARAMETERS, TorchtuneSetup, broken_rules, f"{FINETUNE_CONFIG} and {FINETUNE_SCRIPT}")
"""The form of torchtune's ``setup_finetune.yaml``."""


class TorchtuneTool(FinetuningTool[TorchtuneSetup, TorchtuneModel]):
    """The preparation tool ``torchtune``."""

    name = "torchtune"
    short = "torchtune"
    package = Package("torchtune", "torchtune", "tunebook[torchtune]")
    files = (
        FileKind(SETUP, "configuration: edit this one"),
        FileKind(FINETUNE_CONFIG, "torchtune config"),
        FileKind(FINETUNE_SCRIPT, "SLURM script"),
    )
    parameters = PLAN_PARAMETERS
    results = TorchtuneResults()
    form = SETUP_FILE
    step_rules = STEP_RULES
    configurations = (FINETUNE_CONFIG,)
    body = "finetune"
    ignores_windows = True

    def resolve(self, name: str, facts: ModelFacts | None, *, lora: bool) -> TorchtuneModel:
        """The builder of the model."""
        return resolve_model(name, facts, lora=lora)

    def reason_to_merge(
        self, context: Context, run: Run, model: TorchtuneModel, setup: TorchtuneSetup | None = None
    ) -> str:
        """Recipes of torchtune or of a person's own, and models without a form in PEFT."""
        recipe = planned_recipe(context, run)
        if setup is not None:
            recipe = setup.recipe
        return reason_to_merge(context, recipe, model)

    def broken_rules(self, settings: Mapping[str, Value], examples: int | None = None) -> Iterator[BrokenRule]:
        """Settings that torchtune's recipes cannot honour."""
        return broken_rules(settings, examples)

    def model_rules(self, settings: Mapping[str, Value], model: TorchtuneModel) -> Iterator[BrokenRule]:
        """Settings that torchtune's builder of the model cannot honour."""
        return model_rules(settings, model)

    def check(self, context: Context) -> Findings:
        """What every tool checks, checkpoints that cannot be written, and what cannot be promised of a recipe."""
        return super().check(context) + Findings(saving_problems(context), recipe_warnings(context))

    def own_settings(self, settings: Mapping[str, Value]) -> Mapping[str, Value]:
        """The keys by which torchtune's recipes save, and a recipe of a person's own."""
        recipe = settings["recipe"]
        return {
            "save_adapter_weights_only": settings["save"] == "adapter",
            "stash_adapter_weights": True,
            "custom_recipe": None if recipe in STOCK_RECIPES else recipe,
        }

    def config_files(self, training: Trained) -> tuple[PlannedFile, ...]:
        """``finetune.yaml``."""
        text = write_config(config_values(training), run=training.run.name)
        return (PlannedFile(training.path(FINETUNE_CONFIG), text),)

    def config_problems(self, training: Trained, read: Callable[[str], str]) -> Sequence[Problem]:
        """Every value that the settings decide, as torchtune reads it."""
        path = training.path(FINETUNE_CONFIG)
        wanted = configured_values(SETUP_PARAMETERS, training)
        return verify_config(training.run, wanted, read_config(read(path)), path)

    def variables(self, training: Trained) -> Mapping[str, Shell]:
        """How the recipe is launched, and what is done with its checkpoints."""
        setup = training.setup
        launcher: list[str] = []
        if setup.gpus > 1:
            launcher = ["--nnodes", "1", "--nproc_per_node", str(setup.gpus)]
        return {
            "config": f"{training.context.experiment}/{training.path(FINETUNE_CONFIG)}",
            "output_directory": training.output,
            "recipe": launched_recipe(setup),
            "launcher": launcher,
            "epochs": setup.epochs,
            "adapter": _adapter(setup),
        }

    def more_texts(self, training: Trained) -> Sequence[str]:
        """A recipe of a person's own, if it is a file."""
        recipe, experiment = training.setup.custom_recipe, training.context.experiment
        if recipe and (experiment / recipe).is_file():
            return (input_path(experiment, recipe),)
        return ()

    def own_effects(self, training: Trained) -> Sequence[Effect]:
        """The recipe."""
        setup = training.setup
        if not setup.custom_recipe:
            return (recipe_effect(setup),)
        return (Effect("recipe", "Recipe", setup.recipe, "a recipe of your own", Stage.PREPARATION.value),)

    def precisions_saved(self, setup: TorchtuneSetup) -> tuple[str, str]:
        """Fp32 with tunebook's recipe, otherwise the precision of the base."""
        if is_ours(setup.recipe):
            return "fp32", "fp32"
        return setup.precision, setup.precision

    def drops_last(self, settings: Mapping[str, Value]) -> bool:
        """Only tunebook's recipe makes a step of an epoch's last examples."""
        return not is_ours(settings["recipe"])

    def own_paths(self, setup: TorchtuneSetup, given: Mapping[str, str]) -> Mapping[str, str]:
        """A recipe of a person's own that is a file."""
        if given.get("custom_recipe") and setup.custom_recipe.endswith(".py"):
            return {setup.custom_recipe: f"--set {given['custom_recipe']}: the recipe"}
        return {}

    def deep_checks(self, context: Context, built: Sequence[tuple[Run, Unit]]) -> Sequence[DeepCheck]:
        """Proofs on shrunk models about the configurations that were generated."""
        return tuple(torchtune_checks(context, built))

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


def _adapter(setup: TorchtuneSetup) -> str:
    if setup.save_adapter_weights_only:
        return "only"
    return "stash" if setup.stash_adapter_weights else "keep"
