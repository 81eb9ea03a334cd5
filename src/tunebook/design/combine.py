"""Combines factors: each combination is a model and the texts of the parameters that vary. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from tunebook.core.parameters import Kind, Value
from tunebook.design.values import MODEL, Design, Factor
from tunebook.tools.parameters import every_parameter

__all__ = ["combinations", "factor_groups", "has_values", "level_value"]

_Combination = Mapping[str, str]


def combinations(design: Design) -> tuple[_Combination, ...]:
    """Every combination that is trained, without the listed runs and before replication.

    Models are crossed with everything unless ``model`` is a factor. The order is that of the factors, with the last one
    varying fastest; a random subset keeps it. Equal combinations appear once.
    """
    if not design.is_trained or (design.listed and not design.factors):
        return ()
    groups = list(map(_group_levels, factor_groups(design)))
    found: Iterator[tuple[_Combination, ...]] = product(*groups)
    if design.is_one_at_a_time:
        found = _one_at_a_time(groups, design.base)
    models: list[_Combination] = [{}]
    if design.factor(MODEL) is None:
        models = [{MODEL: name} for name in design.model_names]
    crossed = [_merged([model, *parts]) for model, parts in product(models, found)]
    return tuple(_sampled(_wanted(crossed, design), design))


def factor_groups(design: Design) -> list[list[Factor]]:
    """The factors in their order; those that are paired form one group."""
    factors = dict(zip(design.factor_keys, design.factors, strict=True))
    pairs = {key: keys for keys in reversed(design.paired) for key in keys}
    groups: list[list[Factor]] = []
    while factors:
        first = next(iter(factors))
        keys = pairs.get(first, (first,))
        groups.append([factors.pop(key) for key in keys if key in factors])
    return groups


def _group_levels(group: list[Factor]) -> list[_Combination]:
    """The levels of one factor, or of paired factors together, as partial combinations."""
    count = len(group[0].levels)
    return [{factor.key: factor.levels[number] for factor in group} for number in range(count)]


def _one_at_a_time(groups: list[list[_Combination]], base: Mapping[str, str]) -> Iterator[tuple[_Combination, ...]]:
    """The base, and then each level of each group with all other groups at the base."""
    centre = tuple(_base_level(group, base) for group in groups)
    yield centre
    for index, group in enumerate(groups):
        for level in group:
            yield (*centre[:index], level, *centre[index + 1 :])


def _base_level(group: list[_Combination], base: Mapping[str, str]) -> _Combination:
    given = {key: base[key] for key in group[0] if key in base}
    for level in group:
        if has_values(level, given):
            return level
    return {**group[0], **given}


def _merged(parts: Iterable[_Combination]) -> _Combination:
    merged: dict[str, str] = {}
    for part in parts:
        merged.update(part)
    return merged


def _wanted(found: Iterable[_Combination], design: Design) -> list[_Combination]:
    """The combinations that are not excluded, each once."""
    kept: dict[tuple[object, ...], _Combination] = {}
    for values in found:
        identity = tuple((key, level_value(key, text)) for key, text in sorted(values.items()))
        if not any(has_values(values, rule) for rule in design.exclusions):
            kept.setdefault(identity, values)
    return list(kept.values())


def _sampled(kept: list[_Combination], design: Design) -> list[_Combination]:
    if design.sample is None or design.sample >= len(kept):
        return kept
    chosen = random.Random(design.drawing_seed).sample(range(len(kept)), design.sample)  # noqa: S311  to be repeatable
    return [kept[index] for index in sorted(chosen)]


def has_values(values: _Combination, rule: Mapping[str, str]) -> bool:
    """Whether a combination has all values of a rule; ``1e-5`` and ``0.00001`` are the same value."""
    for key, text in rule.items():
        if key not in values or level_value(key, values[key]) != level_value(key, text):
            return False
    return True


def level_value(key: str, text: str) -> Value:
    """The value of a level's text; the text itself if it cannot be converted, which the checks report."""
    parameter = every_parameter().get(key)
    if parameter is None or parameter.kind is Kind.LITERAL:
        return str(text)
    try:
        return parameter.convert(text)
    except ValueError:
        return str(text)
