"""Factors: the parameters that they vary, by any of their names, and the combinations of their levels. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from tunebook.core.parameters import Kind, Value, suggestion
from tunebook.design.values import MODEL, Design, Factor
from tunebook.tools.parameters import every_parameter

__all__ = [
    "column_of",
    "combinations",
    "factor_groups",
    "find_key",
    "has_values",
    "is_literal",
    "level_value",
    "nearest_key",
    "values_text",
    "varies",
]

_Combination = Mapping[str, str]


def find_key(name: str, *, is_factor: bool) -> str | None:
    """The key of the parameter that has this name; a factor may also be :data:`MODEL`."""
    if is_factor and name.strip().lower() == MODEL:
        return MODEL
    found = every_parameter().by_name(name)
    return found.key if found else None


def nearest_key(name: str, *, is_factor: bool) -> tuple[str | None, str]:
    """The key that an unknown name probably means (``None`` if no name is near), and the hint for a person."""
    parameters = every_parameter()
    known: list[str] = []
    if is_factor:
        for parameter in parameters.varying:
            known += [parameter.key, parameter.short]
        known = [*dict.fromkeys(known), MODEL]
    else:
        known = [parameter.key for parameter in parameters]
    hint = suggestion(name, known)
    if not hint.startswith("did you mean"):
        return None, hint
    return find_key(hint.split("`")[1], is_factor=is_factor), hint


def varies(key: str) -> bool:
    """Whether this can differ from run to run."""
    return key == MODEL or bool(every_parameter().by_key(key).short)


def is_literal(key: str) -> bool:
    """Whether this is a prompt: models that are not trained are asked with it too."""
    return key != MODEL and every_parameter().by_key(key).kind is Kind.LITERAL


def values_text(values: Mapping[str, str], sep: str = ", ") -> str:
    """``lora_rank=8, lr=1e-5``."""
    return sep.join(f"{key}={text}" for key, text in values.items())


def column_of(key: str) -> str:
    """The name of the column in the runs table."""
    return "Model" if key == MODEL else every_parameter().by_key(key).column


def level_value(key: str, text: str) -> Value:
    """The value of a level's text; the text itself if it cannot be converted, which the checks report."""
    parameter = every_parameter().get(key)
    if parameter is None or parameter.kind is Kind.LITERAL:
        return str(text)
    try:
        return parameter.convert(text)
    except ValueError:
        return str(text)


# --- combinations ---------------------------------------------------------------------------------------------------


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
