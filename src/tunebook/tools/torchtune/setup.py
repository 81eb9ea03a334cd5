"""One run's settings as a value: every key of ``setup_finetune.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Generic, TypeVar

from tunebook.core.parameters import Value

__all__ = ["Setup"]

T = TypeVar("T")


class _Key(Generic[T]):
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
    """Values by key of :data:`tunebook.tools.torchtune.parameters.SETUP_PARAMETERS`; ``None`` is "unset".

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

    model_checkpoint = _Key(str)
    lora_rank = _Key[int | None](int, type(None))
    lr_scheduler = _Key(str)
    optimizer = _Key(str)
    batch_size = _Key(int)
    gradient_accumulation_steps = _Key(int)
    epochs = _Key(int)
    seed = _Key(int)
    save_adapter_weights_only = _Key(bool)
    stash_adapter_weights = _Key(bool)
    system_prompt = _Key(str)
    prompt = _Key(str)
    output_dir_base = _Key(str)
    conda_env = _Key(str)
    venv = _Key(str)
    modules = _Key[tuple[str, ...]](tuple)
    account = _Key(str)
    partition = _Key(str)
    constraint = _Key(str)
    qos = _Key(str)
    time = _Key(str)
    gpus = _Key(int)
    cpus = _Key(int)
    mem = _Key(str)

    @property
    def dataset_path(self) -> str:
        """The data set's file or directory."""
        values = self.values
        name = f"{values['dataset_label']}{values['dataset_ext']}"
        return str(PurePosixPath(str(values["input_dir_base"]), str(values["input_formatting"]), name))

    @property
    def custom_recipe(self) -> str:
        """The module of a person's own that trains; empty for torchtune's recipe."""
        return str(self.values["custom_recipe"] or "")

    @property
    def recipe(self) -> str:
        """The recipe that follows from the settings: a person's own, otherwise torchtune's."""
        if self.custom_recipe:
            return self.custom_recipe
        kind = "full" if self.lora_rank is None else "lora"
        return f"{kind}_finetune_{'distributed' if self.gpus > 1 else 'single_device'}"

    @property
    def is_validated(self) -> bool:
        """Whether the model is validated during training."""
        return self.values["run_val_every_n_steps"] is not None

    @property
    def saves_adapters(self) -> bool:
        """Whether checkpoints are adapters, rather than whole models."""
        return self.lora_rank is not None and self.save_adapter_weights_only

    @property
    def settings(self) -> Mapping[str, Value]:
        """The settings under the keys that a plan's run has too, with the recipe."""
        save = None
        if self.lora_rank is not None:
            save = "adapter" if self.save_adapter_weights_only else "merged"
        return {**self.values, "recipe": self.recipe, "save": save}
