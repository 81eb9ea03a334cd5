"""The checkpoint of each epoch of tunebook's recipe, and what a resumed training needs.

``epoch_N/`` is a model that Transformers loads: an adapter in PEFT's format, merged weights, or all weights. Adapters
are merged on a copy, in fp32: torchtune 0.6.1 merges into the live weights on a CPU, and in the base's precision, in
which most of a small adapter is lost. Base classes in front of torchtune's recipes. They run inside the training job,
and need nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torchtune import config, training
from torchtune.modules.peft import get_adapter_state_dict, get_lora_module_names, get_merged_lora_ckpt

from tunebook.tools.runtime.checkpoint_files import copy_other_files, write_dtype
from tunebook.tools.runtime.job_errors import refuse_non_finite
from tunebook.tools.runtime.peft_adapter import Adapter, write_adapter
from tunebook.tools.runtime.random_state import random_state, restore_random_state

__all__ = ["AdapterCheckpoints", "Checkpoints", "FullCheckpoints"]

_STATE_FOLDER = "recipe_state"
_RANDOM_KEY = "tunebook_random_state"


class Checkpoints:
    """Writes ``epoch_N/`` whole, then the state from which training resumes; never touches the live weights."""

    _checkpointer: Any
    _dtype: torch.dtype
    _model: Any
    _optimizer: Any
    _output_dir: str
    _resume_from_checkpoint: bool
    _update_recipe_state: Callable[[dict[str, Any]], None]
    epochs_run: int
    max_steps_per_epoch: int | None
    seed: int
    total_epochs: int

    def setup(self, cfg: Any) -> None:
        """Sets the recipe up; a resumed training continues with the random numbers of its interrupted attempt."""
        self._checkpointer_config = cfg.checkpointer
        self._lora_dropout = float(cfg.model.get("lora_dropout", 0.0))
        self._stash = bool(cfg.get("stash_adapter_weights", True))
        self._random_state: Mapping[str, Any] | None = None
        made: Any = super()
        made.setup(cfg)
        if self._random_state is not None:
            restore_random_state(self._random_state)

    def load_checkpoint(self, cfg_checkpointer: Any) -> dict[str, Any]:
        """Loads the model's weights and, where training resumes, the state of its last whole epoch."""
        if not self._resume_from_checkpoint:
            self._checkpointer = config.instantiate(cfg_checkpointer)
            loaded: dict[str, Any] = self._checkpointer.load_checkpoint()
            return loaded
        state: dict[str, Any] = torch.load(self._state_file, map_location="cpu", weights_only=True)
        self._update_recipe_state(state)
        self._random_state = state.pop(_RANDOM_KEY)
        return self._weights_to_resume(cfg_checkpointer) | state

    def save_checkpoint(self, epoch: int) -> None:
        """Writes one epoch's checkpoint; torchtune's recipe state follows it, as the sign that it is whole."""
        folder = self.epoch_folder(epoch)
        shutil.rmtree(folder, ignore_errors=True)
        self.write_weights(epoch, folder)
        if epoch + 1 < self.total_epochs:
            self._write_state()

    def epoch_folder(self, epoch: int) -> Path:
        """The directory of one epoch's checkpoint."""
        return Path(self._output_dir) / f"epoch_{epoch}"

    def write_weights(self, epoch: int, folder: Path) -> None:
        """Writes what evaluation loads."""
        raise NotImplementedError

    def _weights_to_resume(self, cfg_checkpointer: Any) -> dict[str, Any]:
        raise NotImplementedError

    def _state_of_weights(self) -> dict[str, Any]:
        """Trained weights that are in no other file in the form that training needs."""
        return {}

    @property
    def _state_file(self) -> Path:
        return Path(self._output_dir) / _STATE_FOLDER / "recipe_state.pt"

    def _write_state(self) -> None:
        state = {
            training.OPT_KEY: self._optimizer.state_dict(),
            training.SEED_KEY: self.seed,
            training.EPOCHS_KEY: self.epochs_run,
            training.TOTAL_EPOCHS_KEY: self.total_epochs,
            training.MAX_STEPS_KEY: self.max_steps_per_epoch,
            training.DATALOADER_KEY: {},  # the order follows from seed and epoch, but torchtune's recipe reads the key
            _RANDOM_KEY: random_state(),
            **self._state_of_weights(),
        }
        self._state_file.parent.mkdir(parents=True, exist_ok=True)
        part = self._state_file.with_name(self._state_file.name + ".part")
        torch.save(state, part)
        os.replace(part, self._state_file)  # noqa: PTH105

    def _write_model(self, weights: dict[str, torch.Tensor], epoch: int) -> None:
        """Writes a whole model with torchtune's checkpointer, and its precision to ``config.json``."""
        refuse_non_finite(weights, epoch)
        (dtype,) = {tensor.dtype for tensor in weights.values()}
        self._checkpointer.save_checkpoint({training.MODEL_KEY: weights}, epoch=epoch)
        write_dtype(self.epoch_folder(epoch) / "config.json", str(dtype).removeprefix("torch."))


