"""What varies over several experiments: parameters that one of them varies, and what else differs between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tunebook.analysis.collect.experiment import MODEL, UNSET, in_order
from tunebook.analysis.collect.source import Collected
from tunebook.analysis.records import FactorUse, RunRecord
from tunebook.core.parameters import Value
from tunebook.core.plan import Plan, Run, RunType

__all__ = ["JointFactors", "also_different", "joint_factors"]


@dataclass(frozen=True)
class JointFactors:
    """The factors of all experiments, and for each experiment the levels of its fine-tuned runs by name."""

    factors: tuple[FactorUse, ...]
    levels: tuple[Mapping[str, Mapping[str, str]], ...]


def joint_factors(plans: Sequence[Plan], found: Sequence[Collected]) -> JointFactors:
    """The factors that an experiment varies; other experiments' runs have the value that they were trained with."""
    labels: dict[str, FactorUse] = {}
    for each in found:
        for factor in each.factors:
            labels.setdefault(factor.key, factor)
    texts: dict[str, dict[Value, str]] = {key: {} for key in labels}
    levels: list[dict[str, dict[str, str]]] = []
    for plan, each in zip(plans, found, strict=True):
        rows = {row.name: row for row in plan.runs}
        own: dict[str, dict[str, str]] = {}
        for run in _tuned(each.runs):
            own[run.name] = {}
            for key in labels:
                value, text = _setting(plan, rows[run.name], run, key)
                own[run.name][key] = texts[key].setdefault(value, text)
        levels.append(own)
    factors = []
    for key, factor in labels.items():
        ordered = tuple(texts[key][value] for value in in_order(list(texts[key])))
        factors.append(FactorUse(key, factor.label, ordered, factor.is_seed))
    return JointFactors(tuple(sorted(factors, key=lambda factor: factor.is_seed)), tuple(levels))


def also_different(plans: Mapping[str, Plan], found: Mapping[str, Collected]) -> Iterator[str]:
    """What no experiment varies, but is not the same in all: it may explain a difference between them.

    Args:
        plans: by the experiment's label; ``found`` too.
    """
    varied = {factor.key for each in found.values() for factor in each.factors}
    columns = {MODEL: "Model"}
    for plan in plans.values():
        columns |= {parameter.key: parameter.column for parameter in plan.parameters}
    for key, column in columns.items():
        if key in varied:
            continue
        values: dict[str, list[str]] = {}
        for label, plan in plans.items():
            run = next(_tuned(found[label].runs), None)
            if run is not None:
                row = next(each for each in plan.runs if each.name == run.name)
                value, _ = _setting(plan, row, run, key)
                values.setdefault(UNSET if value is None else str(value), []).append(label)
        if len(values) > 1:
            shown = (f"{value} in {' and '.join(labels)}" for value, labels in values.items())
            yield f"{column}: {', '.join(shown)}"


def _tuned(runs: Iterable[RunRecord]) -> Iterator[RunRecord]:
    return (run for run in runs if run.type is RunType.FINE_TUNED)


def _setting(plan: Plan, row: Run, run: RunRecord, key: str) -> tuple[Value, str]:
    """A parameter's value in a run, and its text; a default counts as its value."""
    if key == MODEL:
        return run.model, run.model
    written = plan.setting(row, key)
    if written is not None:
        return written.value, written.text
    value = run.parameters.get(key)
    return value, UNSET if value is None else str(value)
