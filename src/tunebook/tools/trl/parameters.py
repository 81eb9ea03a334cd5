"""TRL's rows of the parameter table: the keys of ``setup_finetune.yaml``, and their places in ``sft.yaml``."""

from __future__ import annotations

from dataclasses import replace

from tunebook.core.parameters import Kind, Parameter
from tunebook.tools.finetuning.recipes import RECIPE, STOCK_RECIPES
from tunebook.tools.finetuning.rows import ENVIRONMENT_ROWS, SAVE, Configured, SetupParameter, row
from tunebook.tools.finetuning.setup import Setup
from tunebook.tools.finetuning.steps import total_steps, warmup_of
from tunebook.tools.finetuning.training import Training
from tunebook.tools.trl.models import TrlModel
from tunebook.tools.trl.targets import module_names

__all__ = ["PLAN_PARAMETERS", "SETUP_PARAMETERS", "Trained"]

Trained = Training[Setup, TrlModel]
"""A training with TRL."""

_DTYPES = {"bf16": "bfloat16", "fp32": "float32"}
_SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
_OPTIMIZERS = {"adamw": "adamw_torch", "sgd": "sgd"}


def _wandb(training: Trained) -> Configured:
    project = training.setup.values["my_wandb_project"]
    return {"report_to": "none" if project is None else "wandb", "project": project}


def _model(training: Trained) -> Configured:
    return {"model_name_or_path": training.setup.model_checkpoint}


def _dataset(training: Trained) -> Configured:
    return {"data.path": training.setup.dataset_path}


def _rank(training: Trained) -> Configured:
    return {"use_peft": True, "lora_r": training.setup.lora_rank}


def _targets(training: Trained) -> Configured:
    targets = training.setup.values["lora_target_modules"]
    assert isinstance(targets, tuple)  # noqa: S101  the row is a list, and set where adapters are trained
    return {"lora_target_modules": module_names(training.model, targets)}


def _quantization(training: Trained) -> Configured:
    """4-bit weights as in QLoRA, with quantized constants."""
    kind = training.setup.values["quantization"]
    is_quantized = kind is not None
    return {"load_in_4bit": is_quantized, "bnb_4bit_quant_type": kind, "use_bnb_nested_quant": is_quantized}


def _save(training: Trained) -> Configured:
    return {"tunebook.save": training.setup.save}


def _optimizer(training: Trained) -> Configured:
    name = _OPTIMIZERS[training.setup.optimizer]
    if name == "adamw_torch" and training.setup.gpus:
        name = "adamw_torch_fused"
    return {"optim": name}


def _batch(training: Trained) -> Configured:
    size = training.setup.batch_size
    return {"per_device_train_batch_size": size, "per_device_eval_batch_size": size}


def _seed(training: Trained) -> Configured:
    return {"seed": training.setup.seed, "data_seed": training.setup.seed}


def _precision(training: Trained) -> Configured:
    return {"dtype": _DTYPES[training.setup.precision]}


def _clip(training: Trained) -> Configured:
    """TRL's word for no clipping is 0."""
    norm = training.setup.values["max_grad_norm"]
    return {"max_grad_norm": float(norm) if isinstance(norm, int | float) else 0.0}


def _scheduler(training: Trained) -> Configured:
    return {"lr_scheduler_type": _SCHEDULERS[training.setup.lr_scheduler]}


def _warmup(training: Trained) -> Configured:
    settings = training.setup.settings
    return {"warmup_steps": warmup_of(settings, total_steps(settings, training.examples))}


def _validation(training: Trained) -> Configured:
    every = training.setup.values["run_val_every_n_steps"]
    if every is None:
        return {"eval_strategy": "no", "eval_steps": None}
    if isinstance(every, int):
        return {"eval_strategy": "steps", "eval_steps": every}
    return {"eval_strategy": "epoch", "eval_steps": None}


def _output(training: Trained) -> Configured:
    return {"output_dir": training.output}


def _device(training: Trained) -> Configured:
    return {"use_cpu": training.setup.gpus == 0}


# In the order of the file.
SETUP_PARAMETERS = (
    row("my_wandb_project", configured=_wandb),
    row("my_wandb_run_name", place="run_name"),
    row("input_dir_base"),
    row("input_formatting"),
    row("dataset_label", configured=_dataset),
    row("dataset_ext"),
    row("dataset_type", place="data.dataset_type"),
    row("model_checkpoint", configured=_model),
    row("lora_rank", configured=_rank),
    row("lora_alpha", place="lora_alpha"),
    row("lora_dropout", place="lora_dropout"),
    row("lora_target_modules", choices=(), configured=_targets),  # the names of a model's own modules too
    SetupParameter(
        "quantization",
        "Quantization",
        Kind.TEXT,
        "quant",
        choices=("nf4",),
        lora_only=True,
        aliases=("qlora",),
        configured=_quantization,
        nullable=True,
    ),
    SetupParameter("save", "Save", Kind.TEXT, choices=SAVE.choices, lora_only=True, configured=_save, nullable=True),
    row("optimizer", choices=tuple(_OPTIMIZERS), configured=_optimizer),
    row("lr", place="learning_rate"),
    row("batch_size", configured=_batch),
    row("gradient_accumulation_steps", place="gradient_accumulation_steps"),
    row("epochs", place="num_train_epochs"),
    row("max_steps_per_epoch", place="tunebook.max_steps_per_epoch"),
    row("max_seq_len", place="max_length"),
    row("packed", place="data.packed"),
    row("seed", configured=_seed),
    row("precision", configured=_precision),
    row("weight_decay", place="weight_decay"),
    row("max_grad_norm", configured=_clip),
    row("lr_scheduler", configured=_scheduler),
    row("num_warmup_steps", configured=_warmup),
    row("warmup_ratio"),
    row("log_every_n_steps", place="logging_steps"),
    row("run_val_every_n_steps", configured=_validation),
    row("train_on_input", place="data.train_on_input"),
    row("system_prompt", place="data.system_prompt"),
    row("prompt", place="data.prompt"),
    row("output_dir_base", configured=_output),
    *ENVIRONMENT_ROWS,
    row("gpus", configured=_device),
    row("cpus"),
    row("mem"),
)

PLAN_PARAMETERS: tuple[Parameter, ...] = (
    replace(RECIPE, choices=STOCK_RECIPES),
    *(parameter for parameter in SETUP_PARAMETERS if parameter.column),
)