class FullCheckpoints(Checkpoints):
    """Checkpoints of a training of all weights, in the precision of training."""

    def write_weights(self, epoch: int, folder: Path) -> None:
        """Writes all weights."""
        del folder
        self._write_model({name: tensor.detach() for name, tensor in self._model.state_dict().items()}, epoch)

    def _weights_to_resume(self, cfg_checkpointer: Any) -> dict[str, Any]:
        """The last epoch's weights. torchtune's own look-up would search for the base's files in the output."""
        folder = self.epoch_folder(self.epochs_run - 1)
        values = {**cfg_checkpointer, "checkpoint_dir": str(folder)}
        values["checkpoint_files"] = sorted(file.name for file in folder.glob("model-*.safetensors"))
        self._checkpointer = config.instantiate(type(cfg_checkpointer)(values))
        loaded: dict[str, Any] = self._checkpointer.load_checkpoint()
        return loaded


class AdapterCheckpoints(Checkpoints):
    """Checkpoints of a training of adapters: the adapter alone, or merged weights with the adapter in a folder."""

    _apply_lora_to_mlp: bool
    _apply_lora_to_output: bool
    _lora_alpha: float
    _lora_attn_modules: list[str]
    _lora_rank: int
    _save_adapter_weights_only: bool

    def write_weights(self, epoch: int, folder: Path) -> None:
        """Writes the adapter, and the merged weights unless the adapter alone is wanted."""
        adapter = self._adapter(epoch)
        if self._save_adapter_weights_only:
            write_adapter(adapter, folder)
            copy_other_files(adapter.base, folder)
            return
        self._write_model(self.merged_weights(), epoch)
        # Beside merged weights, Transformers would apply the adapter a second time.
        write_adapter(adapter, folder / "adapter" if self._stash else folder)

    def merged_weights(self) -> dict[str, torch.Tensor]:
        """A copy of the model's weights in fp32 with the adapters merged, by torchtune's names."""
        copy = {
            name: tensor.detach().to("cpu", torch.float32, copy=True)
            for name, tensor in self._model.state_dict().items()
        }
        merged: dict[str, torch.Tensor] = get_merged_lora_ckpt(copy, rank=self._lora_rank, alpha=self._lora_alpha)
        return merged

    def _adapter(self, epoch: int) -> Adapter:
        weights = self._state_of_weights()[training.ADAPTER_KEY]
        refuse_non_finite(weights, epoch)
        base = Path(self._checkpointer_config.checkpoint_dir)
        return Adapter(
            weights=weights,
            model_type=str(self._checkpointer_config.model_type),
            base=base,
            base_config=json.loads((base / "config.json").read_text(encoding="utf-8")),
            rank=self._lora_rank,
            alpha=self._lora_alpha,
            dropout=self._lora_dropout,
            modules=get_lora_module_names(
                list(self._lora_attn_modules), self._apply_lora_to_mlp, self._apply_lora_to_output
            ),
        )

    def _state_of_weights(self) -> dict[str, Any]:
        return {training.ADAPTER_KEY: get_adapter_state_dict(self._model.state_dict())}

    def _weights_to_resume(self, cfg_checkpointer: Any) -> dict[str, Any]:
        """The base's weights; those of the adapter are in the state."""
        self._checkpointer = config.instantiate(cfg_checkpointer)
        loaded: dict[str, Any] = self._checkpointer.load_checkpoint()
        return loaded
