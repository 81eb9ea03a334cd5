"""torchtune's rows of the parameter table: each key of ``setup_finetune.yaml``, and where it is in ``finetune.yaml``.

A row decides everything about its key: how the plan gives it, how the setup file is written, read and checked, what
``setup-finetune --set`` accepts, and which values of ``finetune.yaml`` follow and are compared when it is read back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from tunebook.core.parameters import Kind, Parameter, Value
from tunebook.core.shared_parameters import SHARED_PARAMETERS
from tunebook.tools.torchtune.recipes import STOCK_RECIPES, is_ours, recipe_trains_adapters
from tunebook.tools.torchtune.setup import Setup
from tunebook.tools.torchtune.steps import warmup_steps

__all__ = ["PLAN_PARAMETERS", "SETUP_PARAMETERS", "SetupParameter", "configured_values"]

COMPONENTS = "tunebook.tools.runtime.torchtune_components"
_SCHEDULERS = {
    "cosine": "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup",
    "linear": f"{COMPONENTS}.linear_schedule_with_warmup",
    "constant": f"{COMPONENTS}.constant_schedule_with_warmup",
}
_OPTIMIZERS = {"adamw": "torch.optim.AdamW", "adam": "torch.optim.Adam", "sgd": "torch.optim.SGD"}
_ATTENTION = ("q_proj", "k_proj", "v_proj", "output_proj")

Configured = Mapping[str, Value]
"""Dotted path in ``finetune.yaml`` to the value there."""


@dataclass(frozen=True)
class SetupParameter(Parameter):
    """A key of ``setup_finetune.yaml``; without a column it comes from the site settings or from paths of the plan.

    Attributes:
        place: the dotted path of the value in ``finetune.yaml``; empty if it is not there as it is.
        configured: for a value that is not copied: the settings and the number of training examples (``None`` if it is
            not known) to values of ``finetune.yaml``.
        nullable: whether it may be unset.
        heading: a comment above the key.
    """

    place: str = ""
    configured: Callable[[Setup, int | None], Configured] | None = None
    nullable: bool = False
    heading: str = ""

    def in_config(self, setup: Setup, examples: int | None) -> Configured:
        """The values of ``finetune.yaml`` that this key decides."""
        if self.lora_only and setup.lora_rank is None:
            return {}
        if self.configured is not None:
            return self.configured(setup, examples)
        value = setup.values[self.key]
        if self.kind is Kind.NUMBER and isinstance(value, int):
            value = float(value)
        if not self.place:
            return {}
        return {self.place: value}


def configured_values(setup: Setup, examples: int | None) -> Configured:
    """Every value of ``finetune.yaml`` that a key of the settings decides."""
    values: dict[str, Value] = {}
    for parameter in SETUP_PARAMETERS:
        values |= parameter.in_config(setup, examples)
    return values


def _shared(key: str, **own: Any) -> SetupParameter:
    """The shared row of this key with torchtune's columns."""
    row = SHARED_PARAMETERS.by_key(key)
    columns = {item.name: getattr(row, item.name) for item in fields(row)}
    return SetupParameter(**(columns | own))


def _site(key: str, kind: Kind = Kind.TEXT, **own: Any) -> SetupParameter:
    """A key that no column of the plan gives."""
    return SetupParameter(key, "", kind, **own)


def _targets(setup: Setup, _: int | None) -> Configured:
    targets = setup.values["lora_target_modules"] or ()
    assert isinstance(targets, tuple)  # noqa: S101  the row is a list
    values: dict[str, Value] = {
        "model.lora_attn_modules": tuple(name for name in targets if name in _ATTENTION),
        "model.apply_lora_to_mlp": "mlp" in targets,
    }
    if "output" in targets:  # not every builder of torchtune has this argument, and none needs it to be false
        values["model.apply_lora_to_output"] = True
    return values


def _precision(setup: Setup, _: int | None) -> Configured:
    given = setup.values["precision"]
    return {"dtype": given or ("bf16" if setup.gpus else "fp32")}


def _optimizer(setup: Setup, _: int | None) -> Configured:
    return {"optimizer._component_": _OPTIMIZERS[setup.optimizer], "optimizer.fused": setup.gpus > 0}


def _scheduler(setup: Setup, _: int | None) -> Configured:
    return {"lr_scheduler._component_": _SCHEDULERS[setup.lr_scheduler]}


def _warmup(setup: Setup, examples: int | None) -> Configured:
    return {"lr_scheduler.num_warmup_steps": warmup_steps(setup.settings, examples)}


def _validation(setup: Setup, _: int | None) -> Configured:
    """Only tunebook's recipe reads this; ``null`` there is once after every epoch."""
    every = setup.values["run_val_every_n_steps"]
    if every is None:
        return {}
    return {"run_val_every_n_steps": every if isinstance(every, int) else None}


def _recipe(setup: Setup, _: int | None) -> Configured:
    """The recipe of torchtune in whose place tunebook's runs."""
    return {"stock_recipe": setup.recipe} if is_ours(setup.recipe) else {}


def _adapters_only(setup: Setup, _: int | None) -> Configured:
    if setup.lora_rank is None:
        return {}
    return {"save_adapter_weights_only": setup.save_adapter_weights_only}


