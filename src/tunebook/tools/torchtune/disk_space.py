"""The disk space of torchtune's checkpoints, from the model's dimensions and the settings."""

from __future__ import annotations

from tunebook.core.plan import Run
from tunebook.core.plan.settings import trains_adapters
from tunebook.errors import PlanError
from tunebook.tools.base import Context
from tunebook.tools.finetuning.disk_space import adapter_weights, checkpoint_size
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
        adapter_weights=adapter_weights(context.plan, run, config_of(run.model, facts) or {}),
    )
