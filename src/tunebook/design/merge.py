"""Merges what is given now into an earlier design: options into a file, or an update into the stored design."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from tunebook.design.values import (
    MODEL,
    MOST_RUNS,
    Combine,
    Decision,
    Design,
    DesignInputs,
    DesignModel,
    DesignTask,
    EvalOnly,
    Factor,
)

__all__ = ["merge_inputs", "update_inputs"]

_Item = TypeVar("_Item")
_Named = TypeVar("_Named", bound=DesignModel | DesignTask | EvalOnly)
_Keys = TypeVar("_Keys", bound=Iterable[str])


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
    return Design(
        question=now.question or earlier.question,
        name=now.name or earlier.name,
        preparation=now.preparation or earlier.preparation,
        evaluation=now.evaluation or earlier.evaluation,
        models=_by_name(earlier.models, now.models),
        dataset=now.dataset or earlier.dataset,
        dataset_format=now.dataset_format or earlier.dataset_format,
        tasks=_tasks(earlier, now),
        factors=_factors(earlier, now),
        combine=now.combine or earlier.combine,
        base={**earlier.base, **now.base},
        paired=_paired(earlier, now),
        listed=_added(earlier.listed, now.listed),
        sample=_given(now.sample, earlier.sample),
        sample_seed=_given(now.sample_seed, earlier.sample_seed),
        seeds=_seeds(earlier, now),
        replicates=_replicates(earlier, now),
        exclusions=_added(earlier.exclusions, now.exclusions),
        train=_given(now.train, earlier.train),
        controls=_given(now.controls, earlier.controls),
        eval_only=_by_name(earlier.eval_only, now.eval_only),
        settings=_settings(earlier, now),
        epochs=now.epochs or earlier.epochs,
        matrix=_added(earlier.matrix, now.matrix),
        notes=(*earlier.notes, *now.notes),
        run_notes={**earlier.run_notes, **now.run_notes},
    )


def _by_name(earlier: tuple[_Named, ...], now: tuple[_Named, ...]) -> tuple[_Named, ...]:
    """All of them; a later one takes the place of an earlier one of its name."""
    return tuple({item.name: item for item in (*earlier, *now)}.values())


def _given(now: _Item | None, earlier: _Item | None) -> _Item | None:
    return earlier if now is None else now


def _added(earlier: tuple[_Item, ...], now: tuple[_Item, ...]) -> tuple[_Item, ...]:
    """All of them; an item that is given again stays where it was."""
    return (*earlier, *(item for item in now if item not in earlier))


def _tasks(earlier: Design, now: Design) -> tuple[DesignTask, ...]:
    tasks = {task.name: task for task in earlier.tasks}
    for task in now.tasks:
        known = tasks.get(task.name)
        if task.script or known is None:
            tasks[task.name] = task
        else:
            dataset, description = task.dataset or known.dataset, task.description or known.description
            tasks[task.name] = replace(known, dataset=dataset, description=description)
    return tuple(tasks.values())


def _factors(earlier: Design, now: Design) -> tuple[Factor, ...]:
    factors = {factor.key: factor for factor in (*earlier.factors, *now.factors)}
    settled = set(now.settings)
    if now.seeds or now.replicates is not None:
        settled.add("seed")
    for key in settled.difference(now.factor_keys):
        factors.pop(key, None)
    return tuple(factors.values())


def _settings(earlier: Design, now: Design) -> Mapping[str, str]:
    kept = {key: text for key, text in earlier.settings.items() if key not in now.factor_keys}
    return {**kept, **now.settings}


def _paired(earlier: Design, now: Design) -> tuple[tuple[str, ...], ...]:
    regrouped = set[str]().union(*now.paired)
    return (*(keys for keys in earlier.paired if regrouped.isdisjoint(keys)), *now.paired)


def _seeds(earlier: Design, now: Design) -> tuple[str, ...]:
    if now.seeds:
        return now.seeds
    if now.factor("seed"):
        return ()
    if now.replicates is None or not earlier.seeds:
        return earlier.seeds
    return _extended(earlier.seeds, now.replicates)


def _extended(seeds: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The first seeds, or all and as many more above the largest as ``count`` needs."""
    largest = max(map(int, filter(str.isdecimal, seeds)), default=0)
    added = min(count, MOST_RUNS + 1) - len(seeds)
    return (*seeds[:count], *map(str, range(largest + 1, largest + 1 + added)))


def _replicates(earlier: Design, now: Design) -> int | None:
    if now.replicates is not None:
        return now.replicates
    return None if now.seeds or now.factor("seed") else earlier.replicates


def _without_gone_factors(now: Design, merged: Design) -> tuple[Design, tuple[Decision, ...]]:
    """Drops earlier pairs, exclusions and base levels of factors that the design no longer has."""
    factors = {MODEL, *merged.factor_keys}
    gone: dict[str, None] = {}
    paired = _still_valid(merged.paired, now.paired, factors, gone)
    exclusions = _still_valid(merged.exclusions, now.exclusions, factors, gone)
    base: dict[str, str] = {}
    for key, text in merged.base.items():
        if key in factors or key in now.base:
            base[key] = text
        else:
            gone[key] = None
    if now.combine == Combine.FACTORIAL:
        base = dict(now.base)
    what = "pairs, exclusions and base levels of {} are left out"
    decisions = tuple((what.format(key), "it is no longer a factor") for key in gone if key not in factors)
    return replace(merged, paired=paired, exclusions=exclusions, base=base), decisions


def _still_valid(
    merged: Iterable[_Keys], now: Iterable[_Keys], factors: set[str], gone: dict[str, None]
) -> tuple[_Keys, ...]:
    """The pairs or rules that are given now, or whose keys are all factors; adds the keys of others to ``gone``."""
    again, kept = list(now), []
    for keys in merged:
        if keys in again or factors.issuperset(keys):
            kept.append(keys)
        else:
            gone.update(dict.fromkeys(keys))
    return tuple(kept)
