"""One run's settings as a value: every key of ``setup_finetune.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Generic, TypeVar

from tunebook.core.parameters import Value

__all__ = ["SETUP", "Setup", "SetupKey"]

SETUP = "setup_finetune.yaml"
"""The file's name."""

T = TypeVar("T")


class SetupKey(Generic[T]):
    """The value of the key that an attribute is named after, with its type."""

    def __init__(self, *kinds: type[T]) -> None:
        self._kinds = kinds

    def __set_name__(self, owner: type, name: str) -> None:
        self._key = name

    def __get__(self, setup: Setup, owner: type) -> T:
        value = setup.values[self._key]
        if not isinstance(value, self._kinds):
            raise TypeError(f"{self._key} is {value!r}")
        return value


@dataclass(frozen=True)
class Setup:
    """Values by key of a tool's rows; ``None`` is "unset".

    Code that treats all keys alike reads ``values``. The attributes are the keys that code needs one by one:

    Attributes:
        model_checkpoint: the directory of the model that training starts from.
        lora_rank: ``None`` trains all weights.
        output_dir_base: checkpoints go to ``{output_dir_base}/{experiment}/ck-out-{run directory}``; if it is empty to
            ``artifacts`` in the run's directory.
        time: SLURM's time limit; ``mem`` SLURM's memory.
        modules: shell lines that load environment modules.
    """

    values: Mapping[str, Value]

    model_checkpoint = SetupKey(str)
    lora_rank = SetupKey[int | None](int, type(None))
    lr_scheduler = SetupKey(str)
    optimizer = SetupKey(str)
    batch_size = SetupKey(int)
    gradient_accumulation_steps = SetupKey(int)
    epochs = SetupKey(int)
    seed = SetupKey(int)
    system_prompt = SetupKey(str)
    prompt = SetupKey(str)
    output_dir_base = SetupKey(str)
    conda_env = SetupKey(str)
    venv = SetupKey(str)
    modules = SetupKey[tuple[str, ...]](tuple)
    account = SetupKey(str)
    partition = SetupKey(str)
    constraint = SetupKey(str)
    qos = SetupKey(str)
    time = SetupKey(str)
    gpus = SetupKey(int)
    cpus = SetupKey(int)
    mem = SetupKey(str)

    @cached_property
    def dataset_path(self) -> str:
        """The data set's file or directory."""
        values = self.values
        name = f"{values['dataset_label']}{values['dataset_ext']}"
        return str(PurePosixPath(str(values["input_dir_base"]), str(values["input_formatting"]), name))

    @property
    def precision(self) -> str:
        """``bf16`` or ``fp32``, the precision of the base; by default bf16 on GPUs and fp32 elsewhere."""
        given = self.values["precision"]
        if isinstance(given, str):
            return given
        return "bf16" if self.gpus else "fp32"

    @property
    def recipe(self) -> str:
        """The recipe that follows from the settings."""
        kind = "full" if self.lora_rank is None else "lora"
        return f"{kind}_finetune_{'distributed' if self.gpus > 1 else 'single_device'}"

    @property
    def is_validated(self) -> bool:
        """Whether the model is validated during training."""
        return self.values["run_val_every_n_steps"] is not None

    @property
    def save(self) -> str | None:
        """The form of checkpoints, ``adapter`` or ``merged``; ``None`` where all weights are trained."""
        if self.lora_rank is None:
            return None
        return str(self.values["save"])

    @property
    def saves_adapters(self) -> bool:
        """Whether checkpoints are adapters, rather than whole models."""
        return self.save == "adapter"

    @cached_property
    def settings(self) -> Mapping[str, Value]:
        """The settings under the keys that a plan's run has too."""
        return {**self.values, "recipe": self.recipe, "save": self.save}
