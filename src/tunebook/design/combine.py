"""Combines factors: each combination is a model and the texts of the parameters that vary. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from tunebook.core.parameters import Kind, Value
from tunebook.design.values import MODEL, Design, Factor
from tunebook.tools.parameters import every_parameter

__all__ = ["Combination", "combinations", "factor_groups", "has_values", "level_value", "same_level"]

Combination = Mapping[str, str]
"""Key to text; always with :data:`MODEL`."""


def combinations(design: Design) -> tuple[Combination, ...]:
    """Every combination that is trained, without the listed runs and before replication.

    Models are crossed with everything unless ``model`` is a factor. The order is that of the factors, with the last one
    varying fastest; a random subset keeps it. Equal combinations appear once.
    """
    if not design.is_trained or (design.listed and not design.factors):
        return ()
    found = _combined(design)
    if design.factor(MODEL) is None:
        found = [{MODEL: model.name, **values} for model in design.models for values in found]
    kept = [values for values in _distinct(found) if not _is_excluded(values, design)]
    return tuple(_sampled(kept, design))


def _combined(design: Design) -> list[Combination]:
    """The combinations of the factors alone."""
    groups = [_group_levels(group) for group in factor_groups(design)]
    if design.is_one_at_a_time:
        return list(_one_at_a_time(groups, design.base))
    return [_merged(parts) for parts in product(*groups)]


def _is_excluded(values: Combination, design: Design) -> bool:
    return any(has_values(values, rule) for rule in design.exclusions)


def factor_groups(design: Design) -> list[list[Factor]]:
    """The factors in their order; those that are paired form one group."""
    groups: list[list[Factor]] = []
    done: set[str] = set()
    for factor in design.factors:
        if factor.key in done:
            continue
        keys = next((keys for keys in design.paired if factor.key in keys), (factor.key,))
        members = [design.factor(key) for key in keys]
        groups.append([member for member in members if member is not None])
        done.update(keys)
    return groups


def _group_levels(group: list[Factor]) -> list[Combination]:
    """The levels of one factor, or of paired factors together, as partial combinations."""
    keys = [factor.key for factor in group]
    together = zip(*(factor.levels for factor in group), strict=True)
    return [dict(zip(keys, levels, strict=True)) for levels in together]


def _one_at_a_time(groups: list[list[Combination]], base: Mapping[str, str]) -> Iterator[Combination]:
    """The base, and then each level of each group with all other groups at the base."""
    centre = [_base_level(group, base) for group in groups]
    yield _merged(centre)
    for index, group in enumerate(groups):
        for level in group:
            yield _merged([*centre[:index], level, *centre[index + 1 :]])


def _base_level(group: list[Combination], base: Mapping[str, str]) -> Combination:
    given = {key: base[key] for key in group[0] if key in base}
    for level in group:
        if has_values(level, given):
            return level
    return {**group[0], **given}


def _merged(parts: Iterable[Combination]) -> Combination:
    merged: dict[str, str] = {}
    for part in parts:
        merged.update(part)
    return merged


def _distinct(found: Iterable[Combination]) -> Iterator[Combination]:
    seen: set[tuple[object, ...]] = set()
    for values in found:
        identity = tuple((key, level_value(key, text)) for key, text in sorted(values.items()))
        if identity not in seen:
            seen.add(identity)
            yield values


def _sampled(kept: list[Combination], design: Design) -> list[Combination]:
    if design.sample is None or design.sample >= len(kept):
        return kept
    chosen = random.Random(design.drawing_seed).sample(range(len(kept)), design.sample)  # noqa: S311  to be repeatable
    return [kept[index] for index in sorted(chosen)]


def has_values(values: Combination, rule: Mapping[str, str]) -> bool:
    """Whether a combination has all values of a rule."""
    return all(key in values and same_level(key, values[key], text) for key, text in rule.items())


def same_level(key: str, first: str, second: str) -> bool:
    """Whether two texts mean the same level: ``1e-5`` and ``0.00001`` do."""
    return level_value(key, first) == level_value(key, second)


def level_value(key: str, text: str) -> Value:
    """The value of a level's text; the text itself if it cannot be converted, which the checks report."""
    parameter = every_parameter().get(key)
    if parameter is None or parameter.kind is Kind.LITERAL:
        return str(text)
    try:
        return parameter.convert(text)
    except ValueError:
        return str(text)
