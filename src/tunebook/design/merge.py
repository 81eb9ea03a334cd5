"""Merges what is given now into an earlier design: options into a file, or an update into the stored design."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from itertools import chain, filterfalse
from typing import Any, TypeVar

from tunebook.core.hypothesis_grammar import parse_hypothesis
from tunebook.core.plan import EvaluationTask
from tunebook.design.values import MODEL, MOST_RUNS, Combine, Decision, Design, DesignInputs

__all__ = ["merge_inputs", "tasks_by_name", "update_inputs"]

_Item = TypeVar("_Item")
_Pair = tuple[str, ...]


def merge_inputs(earlier: DesignInputs, now: DesignInputs) -> DesignInputs:
    """Both inputs as one; what is given now wins.

    Models, tasks, factors, settings and eval-only runs are replaced by name; listed runs, exclusions and rules of the
    matrix are added. A factor takes the place of the earlier setting of its parameter, and a setting that of a factor.
    """
    return replace(
        earlier,
        design=_merged(earlier.design, now.design),
        problems=(*earlier.problems, *now.problems),
        misspelt=earlier.misspelt | now.misspelt,
        decisions=(*earlier.decisions, *now.decisions),
        warnings=(*earlier.warnings, *now.warnings),
    )


def update_inputs(stored: DesignInputs, now: DesignInputs) -> DesignInputs:
    """The stored design, which was complete, with what is given now.

    Other than in :func:`merge_inputs`, factors take the place of listed runs, and what no longer applies is left out:
    pairs, exclusions and base levels of factors that the design no longer has.
    """
    if now.design.factors:
        stored = replace(stored, design=replace(stored.design, listed=()))
    merged = merge_inputs(stored, now)
    design, decisions = _without_gone_factors(now.design, merged.design)
    return replace(merged, design=design, decisions=(*merged.decisions, *decisions))


def _merged(earlier: Design, now: Design) -> Design:
    values: dict[str, Any] = {}
    for item in fields(Design):
        rule = _RULES.get(item.name, _latest)
        values[item.name] = rule(getattr(earlier, item.name), getattr(now, item.name))
    return _without_replaced(Design(**values), earlier, now)


def _latest(earlier: Any, now: Any) -> Any:
    """The later one if it is given; mappings together."""
    if isinstance(now, Mapping):
        return {**earlier, **now}
    return earlier if now is None or now == "" else now


def _by(attribute: str) -> Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]:
    """All of them; a later one takes the place of an earlier one of its name."""

    def rule(earlier: tuple[Any, ...], now: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple({getattr(item, attribute): item for item in (*earlier, *now)}.values())

    return rule


def _added(earlier: tuple[_Item, ...], now: tuple[_Item, ...]) -> tuple[_Item, ...]:
    """All of them; an item that is given again stays where it was."""
    return (*earlier, *(item for item in now if item not in earlier))


def tasks_by_name(earlier: tuple[EvaluationTask, ...], now: tuple[EvaluationTask, ...]) -> tuple[EvaluationTask, ...]:
    """All tasks, one of each name; one without a script adds to the earlier one of its name."""
    tasks = {task.name: task for task in earlier}
    for task in now:
        known = tasks.get(task.name)
        if task.script or known is None:
            tasks[task.name] = task
        else:
            tasks[task.name] = replace(
                known,
                dataset=None if task.has_own_data else task.dataset or known.dataset,
                has_own_data=task.has_own_data or (known.has_own_data and not task.dataset),
                description=task.description or known.description,
                tool=task.tool or known.tool,
                measure=task.measure or known.measure,
                direction=task.direction or known.direction,
            )
    return tuple(tasks.values())


def _regrouped(earlier: tuple[_Pair, ...], now: tuple[_Pair, ...]) -> tuple[_Pair, ...]:
    """All pairs, without earlier ones that share a factor with a later one."""
    regrouped = set[str]().union(*now)
    return (*(keys for keys in earlier if regrouped.isdisjoint(keys)), *now)


def _by_hypothesis(earlier: tuple[str, ...], now: tuple[str, ...]) -> tuple[str, ...]:
    """All hypotheses; a later one takes the place of the earlier one of its name."""
    found = {parse_hypothesis(text).name or text: text for text in earlier}
    return tuple((found | {parse_hypothesis(text).name or text: text for text in now}).values())


_RULES: Mapping[str, Callable[[Any, Any], Any]] = {
    "hypotheses": _by_hypothesis,
    "models": _by("name"),
    "tasks": tasks_by_name,
    "factors": _by("key"),
    "paired": _regrouped,
    "listed": _added,
    "exclusions": _added,
    "eval_only": _by("name"),
    "matrix": _added,
    "notes": lambda earlier, now: (*earlier, *now),
}


def _without_replaced(merged: Design, earlier: Design, now: Design) -> Design:
    """Without an earlier factor that is a setting now, without the reverse, and with the seeds that apply."""
    settled = set(now.settings)
    if now.seeds or now.replicates is not None:
        settled.add("seed")
    settled.difference_update(now.factor_keys)
    kept = {key: text for key, text in earlier.settings.items() if key not in now.factor_keys}
    settings = {**kept, **now.settings}
    seeds, replicates = earlier.seeds, merged.replicates
    if now.seeds or now.factor("seed"):
        seeds, replicates = now.seeds, now.replicates
    elif now.replicates is not None and earlier.seeds:
        seeds = _extended(earlier.seeds, now.replicates)
    factors = tuple(factor for factor in merged.factors if factor.key not in settled)
    return replace(merged, factors=factors, settings=settings, seeds=seeds, replicates=replicates)


def _extended(seeds: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The first seeds, or all and as many more above the largest as ``count`` needs."""
    largest = max(map(int, filter(str.isdecimal, seeds)), default=0)
    added = min(count, MOST_RUNS + 1) - len(seeds)
    return (*seeds[:count], *map(str, range(largest + 1, largest + 1 + added)))


def _without_gone_factors(now: Design, merged: Design) -> tuple[Design, tuple[Decision, ...]]:
    """Drops earlier pairs, exclusions and base levels of factors that the design no longer has."""
    factors = {MODEL, *merged.factor_keys}
    paired = tuple(keys for keys in merged.paired if keys in now.paired or factors.issuperset(keys))
    exclusions = tuple(rule for rule in merged.exclusions if rule in now.exclusions or factors.issuperset(rule))
    base = {key: text for key, text in merged.base.items() if key in now.base or key in factors}
    dropped = chain(
        *filterfalse(paired.__contains__, merged.paired),
        *filterfalse(exclusions.__contains__, merged.exclusions),
        filterfalse(base.__contains__, merged.base),
    )
    gone = filterfalse(factors.__contains__, dict.fromkeys(dropped))
    what = "pairs, exclusions and base levels of {} are left out"
    decisions = tuple((what.format(key), "it is no longer a factor") for key in gone)
    if now.combine == Combine.FACTORIAL:
        base = dict(now.base)
    return replace(merged, paired=paired, exclusions=exclusions, base=base), decisions
