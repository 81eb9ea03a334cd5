"""Scorers' values as numbers by measure, with a mark for each value that is a letter or another text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from tunebook.core.json_text import finite_number

__all__ = ["Flat", "as_number", "columns_of", "flat_scores"]

_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_WORDS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}
_NUMBER, _WORD, _TEXT, _NOTHING = ".", "w", "?", " "  # the marks of `Samples.letters`


@dataclass(frozen=True)
class Flat:
    """A sample's scores by measure: a scorer's name, or ``scorer/key`` for a scorer that gives several values.

    Attributes:
        letters: the mark of each value, as in ``Samples.letters``.
    """

    values: dict[str, float | None] = field(default_factory=dict)
    letters: dict[str, str] = field(default_factory=dict)


def flat_scores(scores: Mapping[str, Any]) -> Flat:
    """A sample's scores as numbers with their marks.

    Args:
        scores: scorer to its value: a number, a letter, or several of them.
    """
    flat = Flat()
    for scorer, value in scores.items():
        for key, item in _parts(value):
            measure = f"{scorer}/{key}" if key else scorer
            flat.values[measure] = as_number(item)
            flat.letters[measure] = _mark(item)
    return flat


def columns_of(scores: Sequence[Flat]) -> tuple[dict[str, tuple[float | None, ...]], dict[str, str]]:
    """The samples' values by measure, and the marks of the measures that have letters or other texts."""
    values, letters = {}, {}
    for measure in dict.fromkeys(chain.from_iterable(flat.values for flat in scores)):
        values[measure] = tuple(flat.values.get(measure) for flat in scores)
        marks = "".join(flat.letters.get(measure, _NOTHING) for flat in scores)
        if set(marks) - {_NUMBER, _NOTHING}:
            letters[measure] = marks
    return values, letters


def as_number(value: Any) -> float | None:
    """Returns a scorer's value as a number: ``C`` is 1, ``P`` 0.5, ``I`` and ``N`` (no answer) 0, as in inspect-ai.

    Returns ``None`` for values that are not numbers, where inspect-ai's ``value_to_float`` returns 0 with a warning.
    """
    if isinstance(value, str):
        word = _LETTERS.get(value, _WORDS.get(value.lower()))
        if word is not None:
            return word
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool):
        return float(value)
    return finite_number(value)


def _mark(value: Any) -> str:
    """The mark of a value: its letter, or the kind of the value."""
    if isinstance(value, str):
        if value in _LETTERS:
            return value
        if value.lower() in _WORDS:
            return _WORD
        return _TEXT if as_number(value) is None else _NUMBER
    return _NOTHING if as_number(value) is None else _NUMBER


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from zip(map(str, range(len(value))), value, strict=True)
    else:
        yield "", value
