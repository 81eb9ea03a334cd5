"""The rows of the parameter table that tools which fine-tune share: the keys of ``setup_finetune.yaml``.

A row decides everything about its key: how the plan gives it, how the setup file is written, read and checked, what
``setup-finetune --set`` accepts, and which values of the tool's configuration follow and are compared when it is read
back. The tool gives a value its place in the configuration: see :func:`row`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from tunebook.core.parameters import Kind, Parameter
from tunebook.core.shared_parameters import SHARED_PARAMETERS
from tunebook.tools.finetuning.training import Training

__all__ = ["ENVIRONMENT_ROWS", "SAVE", "Configured", "SetupParameter", "configured_values", "own_row", "row"]

Configured = Mapping[str, Any]
"""Dotted path in the tool's configuration to the value there."""


@dataclass(frozen=True)
class SetupParameter(Parameter):
    """A key of ``setup_finetune.yaml``; without a column it comes from the site settings or from paths of the plan.

    Attributes:
        place: the dotted path of the value in the tool's configuration; empty if it is not there as it is.
        configured: for a value that is not copied: the training to values of the configuration.
        nullable: whether it may be unset.
        heading: a comment above the key.
    """

    place: str = ""
    configured: Callable[[Any], Configured] | None = None
    nullable: bool = False
    heading: str = ""

    def configure(self, values: dict[str, Any], training: Training[Any, Any]) -> None:
        """Adds the values of the configuration that this key decides."""
        if self.lora_only and training.setup.lora_rank is None:
            return
        if self.configured is not None:
            values.update(self.configured(training))
        elif self.place:
            value = training.setup.values[self.key]
            values[self.place] = float(value) if self.kind is Kind.NUMBER and isinstance(value, int) else value


def configured_values(rows: Iterable[SetupParameter], training: Training[Any, Any]) -> Configured:
    """Every value of the configuration that a key of the settings decides."""
    values: dict[str, Any] = {}
    for parameter in rows:
        parameter.configure(values, training)
    return values


def row(key: str, **own: Any) -> SetupParameter:
    """The shared row of this key, with the places that a tool's configuration has for it."""
    return replace(_ROWS[key], **own)


def own_row(key: str, kind: Kind = Kind.TEXT, **own: Any) -> SetupParameter:
    """A key that no column of the plan gives."""
    return SetupParameter(key, "", kind, **own)


def _plan(key: str, **own: Any) -> SetupParameter:
    """The row of a parameter that every tool has."""
    parameter = SHARED_PARAMETERS.by_key(key)
    columns = {item.name: getattr(parameter, item.name) for item in fields(parameter)}
    return SetupParameter(**(columns | own))


SAVE = Parameter("save", "Save", Kind.TEXT, choices=("adapter", "merged"), lora_only=True)
"""The form of checkpoints."""

_OF_SITE = (
    own_row("my_wandb_project", nullable=True, heading="Weights & Biases: unset project means metrics.jsonl only"),
    own_row("my_wandb_run_name", nullable=True),
    # The file is dataset_label + dataset_ext, in the folder input_formatting of input_dir_base if that is set.
    own_row("input_dir_base", heading="Data"),
    own_row("input_formatting"),
    own_row("dataset_label"),
    own_row("dataset_ext"),
    own_row("model_checkpoint", heading="Model and adapters: lora_rank unset trains all weights"),
    own_row("output_dir_base", heading="Where and how it runs"),
    own_row("conda_env"),
    own_row("venv"),
    own_row("modules", Kind.LIST),
    own_row("account"),
    own_row("partition"),
    own_row("constraint"),
    own_row("qos"),
    own_row("time"),
    own_row("cpus", Kind.INTEGER, minimum=1),
    own_row("mem"),
)

_OF_PLAN = (
    _plan("lora_rank", nullable=True),
    _plan("lora_alpha", nullable=True),
    _plan("lora_dropout", nullable=True),
    _plan("lr"),
    _plan("batch_size"),
    _plan("gradient_accumulation_steps"),
    _plan("epochs"),
    _plan("max_seq_len", nullable=True),
    _plan("seed"),
    _plan("precision", nullable=True),
    _plan("weight_decay"),
    _plan("lr_scheduler"),
    _plan("num_warmup_steps"),
    _plan("run_val_every_n_steps", nullable=True),
    _plan("system_prompt", heading="Prompts: evaluation takes the same"),
    _plan("prompt"),
    _plan("gpus"),
)

_OF_TRAININGS = (
    SetupParameter(
        "dataset_type",
        "Dataset Type",
        Kind.TEXT,
        choices=("instruct", "chat", "text_completion"),
        default="instruct",
    ),
    SetupParameter(
        "lora_target_modules",
        "LoRA Target Modules",
        Kind.LIST,
        "targets",
        choices=("q_proj", "k_proj", "v_proj", "output_proj", "mlp", "output"),
        default=("q_proj", "v_proj", "output_proj", "mlp"),
        lora_only=True,
        aliases=("target modules", "lora targets"),
        nullable=True,
    ),
    SetupParameter(
        "optimizer",
        "Optimizer",
        Kind.TEXT,
        "optim",
        choices=("adamw", "adam", "sgd"),
        default="adamw",
        heading="Training",
    ),
    SetupParameter("max_steps_per_epoch", "Max Steps Per Epoch", Kind.INTEGER, minimum=1, nullable=True),
    SetupParameter(
        "packed",
        "Dataset Packing",
        Kind.FLAG,
        default=False,
        aliases=("packing", "packed"),
        is_shown=True,
    ),
    SetupParameter(
        "max_grad_norm",
        "Max Gradient Norm",
        Kind.NUMBER,
        "clip",
        minimum=0,
        above_minimum=True,
        aliases=("max grad norm", "gradient clipping"),
        nullable=True,
    ),
    SetupParameter(
        "warmup_ratio",
        "Warmup Ratio",
        Kind.NUMBER,
        "wratio",
        minimum=0,
        below=1,
        aliases=("warm-up ratio",),
        nullable=True,  # it reaches the configuration as a number of steps
    ),
    SetupParameter("log_every_n_steps", "Log Every N Steps", Kind.INTEGER, minimum=1, default=1),
    SetupParameter("train_on_input", "Train On Input", Kind.FLAG, default=False),
)

_ROWS = {parameter.key: parameter for parameter in (*_OF_SITE, *_OF_PLAN, *_OF_TRAININGS)}

_OF_ENVIRONMENT = ("conda_env", "venv", "modules", "account", "partition", "constraint", "qos", "time")
ENVIRONMENT_ROWS = tuple(row(key) for key in _OF_ENVIRONMENT)
"""The keys that say where a job runs, in the order of the file."""
