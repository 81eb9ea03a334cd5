"""Finds what the plan varies, each run's levels, and which run is the base model of which. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.analysis.records import FactorUse
from tunebook.core.parameters import Value
from tunebook.core.plan import Plan, Run, RunType

__all__ = ["bases_of", "factors_of", "levels_of"]

_MODEL = "model"
_UNSET = "default"


def factors_of(plan: Plan) -> tuple[FactorUse, ...]:
    """Returns the model and the parameters that differ between fine-tuned runs, compared as values; seeds come last."""
    factors = []
    models = tuple(dict.fromkeys(run.model for run in plan.fine_tuned))
    if len(models) > 1:
        factors.append(FactorUse(_MODEL, "Model", models))
    for parameter in plan.parameters:
        if parameter.key not in plan.columns:
            continue
        texts: dict[Value, str] = {}
        for run in plan.fine_tuned:
            value, text = _setting(plan, run, parameter.key)
            texts.setdefault(value, text)
        if len(texts) > 1:
            levels = tuple(texts[value] for value in _ordered(list(texts)))
            factors.append(FactorUse(parameter.key, parameter.column, levels, is_seed=parameter.key == "seed"))
    return tuple(sorted(factors, key=lambda factor: factor.is_seed))


def _ordered(values: Sequence[Value]) -> Sequence[Value]:
    """Sorts numbers by size; leaves other values in the plan's order."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return sorted(numbers) if len(numbers) == len(values) else values


def _setting(plan: Plan, run: Run, key: str) -> tuple[Value, str]:
    """A parameter's value for a run, and the text with which the plan gives it."""
    written = plan.setting(run, key)
    if written is None:
        return None, _UNSET
    return written.value, written.text


def levels_of(plan: Plan, factors: Sequence[FactorUse]) -> dict[str, dict[str, str]]:
    """Returns each fine-tuned run's level of each factor, with the text that the plan uses first for that value."""
    texts: dict[tuple[str, Value], str] = {}
    levels: dict[str, dict[str, str]] = {}
    for run in plan.fine_tuned:
        own = levels[run.name] = {}
        for factor in factors:
            if factor.key == _MODEL:
                own[factor.key] = run.model
            else:
                value, text = _setting(plan, run, factor.key)
                own[factor.key] = texts.setdefault((factor.key, value), text)
    return levels


def bases_of(plan: Plan) -> dict[str, str | None]:
    """Returns for each run the control with its model, which shows the model before training; ``None`` for controls."""
    controls: dict[str, str] = {}
    for run in plan.runs:
        if run.type is RunType.CONTROL:
            controls.setdefault(run.model, run.name)
    bases: dict[str, str | None] = {}
    for run in plan.runs:
        bases[run.name] = None if run.type is RunType.CONTROL else controls.get(run.model)
    return bases
