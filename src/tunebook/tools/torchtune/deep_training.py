"""A run's torchtune configuration made small, so that its training can be compared with a plain loop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebook.core.plan import Run
from tunebook.errors import Problem
from tunebook.tools.base import Context
from tunebook.tools.deep.plain_training import PlainSettings
from tunebook.tools.deep.shrunk import ShrunkConfig
from tunebook.tools.finetuning.deep_training import (
    EPOCHS,
    LR,
    RANK,
    SmallTraining,
    few_examples,
    sample_of,
    small_accumulation,
    small_batch,
    unusable,
    without_path,
)
from tunebook.tools.runtime.checkpoint_files import checkpoint_precision

__all__ = ["PACKAGES", "small_training"]

PACKAGES = ("torch", "torchtune", "transformers")
"""The libraries that compute."""
_WORKER = "tunebook.tools.torchtune.small_training"
_SCHEDULES = {
    "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup": "cosine",
    "tunebook.tools.runtime.torchtune_components.linear_schedule_with_warmup": "linear",
    "tunebook.tools.runtime.torchtune_components.constant_schedule_with_warmup": "constant",
}

Values = Mapping[str, Any]


def small_training(context: Context, run: Run, generated: Values, shrunk: ShrunkConfig, model: Values) -> SmallTraining:
    """The small training of a run.

    Args:
        generated: the run's torchtune configuration.
        model: the section of the shrunk model, with the run's settings of the adapters.
    """
    data, tokenizer = str(generated["dataset"]["path"]), str(generated["tokenizer"]["path"])
    sample = sample_of(context, data)
    batch, accumulation = int(generated["batch_size"]), int(generated["gradient_accumulation_steps"])
    reason = unusable(PACKAGES, sample, data=data, tokenizer=tokenizer) or _not_in_reference(generated)
    values: dict[str, Any] = {}
    if not reason:
        values = _small_values(generated, model) | {"examples": few_examples(sample, batch, accumulation)}
    saved = None
    if "lora_rank" in generated["model"]:
        saved = "adapter" if generated.get("save_adapter_weights_only") else "merged"
    return SmallTraining(
        run=run.name,
        model=run.model,
        place=Problem("", context.plan.file, run.line),
        reason=reason,
        worker=_WORKER,
        packages=PACKAGES,
        config=shrunk.config,
        values=values,
        decisive=_without_paths(values),
        plain=None if reason else _plain(values),
        batches=(small_batch(batch), small_accumulation(accumulation)),
        sample=sample,
        tokens={"tokenizer": generated["tokenizer"], "dataset": generated["dataset"]},
        decisive_tokens=without_path(generated["dataset"]),
        tokenizer=Path(tokenizer),
        saved=saved,
        precisions=(str(generated["dtype"]), checkpoint_precision(generated)),
        checkpoint_values={**values, "dtype": generated["dtype"]},
        note=" (without packing)" if generated["dataset"].get("packed") else "",
    )


def _not_in_reference(values: Values) -> str:
    """The part of a training that the plain loop lacks; empty if it has everything."""
    if "stock_recipe" not in values:
        return "the recipe is not tunebook's, which alone is compared"
    schedule, optimizer = values["lr_scheduler"], str(values["optimizer"]["_component_"])
    if set(schedule) - {"_component_", "num_warmup_steps"} or schedule.get("_component_") not in _SCHEDULES:
        return f"the reference has no schedule {schedule.get('_component_')}"
    if not optimizer.startswith("torch.optim."):
        return f"the reference has no optimizer {optimizer}"
    return ""


def _small_values(given: Values, model: Values) -> dict[str, Any]:
    """The run's configuration with what a small training on a CPU needs; every other setting stays."""
    values = {key: dict(value) if isinstance(value, Mapping) else value for key, value in given.items()}
    values["model"] = dict(model)
    if "lora_rank" in values["model"]:
        ratio = float(given["model"]["lora_alpha"]) / float(given["model"]["lora_rank"])
        values["model"] |= {"lora_rank": RANK, "lora_alpha": ratio * RANK, "lora_dropout": 0.0}
    values["tokenizer"] |= {"_component_": f"{_WORKER}.small_tokenizer"}
    values["optimizer"] |= {"lr": LR}
    values["optimizer"].pop("fused", None)
    values["dataset"] |= {"packed": False}
    values |= {
        "device": "cpu",
        "dtype": "fp32",
        "batch_size": small_batch(int(given["batch_size"])),
        "gradient_accumulation_steps": small_accumulation(int(given["gradient_accumulation_steps"])),
        "epochs": EPOCHS,
        "seed": 1,
        "compile": False,
        "enable_activation_offloading": False,
        "log_peak_memory_stats": False,
        "log_every_n_steps": 1,
    }
    if given.get("max_steps_per_epoch"):
        values["max_steps_per_epoch"] = 1
    if given["lr_scheduler"].get("num_warmup_steps"):
        values["lr_scheduler"]["num_warmup_steps"] = 1
    for name in ("wandb_project", "wandb_entity", "wandb_run_name"):
        values["metric_logger"].pop(name, None)
    return values


def _without_paths(values: Values) -> dict[str, Any]:
    """What decides the outcome: where the files lie does not."""
    if not values:
        return {}
    kept = {key: value for key, value in values.items() if key not in {"output_dir", "metric_logger", "tokenizer"}}
    kept["dataset"] = without_path(kept["dataset"])
    kept["checkpointer"] = {"model_type": kept["checkpointer"]["model_type"]}
    if "dataset_val" in kept:
        kept["dataset_val"] = without_path(kept["dataset_val"])
    return {**kept, "max_seq_len": values["tokenizer"].get("max_seq_len")}


def _plain(values: Values) -> PlainSettings:
    """The settings of the reference."""
    model, optimizer = values["model"], values["optimizer"]
    clip = values.get("clip_grad_norm")
    return PlainSettings(
        batch=int(values["batch_size"]),
        accumulation=int(values["gradient_accumulation_steps"]),
        lr=LR,
        schedule=_SCHEDULES[values["lr_scheduler"]["_component_"]],
        warmup=int(values["lr_scheduler"].get("num_warmup_steps") or 0),
        weight_decay=float(optimizer.get("weight_decay") or 0.0),
        clip=None if clip is None else float(clip),
        most_steps=int(values.get("max_steps_per_epoch") or 0),
        rank=int(model.get("lora_rank") or 0),
        alpha=float(model.get("lora_alpha") or 0.0),
        optimizer=str(optimizer["_component_"]).rpartition(".")[2],
    )
