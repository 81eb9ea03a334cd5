"""The disk space of checkpoints, from the model's dimensions and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunebook.core.plan import Run
from tunebook.core.plan.settings import effective, trains_adapters
from tunebook.errors import PlanError
from tunebook.tools.base import Context
from tunebook.tools.model_inputs import config_of
from tunebook.tools.plan_inputs import model_path, planned_precision
from tunebook.tools.torchtune.models import resolve_model
from tunebook.tools.torchtune.saving import form_of_checkpoints

__all__ = ["checkpoint_bytes"]

_OTHER_FILES = 20e6  # tokenizers have up to 20 MB
_BYTES = {"bf16": 2, "fp32": 4}


def checkpoint_bytes(context: Context, run: Run) -> float | None:
    """One epoch's checkpoint; ``None`` for a model that is not known or cannot be trained."""
    facts = context.models.get(model_path(context.plan, context.site, run))
    try:
        model = resolve_model(run.model, facts, lora=trains_adapters(context.plan, run))
    except PlanError:
        return None
    form = form_of_checkpoints(context, run, model)
    if form is None:
        precision = planned_precision(context.plan, context.site, run)
        return model.parameters_b * 1e9 * _BYTES[precision] + _OTHER_FILES
    adapter = _adapter_bytes(context, run, config_of(run.model, facts) or {})
    if form == "adapter":
        return adapter + _OTHER_FILES
    return model.parameters_b * 1e9 * _BYTES["fp32"] + adapter + _OTHER_FILES


def _adapter_bytes(context: Context, run: Run, config: Mapping[str, Any]) -> float:
    """The two matrices of each adapted module, in 32 bits."""
    rank, targets = effective(context.plan, run, "lora_rank"), effective(context.plan, run, "lora_target_modules")
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
    return float(4 * rank * total)
