"""``finetune.yaml``: from one run's settings to the configuration that a torchtune 0.6.1 recipe reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebook.core.paths import METRICS
from tunebook.core.quoting import escape_interpolation
from tunebook.core.site import Site
from tunebook.tools.torchtune.files import FINETUNE_CONFIG, SETUP
from tunebook.tools.torchtune.models import TorchtuneModel
from tunebook.tools.torchtune.setup_file import Setup
from tunebook.tools.yaml_text import yaml_lines

__all__ = ["VALIDATING_RECIPE", "config_values", "launched_recipe", "metrics_path", "write_config"]

_COMPONENTS = "tunebook.tools.runtime.torchtune_components"
VALIDATING_RECIPE = "tunebook.tools.runtime.torchtune_recipe"
_SCHEDULERS = {
    "cosine": "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup",
    "linear": f"{_COMPONENTS}.linear_schedule_with_warmup",
    "constant": f"{_COMPONENTS}.constant_schedule_with_warmup",
}
_CHECKPOINTING_FROM_B = 6.0  # activations of models above fit into 80 GB only when they are computed again


def launched_recipe(setup: Setup) -> str:
    """What ``tune run`` is given: torchtune's own recipe by name, any other module as the path that it wants.

    Where validation is wanted, that is our recipe around torchtune's. (A dotted name would lose its last part:
    torchtune 0.6.1 takes it for a file's extension.)
    """
    module = setup.custom_recipe or (VALIDATING_RECIPE if setup.run_val_every_n_steps is not None else None)
    return module.replace(".", "/") + ".py" if module else setup.recipe


def metrics_path(output: Path) -> Path:
    """Where training writes its metrics."""
    return output / METRICS


def config_values(setup: Setup, model: TorchtuneModel, *, output: Path, site: Site) -> dict[str, Any]:
    """The configuration as plain values: no interpolation but torchtune's own is meant in any of them."""
    on_gpu = setup.gpus > 0
    recompute = on_gpu and model.parameters_b >= _CHECKPOINTING_FROM_B
    values: dict[str, Any] = {
        "output_dir": str(output),
        "seed": setup.seed,
        "shuffle": True,
        "device": "cuda" if on_gpu else "cpu",
        "dtype": "bf16" if on_gpu else "fp32",
        "tokenizer": {
            "_component_": f"{_COMPONENTS}.chat_tokenizer",
            "path": setup.model_checkpoint,
            "max_seq_len": setup.max_seq_len,
        },
        "model": _model(setup, model),
        "checkpointer": {
            "_component_": "torchtune.training.FullModelHFCheckpointer",
            "checkpoint_dir": setup.model_checkpoint,
            "checkpoint_files": list(model.checkpoint_files),
            "recipe_checkpoint": None,
            "output_dir": str(output),
            "model_type": model.model_type,
        },
        "resume_from_checkpoint": False,
        "dataset": _dataset(setup, "train", packed=setup.packed),
        "batch_size": setup.batch_size,
        "epochs": setup.epochs,
        "max_steps_per_epoch": setup.max_steps_per_epoch,
        "gradient_accumulation_steps": setup.gradient_accumulation_steps,
        "optimizer": {
            "_component_": "torch.optim.AdamW",
            "fused": on_gpu,
            "lr": float(setup.lr),
            "weight_decay": float(setup.weight_decay),
        },
        "lr_scheduler": {"_component_": _SCHEDULERS[setup.lr_scheduler], "num_warmup_steps": setup.num_warmup_steps},
        "loss": {"_component_": "torchtune.modules.loss.CEWithChunkedOutputLoss"},
        "clip_grad_norm": None,
        "compile": False,
        "enable_activation_checkpointing": recompute,
        "enable_activation_offloading": False,
        "metric_logger": _metric_logger(setup, output, site),
        "log_every_n_steps": setup.log_every_n_steps,
        "log_peak_memory_stats": on_gpu,
    }
    return values | _of_recipe(setup)


def _model(setup: Setup, model: TorchtuneModel) -> dict[str, Any]:
    values = {"_component_": model.builder, **dict(model.arguments)}
    if setup.lora_rank is None:
        return values
    return values | {
        "lora_attn_modules": list(model.lora_attn_modules),
        "apply_lora_to_mlp": model.apply_lora_to_mlp,
        "lora_rank": setup.lora_rank,
        "lora_alpha": setup.lora_alpha,
        "lora_dropout": float(setup.lora_dropout or 0.0),
    }


def _dataset(setup: Setup, split: str, *, packed: bool) -> dict[str, Any]:
    return {
        "_component_": f"{_COMPONENTS}.dataset",
        "path": setup.dataset_path,
        "split": split,
        "dataset_type": setup.dataset_type,
        "system_prompt": setup.system_prompt,
        "prompt": setup.prompt,
        "train_on_input": setup.train_on_input,
        "packed": packed,
    }


def _metric_logger(setup: Setup, output: Path, site: Site) -> dict[str, Any]:
    return {
        "_component_": f"{_COMPONENTS}.MetricsLogger",
        "path": str(metrics_path(output)),
        "wandb_project": setup.my_wandb_project,
        "wandb_entity": site.wandb_entity or None if setup.my_wandb_project else None,
        "wandb_run_name": setup.my_wandb_run_name,
    }


def _of_recipe(setup: Setup) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if setup.lora_rank is None:
        values["optimizer_in_bwd"] = False
    else:
        values["save_adapter_weights_only"] = setup.save_adapter_weights_only
    if setup.run_val_every_n_steps is not None:
        every = setup.run_val_every_n_steps if isinstance(setup.run_val_every_n_steps, int) else None
        values["stock_recipe"] = setup.recipe
        values["run_val_every_n_steps"] = every
        values["dataset_val"] = _dataset(setup, "validation", packed=False)
    return values


def write_config(values: Mapping[str, Any], *, run: str) -> str:
    """The file's text; every text in it is escaped so that OmegaConf resolves nothing in it."""
    header = f"# {FINETUNE_CONFIG} of {run}: derived from {SETUP}; edit that one."
    return "\n".join([header, *yaml_lines(_escaped(values))]) + "\n"


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return escape_interpolation(value)
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    return [_escaped(item) for item in value] if isinstance(value, list) else value
