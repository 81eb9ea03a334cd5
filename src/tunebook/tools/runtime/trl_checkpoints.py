"""The checkpoint of each epoch of a training with TRL, and what a resumed training needs.

``epoch_N/`` is a model that Transformers loads, in the form that tunebook's torchtune recipe writes too: an adapter in
PEFT's format, merged weights in fp32 with the adapter in a folder, or all weights. It is written whole or not at all.
Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tunebook.tools.runtime.checkpoint_files import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    copy_other_files,
    peft_config,
    write_dtype,
)
from tunebook.tools.runtime.job_errors import refuse_non_finite
from tunebook.tools.runtime.trl_model import PREFIX, base_of
from tunebook.tools.runtime.trl_settings import Settings
from tunebook.tools.runtime.whole_json import write_whole_json

__all__ = ["MERGED_ADAPTER", "mark_state", "state_folder", "whole_state", "write_checkpoint"]

MERGED_ADAPTER = "adapter"
"""In a checkpoint of merged weights: the folder of the adapter. Beside them, Transformers would apply it again."""

_MARK = "whole.json"
_TRAINER_STATE = "trainer_state.json"

Weights = dict[str, torch.Tensor]


def state_folder(output: Path) -> Path:
    """The directory in which TRL's trainer saves what a resumed training needs."""
    return output / "training_state"


def write_checkpoint(trainer: Any, epoch: int) -> None:
    """Writes the checkpoint of an epoch; of several processes the first one writes, and all take part.

    Raises:
        TrainingError: a weight is not finite.
    """
    settings: Settings = trainer.settings
    accelerator = trainer.accelerator
    weights: Weights = accelerator.get_state_dict(trainer.model_wrapped)
    if accelerator.is_main_process:
        folder = settings.output / f"epoch_{epoch}"
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        model = accelerator.unwrap_model(trainer.model_wrapped)
        _write_weights(settings, model, weights, part, epoch)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    accelerator.wait_for_everyone()


def _write_weights(settings: Settings, model: Any, weights: Weights, folder: Path, epoch: int) -> None:
    trained = {name: tensor for name, tensor in weights.items() if not settings.trains_adapters or ".lora_" in name}
    refuse_non_finite(trained, epoch)
    base = base_of(settings)
    if settings.own["save"] == "adapter":
        copy_other_files(base, folder)
        _write_adapter(settings, trained, folder)
        return
    if settings.trains_adapters:
        whole, saved = model.get_base_model(), _merged(weights, scale_of(settings))
        (folder / MERGED_ADAPTER).mkdir()
        _write_adapter(settings, trained, folder / MERGED_ADAPTER)
    else:
        whole, saved = model, {name: tensor.detach().cpu() for name, tensor in weights.items()}
    _write_model(whole, saved, folder, base)


def scale_of(settings: Settings) -> float:
    """α/r, the factor of an adapter."""
    return float(settings.trl["lora_alpha"]) / int(settings.trl["lora_r"])


def _write_adapter(settings: Settings, trained: Weights, folder: Path) -> None:
    tensors = {
        name.replace(".default.", "."): tensor.detach().to("cpu", torch.float32).contiguous()
        for name, tensor in trained.items()
    }
    save_file(tensors, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    values = settings.trl
    config = peft_config(
        base_of(settings),
        rank=int(values["lora_r"]),
        alpha=float(values["lora_alpha"]),
        dropout=float(values["lora_dropout"]),
        targets=values["lora_target_modules"],
    )
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _merged(weights: Weights, scale: float) -> Weights:
    """A copy of all weights in fp32 with the adapters merged, by the names of the base model."""
    merged: Weights = {}
    for name, tensor in weights.items():
        if ".lora_" in name:
            continue
        copy = tensor.detach().to("cpu", torch.float32, copy=True)
        layer = name.removesuffix(".base_layer.weight")
        if layer != name:
            up, down = (weights[f"{layer}.lora_{side}.default.weight"].detach().cpu() for side in "BA")
            copy += scale * (up.float() @ down.float())
        merged[name.removeprefix(PREFIX).replace(".base_layer.", ".")] = copy
    return merged


def _write_model(model: Any, weights: Weights, folder: Path, base: Path) -> None:
    """Writes a whole model, its precision, and the tokenizer of its base."""
    if model.config.tie_word_embeddings:
        weights = {name: tensor for name, tensor in weights.items() if name != "lm_head.weight"}
    (dtype,) = {tensor.dtype for tensor in weights.values() if tensor.is_floating_point()}
    model.save_pretrained(folder, state_dict=weights)
    (folder / "config.json").unlink()  # the trainer has changed some of its values
    copy_other_files(base, folder)
    write_dtype(folder / "config.json", str(dtype).removeprefix("torch."))


def mark_state(settings: Settings, *, epochs: int, step: int) -> None:
    """Records that the trainer's state after so many epochs is whole; it writes its files one after another."""
    write_whole_json(state_folder(settings.output) / _MARK, {"epochs": epochs, "step": step})


def whole_state(output: Path) -> tuple[int, Path] | None:
    """The number of epochs after which the last whole state was saved, and its directory; ``None`` without one."""
    folder = state_folder(output)
    try:
        mark = json.loads((folder / _MARK).read_text(encoding="utf-8"))
        epochs, saved = int(mark["epochs"]), folder / f"checkpoint-{int(mark['step'])}"
    except (OSError, ValueError, KeyError, TypeError):
        return None
    is_whole = (saved / _TRAINER_STATE).is_file() and any((output / f"epoch_{epochs - 1}").glob("*.*"))
    return (epochs, saved) if epochs > 0 and is_whole else None
