"""``sft.yaml`` and ``accelerate.yaml``: from one run's settings to what the job and Accelerate's launcher read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunebook.tools.finetuning.rows import configured_values
from tunebook.tools.finetuning.setup import SETUP
from tunebook.tools.runtime.trl_keys import DATA, DATA_SETTINGS, OWN, OWN_SETTINGS, TRL_SETTINGS
from tunebook.tools.trl.files import ACCELERATE_CONFIG, SFT_CONFIG
from tunebook.tools.trl.parameters import SETUP_PARAMETERS, Trained
from tunebook.tools.yaml_text import yaml_sections

__all__ = ["accelerate_values", "processes", "sft_values", "write_accelerate", "write_sft"]

_CHECKPOINTING_FROM_B = 6.0  # activations of models above fit into 80 GB only when they are computed again
_ALL_WEIGHTS = {
    "use_peft": False,
    "lora_r": None,
    "lora_alpha": None,
    "lora_dropout": None,
    "lora_target_modules": None,
    "load_in_4bit": False,
    "bnb_4bit_quant_type": None,
    "use_bnb_nested_quant": False,
    f"{OWN}.save": None,
}
_SHARDED = {
    "fsdp_version": 2,
    "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
    "fsdp_reshard_after_forward": True,
    "fsdp_state_dict_type": "FULL_STATE_DICT",
    "fsdp_cpu_ram_efficient_loading": False,
    "fsdp_offload_params": False,
    "fsdp_activation_checkpointing": False,
}


def sft_values(training: Trained) -> dict[str, Any]:
    """Every key of ``sft.yaml``, by its dotted path and in the order of the file."""
    setup, model = training.setup, training.model
    entity = None
    if setup.values["my_wandb_project"] is not None:
        entity = training.context.site.wandb_entity or None
    given: dict[str, Any] = dict(_ALL_WEIGHTS)
    given |= configured_values(SETUP_PARAMETERS, training)
    given |= {
        f"{OWN}.wandb_entity": entity,
        "attn_implementation": model.attention,
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_epsilon": 1e-8,
        "gradient_checkpointing": setup.gpus > 0 and model.parameters_b >= _CHECKPOINTING_FROM_B,
    }
    keys = [setting.key for setting in TRL_SETTINGS]
    keys += [f"{DATA}.{setting.key}" for setting in DATA_SETTINGS]
    keys += [f"{OWN}.{setting.key}" for setting in OWN_SETTINGS]
    return {key: given[key] for key in keys}


def write_sft(values: Mapping[str, Any], *, run: str) -> str:
    """The text of ``sft.yaml``."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        section, _, key = path.rpartition(".")
        place = nested.setdefault(section, {}) if section else nested
        place[key] = list(value) if isinstance(value, tuple) else value
    header = f"# {SFT_CONFIG} of {run}: derived from {SETUP}; edit that one."
    return "\n".join([header, *yaml_sections(nested)]) + "\n"


def processes(training: Trained) -> int:
    """How many processes train: one for each GPU."""
    return max(1, training.setup.gpus)


def accelerate_values(training: Trained) -> dict[str, Any]:
    """Every key of ``accelerate.yaml``: one process, or one for each GPU; all weights are then sharded.

    Precisions are not Accelerate's: weights and adapters have their own.
    """
    setup = training.setup
    kind = "NO"
    if processes(training) > 1:
        kind = "FSDP" if setup.lora_rank is None else "MULTI_GPU"
    values: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "debug": False,
        "distributed_type": kind,
        "downcast_bf16": "no",
        "dynamo_config": {},
        "enable_cpu_affinity": False,
        "gpu_ids": "all",
        "machine_rank": 0,
        "main_process_port": 0,  # a free one: jobs may share a node
        "main_training_function": "main",
        "mixed_precision": "no",
        "num_machines": 1,
        "num_processes": processes(training),
        "rdzv_backend": "static",
        "same_network": True,
        "use_cpu": setup.gpus == 0,
    }
    if kind == "FSDP":
        values["fsdp_config"] = dict(_SHARDED)
    return values


def write_accelerate(values: Mapping[str, Any], *, run: str) -> str:
    """The text of ``accelerate.yaml``."""
    header = f"# {ACCELERATE_CONFIG} of {run}: derived from {SETUP}; edit that one."
    return "\n".join([header, *yaml_sections(values)]) + "\n"
