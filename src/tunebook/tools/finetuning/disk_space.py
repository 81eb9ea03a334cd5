"""The disk space of checkpoints, from the size of the model, the adapters, and the form in which they are saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunebook.core.plan import Plan, Run
from tunebook.core.plan.settings import effective

__all__ = ["OTHER_FILES", "adapter_weights", "checkpoint_size"]

OTHER_FILES = 20e6
"""Bytes of the files beside the weights: tokenizers have up to 20 MB."""
_BYTES = {"bf16": 2, "fp32": 4}


def checkpoint_size(*, parameters_b: float, form: str | None, precision: str, adapter_weights: float) -> float:
    """The bytes of one epoch's checkpoint.

    Args:
        form: ``adapter``, ``merged``, or ``None`` where all weights are trained.
        precision: of weights that are all trained; merged ones and adapters are saved in fp32.
        adapter_weights: how many weights the adapters have.
    """
    if form is None:
        return parameters_b * 1e9 * _BYTES[precision] + OTHER_FILES
    adapter = _BYTES["fp32"] * adapter_weights
    if form == "adapter":
        return adapter + OTHER_FILES
    return parameters_b * 1e9 * _BYTES["fp32"] + adapter + OTHER_FILES


def adapter_weights(plan: Plan, run: Run, config: Mapping[str, Any]) -> float:
    """The weights of the two matrices of each adapted module, where no projection is fused.

    Args:
        config: the model's ``config.json``.
    """
    rank, targets = effective(plan, run, "lora_rank"), effective(plan, run, "lora_target_modules")
    if not isinstance(rank, int) or not isinstance(targets, tuple):
        return 0.0
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    head = int(config.get("head_dim") or hidden // heads)
    queries, keys = heads * head, int(config.get("num_key_value_heads") or heads) * head
    widths = {
        "q_proj": hidden + queries,
        "k_proj": hidden + keys,
        "v_proj": hidden + keys,
        "output_proj": queries + hidden,
        "mlp": 3 * (hidden + int(config["intermediate_size"])),
    }
    of_layer = sum(widths.get(target, 0) for target in targets)
    total = of_layer * int(config["num_hidden_layers"])
    if "output" in targets:
        total += hidden + int(config["vocab_size"])
    return float(rank * total)
