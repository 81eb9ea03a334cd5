"""Writes torchtune's LoRA adapters in PEFT's format: ``adapter_config.json`` and ``adapter_model.safetensors``.

torchtune 0.6.1 writes a configuration without base model and task, and permutes the heads of Qwen 2's adapters, whose
weights it does not permute. Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torchtune.models.convert_weights import tune_to_peft_adapter_config, tune_to_peft_adapter_weights

from tunebook.tools.runtime.checkpoint_files import ADAPTER_CONFIG, ADAPTER_WEIGHTS, WITHOUT_PEFT_FORM, peft_config

__all__ = ["Adapter", "write_adapter"]

_TORCHTUNE_WEIGHTS = "adapter_model.pt"
_UNPERMUTED = ("QWEN2",)


@dataclass(frozen=True)
class Adapter:
    """A trained adapter.

    Attributes:
        weights: by torchtune's names.
        model_type: the conversion of weights that torchtune's checkpointer does.
        base: the directory of the model that it adapts, and ``base_config`` that model's ``config.json``.
        modules: torchtune's names of the adapted modules, such as ``q_proj`` and ``w1``.
    """

    weights: Mapping[str, torch.Tensor]
    model_type: str
    base: Path
    base_config: Mapping[str, Any]
    rank: int
    alpha: float
    dropout: float
    modules: Sequence[str]


def write_adapter(adapter: Adapter, folder: Path) -> None:
    """Writes the adapter in fp32; in torchtune's own format where PEFT has none for this model."""
    folder.mkdir(parents=True, exist_ok=True)
    if adapter.model_type in WITHOUT_PEFT_FORM:
        torch.save(dict(adapter.weights), folder / _TORCHTUNE_WEIGHTS)
        return
    weights = {name: tensor.contiguous() for name, tensor in _converted(adapter).items()}
    save_file(weights, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    text = json.dumps(_peft_config(adapter), indent=2)
    (folder / ADAPTER_CONFIG).write_text(text + "\n", encoding="utf-8")


def _converted(adapter: Adapter) -> dict[str, torch.Tensor]:
    config = adapter.base_config
    heads = int(config["num_attention_heads"])
    key_heads = int(config.get("num_key_value_heads") or heads)
    head_dim = int(config.get("head_dim") or int(config["hidden_size"]) // heads)
    if adapter.model_type in _UNPERMUTED:
        # The conversion turns the two halves of each head; heads of two rows stay as they are.
        heads, key_heads, head_dim = heads * head_dim // 2, key_heads * head_dim // 2, 2
    converted: dict[str, torch.Tensor] = tune_to_peft_adapter_weights(
        dict(adapter.weights),
        num_heads=heads,
        num_kv_heads=key_heads,
        dim=int(config["hidden_size"]),
        head_dim=head_dim,
    )
    return converted


def _peft_config(adapter: Adapter) -> dict[str, Any]:
    names: dict[str, Any] = tune_to_peft_adapter_config(
        {"target_modules": list(adapter.modules), "r": adapter.rank, "lora_alpha": adapter.alpha}
    )
    return peft_config(
        adapter.base,
        rank=adapter.rank,
        alpha=adapter.alpha,
        dropout=adapter.dropout,
        targets=names["target_modules"],
    )
