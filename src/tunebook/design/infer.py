"""Which design made a page's runs: factors, pairs, seeds and exclusions out of a list of runs. Pure.

Several designs can make the same runs. All combinations come before one factor at a time, that before all combinations
but some, and what makes the runs in the page's order before what does not. What is none of these is a list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations as pairs_of
from types import MappingProxyType

from tunebook.core.parameters import Value
from tunebook.design.combine import Combination, combinations, level_value
from tunebook.design.values import MODEL, Combine, Design, Factor

__all__ = ["inferred"]

_Point = tuple[tuple[str, Value], ...]


def inferred(
    design: Design, runs: Sequence[Combination], order: Sequence[str], shown: Mapping[str, tuple[str, ...]]
) -> Design | None:
    """The design with the factors that make exactly these runs; ``None`` if they are a list.

    Args:
        runs: key to text of each trained run, :data:`MODEL` among them.
        order: the keys, as the factors should be ordered.
        shown: key to levels, as they should be ordered.
    """
    if not runs or len({frozenset(run) for run in runs}) > 1:
        return None
    seeds, rest = _crossed(runs, "seed")
    models, without_model = _crossed(rest, MODEL)
    known = [model.name for model in design.models]
    if set(models) == set(known):
        rest = without_model
    keys = [key for key in order if key in rest[0]]
    factors = tuple(Factor(key, _ordered(key, _levels(rest, key), shown.get(key, ()))) for key in keys)
    design = replace(design, factors=factors, paired=_paired(rest, keys), seeds=tuple(seeds))
    wanted = [_point(run) for run in rest]
    candidates = [design, _one_at_a_time(design, rest, keys), _with_exclusions(design, rest, keys)]
    made = [(candidate, _made(candidate, rest)) for candidate in candidates if candidate is not None]
    in_order = [candidate for candidate, points in made if points == wanted]
    return next(iter([*in_order, *(candidate for candidate, points in made if set(points) == set(wanted))]), None)


def _ordered(key: str, levels: tuple[str, ...], shown: tuple[str, ...]) -> tuple[str, ...]:
    ranks = {level_value(key, level): rank for rank, level in enumerate(shown)}
    return tuple(sorted(levels, key=lambda level: ranks.get(level_value(key, level), len(ranks))))


def _crossed(runs: Sequence[Combination], key: str) -> tuple[list[str], list[Combination]]:
    """The levels of a key that everything else is crossed with, and everything else; no levels if it is not."""
    if key not in runs[0]:
        return [], list(runs)
    levels = list(_levels(runs, key))
    groups: dict[_Point, set[Value]] = {}
    rest: dict[_Point, Combination] = {}
    for run in runs:
        others = {name: text for name, text in run.items() if name != key}
        groups.setdefault(_point(others), set()).add(level_value(key, run[key]))
        rest.setdefault(_point(others), others)
    crossed = all(len(found) == len(levels) for found in groups.values())
    return (levels, list(rest.values())) if crossed else ([], list(runs))


def _point(values: Mapping[str, str]) -> _Point:
    return tuple((key, level_value(key, text)) for key, text in sorted(values.items()))


def _levels(runs: Iterable[Combination], key: str) -> tuple[str, ...]:
    levels: dict[Value, str] = {}
    for run in runs:
        levels.setdefault(level_value(key, run[key]), run[key])
    return tuple(levels.values())


def _paired(runs: Sequence[Combination], keys: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Factors that always change together: each level of one goes with one level of the other."""
    found: list[tuple[str, ...]] = []
    for first, second in pairs_of(keys, 2):
        sizes = {len(_levels(runs, key)) for key in (first, second)}
        together = {(level_value(first, run[first]), level_value(second, run[second])) for run in runs}
        if len(sizes) == 1 and sizes.pop() == len(together) > 1:
            group = next((group for group in found if first in group), None)
            if group is None:
                found.append((first, second))
            elif second not in group:
                found[found.index(group)] = (*group, second)
    return tuple(found)


def _made(design: Design, runs: Sequence[Combination]) -> list[_Point]:
    made = combinations(replace(design, models=design.models if MODEL in runs[0] else design.models[:1]))
    return [_point(run if MODEL in runs[0] else _without_model(run)) for run in made]


def _without_model(values: Combination) -> Combination:
    return {key: text for key, text in values.items() if key != MODEL}


def _one_at_a_time(design: Design, runs: Sequence[Combination], keys: Sequence[str]) -> Design | None:
    """Around the levels that most runs have."""
    base = {}
    for key in keys:
        counts = Counter(level_value(key, run[key]) for run in runs)
        base[key] = next(run[key] for run in runs if level_value(key, run[key]) == counts.most_common(1)[0][0])
    return replace(design, combine=Combine.ONE_AT_A_TIME, base=MappingProxyType(base)) if len(keys) > 1 else None


def _with_exclusions(design: Design, runs: Sequence[Combination], keys: Sequence[str]) -> Design | None:
    """All combinations but those that are not there, if these are the fewer."""
    with_model = MODEL in runs[0]
    everything = combinations(replace(design, models=design.models if with_model else design.models[:1]))
    there = {_point(run) for run in runs}
    absent = [run if with_model else _without_model(run) for run in everything]
    absent = [run for run in absent if _point(run) not in there]
    if len(absent) > len(runs):
        return None
    rules: dict[_Point, Combination] = {}
    for values in absent:
        rule = _shortest(values, runs, keys)
        rules.setdefault(_point(rule), rule)
    return replace(design, exclusions=tuple(rules.values()))


def _shortest(values: Combination, runs: Sequence[Combination], keys: Sequence[str]) -> Combination:
    """As few values as tell a combination from all that are there."""
    rule = {key: values[key] for key in keys}
    for key in reversed(keys):
        fewer = {name: text for name, text in rule.items() if name != key}
        if fewer and not any(set(_point(fewer)) <= set(_point(run)) for run in runs):
            rule = fewer
    return rule
