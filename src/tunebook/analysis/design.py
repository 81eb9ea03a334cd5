"""What was varied, with which levels, and which run is the base model of which. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.analysis.values import FactorUse
from tunebook.core.parameters import Value
from tunebook.core.plan import Plan, Run, RunType

__all__ = ["bases_of", "factors_of", "levels_of"]

_UNSET = "default"


def factors_of(plan: Plan) -> tuple[FactorUse, ...]:
    """The model and the parameters that differ between fine-tuned runs, compared as values; seeds come last."""
    found = []
    models = tuple(dict.fromkeys(run.model for run in plan.fine_tuned))
    if len(models) > 1:
        found.append(FactorUse("model", "Model", models))
    for parameter in plan.parameters:
        if parameter.key not in plan.columns:
            continue
        values = {
            _value(plan, run, parameter.key): _text(plan, run, parameter.key) for run in reversed(plan.fine_tuned)
        }
        if len(values) > 1:
            levels = tuple(values[value] for value in _ordered(list(reversed(values))))
            found.append(FactorUse(parameter.key, parameter.column, levels, parameter.key == "seed"))
    return tuple(sorted(found, key=lambda factor: factor.is_seed))


def _ordered(values: Sequence[Value]) -> list[Value]:
    """Numbers by size; others as the page has them."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return sorted(values, key=lambda value: float(value) if isinstance(value, int | float) else 0.0)
    return list(values)


def _value(plan: Plan, run: Run, key: str) -> Value:
    written = plan.setting(run, key)
    return None if written is None else written.value


def _text(plan: Plan, run: Run, key: str) -> str:
    written = plan.setting(run, key)
    return _UNSET if written is None else written.text


def levels_of(plan: Plan, factors: Sequence[FactorUse]) -> dict[str, dict[str, str]]:
    """Each fine-tuned run's level of each factor, as the page writes that value first."""
    first: dict[tuple[str, Value], str] = {}
    levels: dict[str, dict[str, str]] = {}
    for run in plan.fine_tuned:
        levels[run.name] = {}
        for factor in factors:
            if factor.key == "model":
                levels[run.name][factor.key] = run.model
            else:
                text = _text(plan, run, factor.key)
                levels[run.name][factor.key] = first.setdefault((factor.key, _value(plan, run, factor.key)), text)
    return levels


def bases_of(plan: Plan) -> dict[str, str | None]:
    """Run name to the control with the run's model: what it was before it was trained; ``None`` for controls."""
    controls: dict[str, str] = {}
    for run in plan.runs:
        if run.type is RunType.CONTROL:
            controls.setdefault(run.model, run.name)
    return {run.name: None if run.type is RunType.CONTROL else controls.get(run.model) for run in plan.runs}
