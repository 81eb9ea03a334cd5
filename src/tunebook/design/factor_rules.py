"""The rules of factors, pairs, listed runs, exclusions and replicates. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from tunebook.core.check_training import STOCK_RECIPES
from tunebook.core.parameters import PARAMETERS, Kind, by_key
from tunebook.core.plan.settings import is_lora
from tunebook.design.build_plan import trained_runs
from tunebook.design.combine import factor_groups, has_values, level_value
from tunebook.design.parameter_names import column_of, varies
from tunebook.design.places import place_of
from tunebook.design.values import MODEL, MOST_RUNS, Design, Factor, ListedRun
from tunebook.errors import Problem

__all__ = ["conversion_problem", "factor_problems", "required_parameters", "size_problems"]


def required_parameters(design: Design) -> list[str]:
    """The keys of parameters that every training of this design needs."""
    required = [parameter.key for parameter in PARAMETERS if parameter.required]
    is_adapter = is_lora(design.settings.get("recipe", STOCK_RECIPES[0]))
    return ["lora_rank", *required] if is_adapter else required


def factor_problems(design: Design) -> Iterator[Problem]:
    """Everything that is wrong with what varies."""
    yield from _factors(design)
    yield from _base(design)
    yield from _pairs(design)
    yield from _listed(design)
    yield from _exclusions(design)
    yield from _replication(design)


def conversion_problem(key: str, text: str) -> Iterator[Problem]:
    """Why a text cannot be a level of this parameter, if it cannot."""
    if key == MODEL:
        return
    try:
        by_key(key).convert(text)
    except ValueError as error:
        yield place_of(text).problem(str(error))


def _is_literal(key: str) -> bool:
    return key != MODEL and by_key(key).kind is Kind.LITERAL


def _factors(design: Design) -> Iterator[Problem]:
    for factor in design.factors:
        place = place_of(factor.key)
        if not varies(factor.key):
            hint = f"give it once: --set {factor.key}=…"
            yield place.problem(f"{column_of(factor.key)} cannot vary from run to run", hint)
        if not factor.levels:
            yield place.problem(f"factor `{factor.key}` has no levels")
        for level in factor.levels:
            yield from conversion_problem(factor.key, level)
        if not any(factor.key in keys for keys in design.paired):
            yield from _repeated_levels(factor)
        if factor.key in design.settings and not _is_literal(factor.key):
            hint = "give only one of the two"
            if design.is_one_at_a_time:
                hint += "; --base gives the level around which it varies"
            message = f"`{factor.key}` is a factor and also has the setting {design.settings[factor.key]}"
            yield place.problem(message, hint)
    if not design.is_trained and (design.factors or design.listed):
        first = design.factors[0].key if design.factors else design.listed[0].name
        message = "nothing is trained, but factors or listed runs are given"
        yield place_of(first).problem(message, "leave out either these or `--no-training`")
    if design.is_one_at_a_time and not design.factors:
        yield place_of(design.combine).problem("one-at-a-time needs factors", "--factor lora_rank=8,16")


def _repeated_levels(factor: Factor) -> Iterator[Problem]:
    seen: set[object] = set()
    for level in factor.levels:
        value = level_value(factor.key, level)
        if value in seen:
            message = f"`{factor.key}` has the level {level} twice"
            yield place_of(factor.key).problem(message, "for replicates with different seeds: --replicates N")
        seen.add(value)


def _known_factors(design: Design) -> str:
    return "factors: " + (", ".join(factor.key for factor in design.factors) or "none")


def _base(design: Design) -> Iterator[Problem]:
    for key, text in design.base.items():
        if not design.is_one_at_a_time:
            message = f"a base level of `{key}` is given, but all levels are combined"
            yield place_of(text).problem(message, "--combine one-at-a-time")
        elif design.factor(key) is None:
            message = f"`{key}` has a base level, but is not a factor"
            yield place_of(text).problem(message, _known_factors(design))
        else:
            yield from conversion_problem(key, text)
    for group in factor_groups(design):
        keys = [factor.key for factor in group]
        given = {key: design.base[key] for key in keys if key in design.base}
        if given and len(given) < len(keys) and not _is_level_of(given, group):
            texts = ", ".join(f"{key}={text}" for key, text in given.items())
            message = f"the base level {texts} belongs to none of the paired levels of {', '.join(keys)}"
            yield place_of(next(iter(given.values()))).problem(message, "give a base level for each of the pair")


def _is_level_of(given: Mapping[str, str], group: list[Factor]) -> bool:
    """Whether one of the paired levels has all of these values."""
    keys = [factor.key for factor in group]
    together = zip(*(factor.levels for factor in group), strict=False)
    return any(has_values(dict(zip(keys, levels, strict=True)), given) for levels in together)


def _pairs(design: Design) -> Iterator[Problem]:
    counts = Counter(key for keys in design.paired for key in keys)
    for keys in design.paired:
        place = place_of(keys[0] if keys else "")
        lengths = {key: len(factor.levels) for key in keys if (factor := design.factor(key))}
        unknown = [key for key in keys if key not in lengths]
        repeated = [key for key in keys if counts[key] > 1]
        if unknown:
            yield place.problem(f"`{unknown[0]}` is paired, but is not a factor", _known_factors(design))
        elif len(keys) < 2:  # noqa: PLR2004
            yield place.problem("a pair needs at least two factors", "write lora_rank,lora_alpha")
        elif len(set(lengths.values())) > 1:
            told = ", ".join(f"{key} has {length}" for key, length in lengths.items())
            yield place.problem(f"paired factors need the same number of levels: {told}")
        if repeated:
            yield place.problem(f"`{repeated[0]}` is in two pairs")


def _listed(design: Design) -> Iterator[Problem]:
    varied = {factor.key for factor in design.factors}.union(*(run.values for run in design.listed))
    for number, run in enumerate(design.listed, start=1):
        for key, text in run.values.items():
            if varies(key):
                yield from conversion_problem(key, text)
            else:
                yield place_of(text).problem(f"{column_of(key)} cannot vary from run to run")
        for key in required_parameters(design):
            if key in varied and key not in run.values and key not in design.settings:
                message = f"listed run {number} has no {column_of(key)}, but others have one"
                yield place_of(run.name).problem(message)
    yield from _settings_of_no_run(design, design.listed)


def _settings_of_no_run(design: Design, listed: tuple[ListedRun, ...]) -> Iterator[Problem]:
    """Settings that every listed run overrules."""
    if not listed or design.factors:
        return
    for key, text in design.settings.items():
        if not _is_literal(key) and all(key in run.values for run in listed):
            message = f"every listed run has its own {column_of(key)}, so the setting {text} applies to none"
            yield place_of(text).problem(message, "leave it out, or change the runs")


def _exclusions(design: Design) -> Iterator[Problem]:
    for rule in design.exclusions:
        for key, text in rule.items():
            if design.factor(key) is None and key != MODEL:
                message = f"`{key}` is in an exclusion, but is not a factor"
                yield place_of(text).problem(message, _known_factors(design))
            else:
                yield from conversion_problem(key, text)


def _replication(design: Design) -> Iterator[Problem]:
    for seed in design.seeds:
        yield from conversion_problem("seed", seed)
    if len({level_value("seed", seed) for seed in design.seeds}) < len(design.seeds):
        message = "a seed is given twice: its replicates would be the same run"
        yield place_of(design.seeds[0]).problem(message)
    place = place_of(design.replicates)
    if design.seeds and design.replicates not in {None, 1, len(design.seeds)}:
        message = f"{len(design.seeds)} seeds are given for {design.replicates} replicates"
        yield place.problem(message, "give only one of the two")
    if design.replicates is not None and design.replicates < 1:
        yield place.problem("replicates must be at least 1")
    factor = design.factor("seed")
    if factor and (design.seeds or design.runs_per_combination > 1):
        message = "the seed is a factor, and replicates vary it too"
        yield place_of(factor.key).problem(message, "give only one of the two")
    if design.sample is not None and design.sample < 1:
        yield place_of(design.sample).problem("a sample needs at least one combination")


def size_problems(design: Design) -> Iterator[Problem]:
    """Too many runs, or none, which only a design without other problems can show."""
    size = _size(design)
    if size > MOST_RUNS:
        message = f"the factors make {size:,} runs, more than {MOST_RUNS:,}"
        place = place_of(design.factors[0].key if design.factors else design.replicates)
        yield place.problem(message, "vary less, use one-at-a-time, or use fewer replicates")
    elif design.is_trained and not trained_runs(design):
        rule = design.exclusions[0] if design.exclusions else {}
        hint = "exclude less, or only evaluate with --no-training"
        yield place_of(next(iter(rule.values()), "")).problem("no run is left to train", hint)


def _size(design: Design) -> int:
    """The number of runs before any is excluded."""
    sizes = [len(group[0].levels) for group in factor_groups(design)]
    size = sum(sizes) if design.is_one_at_a_time else math.prod(sizes)
    models = 1 if design.factor(MODEL) else max(1, len(design.models))
    return size * models * design.runs_per_combination
