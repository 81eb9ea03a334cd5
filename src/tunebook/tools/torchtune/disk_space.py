"""The disk space of torchtune's checkpoints, from the model's dimensions and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunebook.core.plan import Run
from tunebook.core.plan.settings import effective, trains_adapters
from tunebook.errors import PlanError
from tunebook.tools.base import Context
from tunebook.tools.finetuning.disk_space import checkpoint_size
from tunebook.tools.finetuning.saving import form_of_checkpoints
from tunebook.tools.model_inputs import config_of
from tunebook.tools.plan_inputs import model_path, planned_precision
from tunebook.tools.torchtune.models import resolve_model
from tunebook.tools.torchtune.saving import planned_recipe, reason_to_merge

__all__ = ["checkpoint_bytes"]


def checkpoint_bytes(context: Context, run: Run) -> float | None:
    """One epoch's checkpoint; ``None`` for a model that is not known or cannot be trained."""
    facts = context.models.get(model_path(context.plan, context.site, run))
    try:
        model = resolve_model(run.model, facts, lora=trains_adapters(context.plan, run))
    except PlanError:
        return None
    reason = reason_to_merge(context, planned_recipe(context, run), model)
    return checkpoint_size(
        parameters_b=model.parameters_b,
        form=form_of_checkpoints(context, run, reason),
        precision=planned_precision(context.plan, context.site, run),
        adapter_weights=_adapter_weights(context, run, config_of(run.model, facts) or {}),
    )


def _adapter_weights(context: Context, run: Run, config: Mapping[str, Any]) -> float:
    """The weights of the two matrices of each adapted module."""
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
    return float(rank * total)