def _stash(setup: Setup, _: int | None) -> Configured:
    """Only tunebook's recipe reads this; the job moves what other recipes leave beside merged weights."""
    if setup.lora_rank is None or setup.saves_adapters or not is_ours(setup.recipe):
        return {}
    return {"stash_adapter_weights": setup.stash_adapter_weights}


def _model(setup: Setup, _: int | None) -> Configured:
    return {"checkpointer.checkpoint_dir": setup.model_checkpoint, "tokenizer.path": setup.model_checkpoint}


def _dataset(setup: Setup, _: int | None) -> Configured:
    return {"dataset.path": setup.dataset_path}


# In the order of the file.
SETUP_PARAMETERS = (
    _site(
        "my_wandb_project",
        place="metric_logger.wandb_project",
        nullable=True,
        heading="Weights & Biases: unset project means metrics.jsonl only",
    ),
    _site("my_wandb_run_name", place="metric_logger.wandb_run_name", nullable=True),
    # The file is dataset_label + dataset_ext, in the folder input_formatting of input_dir_base if that is set.
    _site("input_dir_base", heading="Data"),
    _site("input_formatting"),
    _site("dataset_label", configured=_dataset),
    _site("dataset_ext"),
    SetupParameter(
        "dataset_type",
        "Dataset Type",
        Kind.TEXT,
        choices=("instruct", "chat", "text_completion"),
        default="instruct",
        place="dataset.dataset_type",
    ),
    _site("model_checkpoint", configured=_model, heading="Model and adapters: lora_rank unset trains all weights"),
    _shared("lora_rank", place="model.lora_rank", nullable=True),
    _shared("lora_alpha", place="model.lora_alpha", nullable=True),
    _shared("lora_dropout", place="model.lora_dropout", nullable=True),
    SetupParameter(
        "lora_target_modules",
        "LoRA Target Modules",
        Kind.LIST,
        "targets",
        choices=(*_ATTENTION, "mlp", "output"),
        default=("q_proj", "v_proj", "output_proj", "mlp"),
        lora_only=True,
        aliases=("target modules", "lora targets"),
        configured=_targets,
        nullable=True,
    ),
    SetupParameter(
        "optimizer",
        "Optimizer",
        Kind.TEXT,
        "optim",
        choices=tuple(_OPTIMIZERS),
        default="adamw",
        configured=_optimizer,
        heading="Training",
    ),
    _shared("lr", place="optimizer.lr"),
    _shared("batch_size", place="batch_size"),
    _shared("gradient_accumulation_steps", place="gradient_accumulation_steps"),
    _shared("epochs", place="epochs"),
    SetupParameter(
        "max_steps_per_epoch",
        "Max Steps Per Epoch",
        Kind.INTEGER,
        minimum=1,
        place="max_steps_per_epoch",
        nullable=True,
    ),
    _shared("max_seq_len", place="tokenizer.max_seq_len", nullable=True),
    SetupParameter(
        "packed",
        "Dataset Packing",
        Kind.FLAG,
        default=False,
        aliases=("packing", "packed"),
        is_shown=True,
        place="dataset.packed",
    ),
    _shared("seed", place="seed"),
    _shared("precision", configured=_precision, nullable=True),
    _shared("weight_decay", place="optimizer.weight_decay"),
    SetupParameter(
        "max_grad_norm",
        "Max Gradient Norm",
        Kind.NUMBER,
        "clip",
        minimum=0,
        above_minimum=True,
        aliases=("max grad norm", "gradient clipping"),
        place="clip_grad_norm",
        nullable=True,
    ),
    _shared("lr_scheduler", configured=_scheduler),
    _shared("num_warmup_steps", configured=_warmup),
    SetupParameter(
        "warmup_ratio",
        "Warmup Ratio",
        Kind.NUMBER,
        "wratio",
        minimum=0,
        below=1,
        aliases=("warm-up ratio",),
        nullable=True,  # it reaches finetune.yaml as a number of steps
    ),
    SetupParameter(
        "log_every_n_steps", "Log Every N Steps", Kind.INTEGER, minimum=1, default=1, place="log_every_n_steps"
    ),
    _shared("run_val_every_n_steps", configured=_validation, nullable=True),
    # The plan's Save decides both. Beside merged weights, an adapter would be applied twice.
    _site("save_adapter_weights_only", Kind.FLAG, configured=_adapters_only),
    _site("stash_adapter_weights", Kind.FLAG, configured=_stash),
    SetupParameter("train_on_input", "Train On Input", Kind.FLAG, default=False, place="dataset.train_on_input"),
    _shared("system_prompt", place="dataset.system_prompt", heading="Prompts: evaluation takes the same"),
    _shared("prompt", place="dataset.prompt"),
    _site("output_dir_base", heading="Where and how it runs"),
    _site("conda_env"),
    _site("venv"),
    _site("modules", Kind.LIST),
    _site("account"),
    _site("partition"),
    _site("constraint"),
    _site("qos"),
    _site("time"),
    _shared("gpus"),
    _site("cpus", Kind.INTEGER, minimum=1),
    _site("mem"),
    _site("custom_recipe", nullable=True, configured=_recipe),
)

PLAN_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "recipe",
        "Recipe",
        Kind.TEXT,
        default=STOCK_RECIPES[0],
        trains_adapters=recipe_trains_adapters,
        is_shown=True,
    ),
    Parameter("save", "Save", Kind.TEXT, choices=("adapter", "merged"), lora_only=True),
    *(parameter for parameter in SETUP_PARAMETERS if parameter.column),
)
