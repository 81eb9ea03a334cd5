"""A run's TRL settings made small, so that its training can be compared with a plain loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunebook.core.deep_checks import DeepCheck
from tunebook.core.plan import Run
from tunebook.errors import Problem
from tunebook.tools.base import Context, Unit
from tunebook.tools.deep.plain_training import PlainSettings
from tunebook.tools.deep.shrunk import shrunk_config
from tunebook.tools.finetuning.deep_training import (
    EPOCHS,
    LR,
    RANK,
    SmallTraining,
    few_examples,
    model_config,
    sample_of,
    small_accumulation,
    small_batch,
    training_checks,
    unusable,
    without_path,
)
from tunebook.tools.runtime.trl_settings import Settings, read_settings
from tunebook.tools.trl.files import SFT_CONFIG

__all__ = ["trl_checks"]

_PACKAGES = ("torch", "trl", "peft", "transformers")
_WORKER = "tunebook.tools.trl.small_training"
_SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant_with_warmup": "constant"}


def trl_checks(context: Context, built: Sequence[tuple[Run, Unit]]) -> Iterator[DeepCheck]:
    """The checks of all runs; those of one shape have one key."""
    for run, unit in built:
        text = next(file.text for file in unit.files if file.path.endswith(f"/{SFT_CONFIG}"))
        yield from training_checks(_small_training(context, run, read_settings(text, file=SFT_CONFIG)))


def _small_training(context: Context, run: Run, settings: Settings) -> SmallTraining:
    data, tokenizer = str(settings.data["path"]), str(settings.model)
    batch = int(settings.trl["per_device_train_batch_size"])
    accumulation = int(settings.trl["gradient_accumulation_steps"])
    sample = sample_of(context, data)
    config, reason = _shrunk(model_config(context, run))
    reason = unusable(_PACKAGES, sample, data=data, tokenizer=tokenizer) or reason
    values: dict[str, Any] = {}
    if not reason:
        small = {"tokenizer": tokenizer, "examples": few_examples(sample, batch, accumulation)}
        values = _small_values(settings) | small
    return SmallTraining(
        run=run.name,
        model=run.model,
        place=Problem("", context.plan.file, run.line),
        reason=reason,
        worker=_WORKER,
        packages=_PACKAGES,
        config=config,
        values=values,
        decisive=_without_paths(values),
        plain=None if reason else _plain(values),
        batches=(small_batch(batch), small_accumulation(accumulation)),
        sample=sample,
        tokens={"settings": {"trl": settings.trl, "data": settings.data, "own": settings.own}},
        decisive_tokens={**without_path(settings.data), "max_length": settings.trl["max_length"]},
        tokenizer=settings.model,
        saved=settings.own["save"],
        precisions=(settings.precision, settings.saved_precision),
        checkpoint_values=_with_precision(values, settings),
        note=_left_out(settings),
    )


def _shrunk(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The shrunk ``config.json``, or why there is none."""
    try:
        return shrunk_config(config, shrinks_window=False).config, ""  # examples may be longer than a small window
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        return config, f"the model cannot be shrunk: its config.json lacks {error}"


def _small_values(settings: Settings) -> dict[str, Any]:
    """The run's settings with what a small training on a CPU needs; every other setting stays."""
    trl, data, own = dict(settings.trl), dict(settings.data), dict(settings.own)
    if settings.trains_adapters:
        ratio = float(trl["lora_alpha"]) / int(trl["lora_r"])
        trl |= {"lora_r": RANK, "lora_alpha": ratio * RANK, "lora_dropout": 0.0}
    size = small_batch(int(trl["per_device_train_batch_size"]))
    trl |= {
        "dtype": "float32",
        "load_in_4bit": False,
        "bnb_4bit_quant_type": None,
        "use_bnb_nested_quant": False,
        "seed": 1,
        "data_seed": 1,
        "num_train_epochs": EPOCHS,
        "per_device_train_batch_size": size,
        "per_device_eval_batch_size": size,
        "gradient_accumulation_steps": small_accumulation(int(trl["gradient_accumulation_steps"])),
        "learning_rate": LR,
        "warmup_steps": min(1, int(trl["warmup_steps"])),
        "logging_steps": 1,
        "report_to": "none",
        "project": None,
        "run_name": None,
        "use_cpu": True,
    }
    if trl["optim"] == "adamw_torch_fused":
        trl["optim"] = "adamw_torch"
    data["packed"] = False
    if own["max_steps_per_epoch"]:
        own["max_steps_per_epoch"] = 1
    return {"trl": trl, "data": data, "own": own}


def _with_precision(values: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
    """The small training in the precision of the run."""
    if not values:
        return {}
    return {**values, "trl": {**values["trl"], "dtype": settings.trl["dtype"]}}


def _without_paths(values: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the outcome: where the files lie does not."""
    if not values:
        return {}
    trl = {key: value for key, value in values["trl"].items() if key not in {"model_name_or_path", "output_dir"}}
    return {"trl": trl, "data": without_path(values["data"]), "own": values["own"], "examples": values["examples"]}


def _plain(values: Mapping[str, Any]) -> PlainSettings:
    """The settings of the reference."""
    trl, own = values["trl"], values["own"]
    return PlainSettings(
        batch=int(trl["per_device_train_batch_size"]),
        accumulation=int(trl["gradient_accumulation_steps"]),
        lr=LR,
        schedule=_SCHEDULES[trl["lr_scheduler_type"]],
        warmup=int(trl["warmup_steps"]),
        weight_decay=float(trl["weight_decay"]),
        clip=float(trl["max_grad_norm"]) or None,
        most_steps=int(own["max_steps_per_epoch"] or 0),
        rank=int(trl["lora_r"] or 0),
        alpha=float(trl["lora_alpha"] or 0.0),
        optimizer="SGD" if trl["optim"] == "sgd" else "AdamW",
    )


def _left_out(settings: Settings) -> str:
    """The parts that the small training leaves out, in words."""
    left_out = []
    if settings.data["packed"]:
        left_out.append("packing")
    if settings.trl["load_in_4bit"]:
        left_out.append("quantization")
    return f" (without {' and '.join(left_out)})" if left_out else ""
