"""The experiment's name where a person gives none: task, factors and date."""

from __future__ import annotations

from datetime import date

from tunebook.core.naming import as_component
from tunebook.design.values import MODEL, Design

__all__ = ["experiment_name"]

_WORDS = {"lora_rank": "lora", MODEL: "model"}
_MOST = 3


def experiment_name(design: Design, day: date) -> str:
    """``capitalization_lora_comparison_2025-10-22``; ``_sweep_`` where several things vary."""
    keys = [factor.key for factor in design.factors]
    keys += [key for key in dict.fromkeys(key for run in design.listed for key in run.values) if key not in keys]
    if len(design.models) > 1 and MODEL not in keys:
        keys.append(MODEL)
    words = [_WORDS.get(key) or design.parameters.by_key(key).short or key for key in keys]
    what = "_".join(words[:_MOST]) or ("finetuning" if design.train else "models")
    kind = {0: [], 1: ["comparison"]}.get(len(words), ["sweep"])
    parts = [*(task.name for task in design.tasks[:1]), what, *kind, f"{day:%Y-%m-%d}"]
    return as_component("_".join(parts))
