"""From factors to combinations: each a model and the texts of the parameters that vary. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from tunebook.core.parameters import Kind, Value
from tunebook.design.values import MODEL, Combine, Design, Factor
from tunebook.tools.parameters import every_parameter

__all__ = ["Combination", "combinations", "excluded", "group_sizes", "level_value", "levels_used", "same_level"]

Combination = Mapping[str, str]
"""Key to text; always with :data:`MODEL`."""


def combinations(design: Design) -> tuple[Combination, ...]:
    """Every combination that is to be trained once a seed, without the listed ones and before replication.

    Models cross with everything unless ``model`` is a factor. The order is that of the factors, the last varying
    fastest; a random subset keeps it. Equal combinations appear once.
    """
    if not design.train or (design.listed and not design.factors):
        return ()
    groups = _groups(design)
    if design.combine is Combine.ONE_AT_A_TIME:
        found = _one_at_a_time(groups, design.base)
    else:
        found = (_merged(parts) for parts in product(*groups))
    if design.factor(MODEL) is None:
        rest = list(found)
        found = ({MODEL: model.name, **values} for model in design.models for values in rest)
    kept = [values for values in _distinct(found) if not any(excluded(values, rule) for rule in design.exclusions)]
    return tuple(_sampled(kept, design))


def _groups(design: Design) -> list[list[Combination]]:
    """The levels of each factor, or of each pair of factors, as partial combinations."""
    groups: list[list[Combination]] = []
    done: set[str] = set()
    for factor in design.factors:
        if factor.key in done:
            continue
        keys = next((keys for keys in design.paired if factor.key in keys), (factor.key,))
        members = [member for key in keys if (member := design.factor(key)) is not None]
        done.update(keys)
        groups.append(
            [
                dict(zip(keys, levels, strict=True))
                for levels in zip(*(member.levels for member in members), strict=True)
            ]
        )
    return groups


def group_sizes(design: Design) -> list[int]:
    """How many levels each factor has, or each pair of factors together."""
    return [len(group) for group in _groups(design)]


def _one_at_a_time(groups: list[list[Combination]], base: Mapping[str, str]) -> Iterator[Combination]:
    """The base, and then each level of each factor with all others at the base."""
    centre = [_base_level(group, base) for group in groups]
    yield _merged(centre)
    for index, group in enumerate(groups):
        for level in group:
            yield _merged([*centre[:index], level, *centre[index + 1 :]])


def _base_level(group: list[Combination], base: Mapping[str, str]) -> Combination:
    given = {key: base[key] for key in group[0] if key in base}
    matching = (level for level in group if all(same_level(key, level[key], text) for key, text in given.items()))
    return next(matching, {**group[0], **given})


def _merged(parts: Iterable[Combination]) -> Combination:
    return {key: text for part in parts for key, text in part.items()}


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
    chosen = random.Random(design.sample_seed).sample(range(len(kept)), design.sample)  # noqa: S311  can be repeated
    return [kept[index] for index in sorted(chosen)]


def excluded(values: Combination, rule: Mapping[str, str]) -> bool:
    """Whether a combination has all values of a rule."""
    return all(key in values and same_level(key, values[key], text) for key, text in rule.items())


def same_level(key: str, first: str, second: str) -> bool:
    """Whether two texts mean one level: ``1e-5`` and ``0.00001`` do."""
    return level_value(key, first) == level_value(key, second)


def level_value(key: str, text: str) -> Value:
    """What a level's text means; the text itself where it cannot be read, which is told elsewhere."""
    parameter = every_parameter().get(key)
    if parameter is None or parameter.kind is Kind.LITERAL:
        return text
    try:
        return parameter.convert(text)
    except ValueError:
        return text


def levels_used(factor: Factor, used: Iterable[Combination]) -> tuple[str, ...]:
    """The levels of a factor that some combination has, in its order, each once."""
    values = {level_value(factor.key, values[factor.key]) for values in used if factor.key in values}
    found: dict[Value, str] = {}
    for level in factor.levels:
        value = level_value(factor.key, level)
        if value in values:
            found.setdefault(value, level)
    return tuple(found.values())
