"""The rules of factors, pairs, listed runs, exclusions and replicates. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

from tunebook.design.build_plan import trained_runs, trains_adapters
from tunebook.design.documents import Place, place_of
from tunebook.design.factors import column_of, factor_groups, has_values, is_literal, level_value, values_text, varies
from tunebook.design.values import MODEL, MOST_RUNS, Design, Factor
from tunebook.errors import Problem

__all__ = ["conversion_problem", "factor_problems", "required_parameters", "size_problems"]


def required_parameters(design: Design) -> list[str]:
    """The keys of parameters that every training of this design needs."""
    lora = trains_adapters(design)
    return [item.key for item in design.parameters if item.required and (lora or not item.lora_only)]


def factor_problems(design: Design) -> Iterator[Problem]:
    """Everything that is wrong with what varies."""
    yield from _factors(design)
    yield from _base(design)
    yield from _pairs(design)
    yield from _listed(design)
    yield from _exclusions(design)
    yield from _replication(design)


def conversion_problem(design: Design, key: str, text: str) -> Iterator[Problem]:
    """Why a text cannot be a level of this parameter, if it cannot."""
    if key == MODEL:
        return
    parameter = design.parameters.get(key)
    if parameter is None:
        if design.parameters.is_complete:
            tools = f"{design.tools.preparation} and {design.tools.evaluation_text}"
            hint = "remove it, or choose another tool"
            yield place_of(text).problem(f"{tools} have no parameter {column_of(key)}", hint)
        return
    try:
        parameter.convert(text)
    except ValueError as error:
        yield place_of(text).problem(str(error))


def _factors(design: Design) -> Iterator[Problem]:
    for factor in design.factors:
        yield from _factor(design, factor)
    if not design.is_trained and (design.factors or design.listed):
        first = design.factors[0].key if design.factors else design.listed[0].name
        message = "nothing is trained, but factors or listed runs are given"
        yield place_of(first).problem(message, "leave out either these or `--no-training`")
    if design.is_one_at_a_time and not design.factors:
        yield place_of(design.combine).problem("one-at-a-time needs factors", "--factor lora_rank=8,16")


def _factor(design: Design, factor: Factor) -> Iterator[Problem]:
    key, place = factor.key, place_of(factor.key)
    if not varies(key):
        yield place.problem(f"{column_of(key)} cannot vary from run to run", f"give it once: --set {key}=…")
    if not factor.levels:
        yield place.problem(f"factor `{key}` has no levels")
    for level in factor.levels:
        yield from conversion_problem(design, key, level)
    if key not in set[str]().union(*design.paired):
        yield from _repeated_levels(factor)
    if key in design.settings and not is_literal(key):
        hint = "give only one of the two"
        if design.is_one_at_a_time:
            hint += "; --base gives the level around which it varies"
        yield place.problem(f"`{key}` is a factor and also has the setting {design.settings[key]}", hint)


def _repeated_levels(factor: Factor) -> Iterator[Problem]:
    seen: set[object] = set()
    for level in factor.levels:
        value = level_value(factor.key, level)
        if value in seen:
            message = f"`{factor.key}` has the level {level} twice"
            yield place_of(factor.key).problem(message, "for replicates with different seeds: --replicates N")
        seen.add(value)


def _known_factors(design: Design) -> str:
    return "factors: " + (", ".join(design.factor_keys) or "none")


def _base(design: Design) -> Iterator[Problem]:
    for key, text in design.base.items():
        if not design.is_one_at_a_time:
            message = f"a base level of `{key}` is given, but all levels are combined"
            yield place_of(text).problem(message, "--combine one-at-a-time")
        elif design.factor(key) is None:
            message = f"`{key}` has a base level, but is not a factor"
            yield place_of(text).problem(message, _known_factors(design))
        else:
            yield from conversion_problem(design, key, text)
    for group in factor_groups(design):
        yield from _paired_base(design, group)


def _paired_base(design: Design, group: list[Factor]) -> Iterator[Problem]:
    """A base level of some of the paired factors must be one of their levels, so that the others follow from it."""
    keys = [factor.key for factor in group]
    given = {key: design.base[key] for key in keys if key in design.base}
    if not given or len(given) == len(keys):
        return
    for levels in zip(*(factor.levels for factor in group), strict=False):
        if has_values(dict(zip(keys, levels, strict=True)), given):
            return
    message = f"the base level {values_text(given)} belongs to none of the paired levels of {', '.join(keys)}"
    yield place_of(next(iter(given.values()))).problem(message, "give a base level for each of the pair")


def _pairs(design: Design) -> Iterator[Problem]:
    seen: set[str] = set()
    for keys in design.paired:
        place = place_of(next(iter(keys), ""))
        yield from _pair(design, keys, place)
        for key in keys:
            if key in seen:
                yield place.problem(f"`{key}` is in two pairs")
            seen.add(key)


def _pair(design: Design, keys: tuple[str, ...], place: Place) -> Iterator[Problem]:
    counts: dict[str, int] = {}
    for key in keys:
        factor = design.factor(key)
        if factor is None:
            yield place.problem(f"`{key}` is paired, but is not a factor", _known_factors(design))
            return
        counts[f"{key} has {len(factor.levels)}"] = len(factor.levels)
    if len(keys) < 2:  # noqa: PLR2004
        yield place.problem("a pair needs at least two factors", "write lora_rank,lora_alpha")
    elif len(set(counts.values())) > 1:
        yield place.problem(f"paired factors need the same number of levels: {', '.join(counts)}")


def _listed(design: Design) -> Iterator[Problem]:
    varied = set(design.factor_keys).union(*(run.values for run in design.listed))
    for number, run in enumerate(design.listed, start=1):
        for key, text in run.values.items():
            if varies(key):
                yield from conversion_problem(design, key, text)
            else:
                yield place_of(text).problem(f"{column_of(key)} cannot vary from run to run")
        for key in required_parameters(design):
            if key in varied and key not in run.values and key not in design.settings:
                message = f"listed run {number} has no {column_of(key)}, but others have one"
                yield place_of(run.name).problem(message)
    if not design.factors:
        yield from _overruled_settings(design)


def _overruled_settings(design: Design) -> Iterator[Problem]:
    common = design.listed_keys
    for key, text in design.settings.items():
        if key in common and not is_literal(key):
            message = f"every listed run has its own {column_of(key)}, so the setting {text} applies to none"
            yield place_of(text).problem(message, "leave it out, or change the runs")


def _exclusions(design: Design) -> Iterator[Problem]:
    for rule in design.exclusions:
        for key, text in rule.items():
            if design.factor(key) is None and key != MODEL:
                message = f"`{key}` is in an exclusion, but is not a factor"
                yield place_of(text).problem(message, _known_factors(design))
            else:
                yield from conversion_problem(design, key, text)


def _replication(design: Design) -> Iterator[Problem]:
    yield from _seeds(design)
    if design.replicates is not None and design.replicates < 1:
        yield place_of(design.replicates).problem("replicates must be at least 1")
    factor = design.factor("seed")
    if factor and (design.seeds or design.runs_per_combination > 1):
        message = "the seed is a factor, and replicates vary it too"
        yield place_of(factor.key).problem(message, "give only one of the two")
    if design.sample is not None and design.sample < 1:
        yield place_of(design.sample).problem("a sample needs at least one combination")


def _seeds(design: Design) -> Iterator[Problem]:
    for seed in design.seeds:
        yield from conversion_problem(design, "seed", seed)
    count = len(design.seeds)
    if len({level_value("seed", seed) for seed in design.seeds}) < count:
        yield place_of(design.seeds[0]).problem("a seed is given twice: its replicates would be the same run")
    if count == 1 and design.replicates is None:
        seed = design.seeds[0]
        hint = f"a number of seeds: `replicates` {seed}; a seed for all runs: `set` seed={seed}; two seeds: `seeds` 1,2"
        yield place_of(seed).problem(f"`seeds` lists the seeds themselves, and here only one: {seed}", hint)
    if design.seeds and design.replicates not in {None, 1, count}:
        message = f"{count} seeds are given for {design.replicates} replicates"
        yield place_of(design.replicates).problem(message, "give only one of the two")


def size_problems(design: Design) -> Iterator[Problem]:
    """Too many runs, or none, which only a design without other problems can show."""
    size = _size(design)
    if size > MOST_RUNS:
        message = f"the factors make {size:,} runs, more than {MOST_RUNS:,}"
        first = design.factors[0].key if design.factors else design.replicates
        yield place_of(first).problem(message, "vary less, use one-at-a-time, or use fewer replicates")
    elif design.is_trained and not trained_runs(design):
        excluded = chain.from_iterable(rule.values() for rule in design.exclusions)
        hint = "exclude less, or only evaluate with --no-training"
        yield place_of(next(excluded, "")).problem("no run is left to train", hint)


def _size(design: Design) -> int:
    """The number of runs before any is excluded."""
    sizes = [len(group[0].levels) for group in factor_groups(design)]
    size = sum(sizes) if design.is_one_at_a_time else math.prod(sizes)
    if design.factor(MODEL) is None:
        size *= max(1, len(design.models))
    return size * design.runs_per_combination
