"""``finetune.yaml``: from one run's settings to the configuration that a torchtune 0.6.1 recipe reads."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tunebook.core.quoting import escape_interpolation
from tunebook.tools.finetuning.rows import configured_values
from tunebook.tools.finetuning.setup import SETUP
from tunebook.tools.torchtune.files import FINETUNE_CONFIG
from tunebook.tools.torchtune.parameters import COMPONENTS, SETUP_PARAMETERS, Trained
from tunebook.tools.torchtune.recipes import is_ours
from tunebook.tools.torchtune.setup import TorchtuneSetup
from tunebook.tools.yaml_text import yaml_sections

__all__ = ["config_values", "launched_recipe", "write_config"]

_OUR_RECIPE = "tunebook.tools.runtime.torchtune_recipe"
_CHECKPOINTING_FROM_B = 6.0  # activations of models above fit into 80 GB only when they are computed again


def launched_recipe(setup: TorchtuneSetup) -> str:
    """The recipe as ``tune run`` takes it: torchtune's distributed ones by name, any other module as a path.

    A dotted name would lose its last part: torchtune 0.6.1 takes that for a file's extension.
    """
    module = setup.recipe
    if is_ours(module):
        module = _OUR_RECIPE
    elif not setup.custom_recipe:
        return module
    return module.replace(".", "/") + ".py"


def config_values(training: Trained) -> dict[str, Any]:
    """The configuration as plain values; a text in it is meant literally, with no interpolation."""
    values = _fixed_values(training)
    for path, value in configured_values(SETUP_PARAMETERS, training).items():
        *sections, name = _parts(path)
        place = values
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = list(value) if isinstance(value, tuple) else value
    if training.setup.is_validated:
        values["dataset_val"] = {**values["dataset"], "split": "validation", "packed": False}
    return values


@lru_cache(maxsize=1000)
def _parts(path: str) -> list[str]:
    """The parts of a dotted path, of which a sweep has the same few."""
    return path.split(".")


def _fixed_values(training: Trained) -> dict[str, Any]:
    """The values that no single setting decides. Sections that settings fill are empty here, to fix the order."""
    setup, output, model = training.setup, training.output, training.model
    on_gpu = setup.gpus > 0
    wandb_entity = None
    if setup.values["my_wandb_project"] is not None:
        wandb_entity = training.context.site.wandb_entity or None
    values: dict[str, Any] = {
        "output_dir": output,
        "shuffle": True,
        "device": "cuda" if on_gpu else "cpu",
        "tokenizer": {"_component_": f"{COMPONENTS}.chat_tokenizer"},
        "model": {"_component_": model.builder, **model.arguments},
        "checkpointer": {
            "_component_": "torchtune.training.FullModelHFCheckpointer",
            "checkpoint_files": list(model.checkpoint_files),
            "recipe_checkpoint": None,
            "output_dir": output,
            "model_type": model.model_type,
        },
        "resume_from_checkpoint": False,
        "dataset": {"_component_": f"{COMPONENTS}.dataset", "split": "train"},
        "optimizer": {},
        "lr_scheduler": {},
        "loss": {"_component_": "torchtune.modules.loss.CEWithChunkedOutputLoss"},
        "compile": False,
        "enable_activation_checkpointing": on_gpu and model.parameters_b >= _CHECKPOINTING_FROM_B,
        "enable_activation_offloading": False,
        "metric_logger": {
            "_component_": f"{COMPONENTS}.MetricsLogger",
            "path": training.metrics,
            "wandb_entity": wandb_entity,
        },
        "log_peak_memory_stats": on_gpu,
    }
    if setup.lora_rank is None:
        values["optimizer_in_bwd"] = False
    return values


def write_config(values: Mapping[str, Any], *, run: str) -> str:
    """The file's text; every text in it is escaped, so that OmegaConf takes it literally."""
    header = f"# {FINETUNE_CONFIG} of {run}: derived from {SETUP}; edit that one."
    return "\n".join([header, *yaml_sections(values, _escaped)]) + "\n"


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return escape_interpolation(value)
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value
