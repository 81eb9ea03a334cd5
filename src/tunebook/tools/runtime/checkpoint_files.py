"""The files of a checkpoint, adapters in PEFT's format first: their names, and whether they are complete and sound.

Runs inside the training job and where plans are checked; it imports nothing heavy until it reads tensors.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "ADAPTER_CONFIG",
    "ADAPTER_WEIGHTS",
    "WITHOUT_PEFT_FORM",
    "ExpectedAdapter",
    "adapter_flaw",
    "checkpoint_precision",
    "copy_other_files",
    "expected_adapter",
    "peft_config",
    "weights_flaw",
    "write_dtype",
]

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
WITHOUT_PEFT_FORM = ("PHI3_MINI", "PHI4")
"""torchtune's types of models with fused projections, whose adapters torchtune 0.6.1 cannot write for PEFT."""

_WEIGHTS = (
    *(".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".index.json"),
    *(".gguf", ".h5", ".msgpack", ".onnx", ".npz", ".ot"),
)
_MORE_TEMPLATES = "additional_chat_templates"
_NOT_SAVED = ("lm_head.weight", "rotary_emb.inv_freq")  # tied to the embeddings in some files; computed


@dataclass(frozen=True)
class ExpectedAdapter:
    """An adapter as the configuration of its training asks for it.

    Attributes:
        base: the directory of the model that it adapts.
        modules: how many modules have an adapter, in all layers together; each has two tensors.
    """

    base: Path
    rank: int
    modules: int


def checkpoint_precision(values: Mapping[str, Any]) -> str:
    """``bf16`` or ``fp32``, the precision in which evaluations load the checkpoints of tunebook's recipe.

    Merged weights are saved in fp32, since bf16 would lose small adapters; others have that of the training.

    Args:
        values: the recipe's configuration.
    """
    is_merged = "lora_rank" in values["model"] and not values.get("save_adapter_weights_only")
    return "fp32" if is_merged else str(values["dtype"])


def expected_adapter(model: dict[str, Any], base: Path, *, layers: int) -> ExpectedAdapter:
    """The adapter that the section ``model`` of a configuration asks for."""
    in_each_layer = len(model["lora_attn_modules"])
    if model.get("apply_lora_to_mlp"):
        in_each_layer += 3
    modules = in_each_layer * layers
    if model.get("apply_lora_to_output"):
        modules += 1
    return ExpectedAdapter(base, int(model["lora_rank"]), modules)


def peft_config(base: Path, *, rank: int, alpha: float, dropout: float, targets: Sequence[str]) -> dict[str, Any]:
    """The configuration of a LoRA adapter, as PEFT reads it.

    Args:
        base: the directory of the model that it adapts.
        targets: the last parts of the names of the adapted modules.
    """
    return {
        "base_model_name_or_path": str(base.absolute()),
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": dropout,
        "target_modules": list(targets),
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "modules_to_save": None,
    }


def copy_other_files(base: Path, folder: Path) -> None:
    """Copies a model's files to a checkpoint, without its weights: tokenizer, chat templates, configuration."""
    for file in base.iterdir():
        if file.is_file() and not file.name.startswith(".") and not file.name.endswith(_WEIGHTS):
            shutil.copyfile(file, folder / file.name)
    if (base / _MORE_TEMPLATES).is_dir():
        shutil.copytree(base / _MORE_TEMPLATES, folder / _MORE_TEMPLATES, dirs_exist_ok=True)


def write_dtype(path: Path, dtype: str) -> None:
    """Writes the precision of the weights to a ``config.json``; earlier versions of Transformers read another name."""
    values = json.loads(path.read_text(encoding="utf-8"))
    values["dtype"] = dtype
    if "torch_dtype" in values:
        values["torch_dtype"] = dtype
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def adapter_flaw(folder: Path, expected: ExpectedAdapter) -> str:
    """The flaw of the adapter in a directory; empty if it has none."""
    try:
        values = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"{folder / ADAPTER_CONFIG} cannot be read: {error}"
    given = (values.get("base_model_name_or_path"), values.get("r"), values.get("task_type"))
    wanted = (str(expected.base), expected.rank, "CAUSAL_LM")
    if given != wanted or not values.get("lora_alpha") or not values.get("target_modules"):
        return f"{folder / ADAPTER_CONFIG} is incomplete: base, rank and task are {given}, but were trained as {wanted}"
    return _tensors_flaw(folder / ADAPTER_WEIGHTS, expected)


def _tensors_flaw(path: Path, expected: ExpectedAdapter) -> str:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Any] = load_file(path)
    except (OSError, SafetensorError) as error:
        return f"{path} cannot be read: {error}"
    wrong = [name for name, tensor in tensors.items() if tensor.dtype != torch.float32]
    infinite = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if len(tensors) != 2 * expected.modules:
        return f"{path} has {len(tensors)} tensors, but {expected.modules} modules were trained, with two each"
    if wrong:
        return f"{path} is not in fp32: {_first(wrong)}"
    if infinite:
        return f"{path} has values that are not finite: {_first(infinite)}"
    return ""


def weights_flaw(files: Sequence[Path], of_base: Sequence[Path], dtype: str) -> str:
    """The flaw of the weights of a whole model, by the headers of its files; empty if they have none.

    Args:
        of_base: the weight files of the model that it was trained from, which has the same tensors.
        dtype: the precision that they must have, as safetensors calls it.
    """
    from safetensors import SafetensorError

    try:
        found = _headers(files)
        wanted = _headers([file for file in of_base if file.suffix == ".safetensors"])
    except (OSError, SafetensorError) as error:
        return f"its weights cannot be read: {error}"
    missing = sorted(name for name in wanted if name not in found and not name.endswith(_NOT_SAVED))
    wrong = [name for name, precision in found.items() if precision != dtype]
    if missing:
        return f"{files[0].parent} lacks weights of its base: {_first(missing)}"
    if wrong:
        return f"weights in {files[0].parent} are not in {dtype}: {_first(wrong)}"
    return ""


def _headers(files: Sequence[Path]) -> dict[str, str]:
    """Each tensor's precision by its name."""
    from safetensors import safe_open

    found: dict[str, str] = {}
    for path in files:
        with safe_open(path, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118  it is not a dictionary
                found[name] = tensors.get_slice(name).get_dtype()
    return found


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"
