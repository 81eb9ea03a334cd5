"""Reads the predicted number and the true number of each sample, for scorers of numbers.

``docs/reference/measures.md`` says which scorers these are. An answer without a number is missing: never 0, and never
an error of 0.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tunebook.core.json_text import finite_number
from tunebook.tools.answer_numbers import first_number, number_of
from tunebook.tools.results import Samples

__all__ = [
    "NO_NUMBER",
    "Numbers",
    "is_absolute_error",
    "is_number_error",
    "number_scorers",
    "read_numbers",
]

NO_NUMBER = "the answer has no number"
"""Why the answers that count against the parse rate are unusable."""
PREDICTED, TARGET = "predicted", "target"
_ABSOLUTE = re.compile(r"mae|abs(olute)?_error|mean_absolute_error", re.IGNORECASE)
_OTHER_ERROR = re.compile(r"r?mse|mape|squared_error|(root_)?mean_squared_error", re.IGNORECASE)
_ROUNDING = 1e-6  # relative, of logged errors


@dataclass(frozen=True)
class Numbers:
    """The usable answers of one scorer in one evaluation, in columns of equal length, and why the others are not.

    Attributes:
        places: of the answers among the evaluation's; a sample that is asked several times has several.
        ids: of their samples.
        unparsed: the places of answers without a number, whose target is a number.
        answers: how many the evaluation has.
        unusable: reason to the number of answers that cannot be used.
    """

    scorer: str
    places: tuple[int, ...] = ()
    ids: tuple[str, ...] = ()
    predicted: tuple[float, ...] = ()
    targets: tuple[float, ...] = ()
    unparsed: tuple[int, ...] = ()
    answers: int = 0
    unusable: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


def is_absolute_error(measure: str) -> bool:
    """Whether a measure's name says that its values are absolute errors."""
    return _ABSOLUTE.fullmatch(measure.rpartition("/")[2]) is not None


def is_number_error(measure: str) -> bool:
    """Whether a measure's name says that its values are errors of numbers."""
    return is_absolute_error(measure) or _OTHER_ERROR.fullmatch(measure.rpartition("/")[2]) is not None


def number_scorers(samples: Samples) -> list[str]:
    """The scorers of numbers: their metadata has ``predicted``, or the name of their measure is that of an error."""
    found: dict[str, None] = {}
    for name in samples.score_metadata:
        scorer, _, key = name.rpartition("/")
        if key == PREDICTED:
            found[scorer] = None
    for name in samples.values:
        if is_number_error(name):
            found[name.rpartition("/")[0] or name] = None
    return list(found)


def read_numbers(samples: Samples, scorer: str) -> Numbers:
    """The numbers of one scorer."""
    predictions, targets = _predictions(samples, scorer), _targets(samples, scorer)
    logged = _logged_errors(samples, scorer)
    places: list[int] = []
    unparsed: list[int] = []
    unusable: Counter[str] = Counter()
    for place, (predicted, target) in enumerate(zip(predictions, targets, strict=True)):
        if target is None:
            unusable["the target is not a number"] += 1
        elif predicted is None:
            unusable[NO_NUMBER] += 1
            unparsed.append(place)
        elif _contradicts(logged[place], abs(predicted - target)):
            unusable["the logged error is not that of the number that was found"] += 1
        else:
            places.append(place)
    return Numbers(
        scorer,
        places=tuple(places),
        ids=tuple(samples.ids[place] for place in places),
        predicted=tuple(predictions[place] or 0.0 for place in places),
        targets=tuple(targets[place] or 0.0 for place in places),
        unparsed=tuple(unparsed),
        answers=len(samples.ids),
        unusable=MappingProxyType(dict(unusable.most_common())),
    )


def _predictions(samples: Samples, scorer: str) -> list[float | None]:
    """The numbers that the scorer found, if it names them; otherwise the first number of each answer."""
    given = samples.score_metadata.get(f"{scorer}/{PREDICTED}")
    if given is None:
        return [first_number(answer) for answer in samples.answers]
    return [_as_number(value) for value in given]


def _targets(samples: Samples, scorer: str) -> list[float | None]:
    given: tuple[Any, ...] = samples.score_metadata.get(f"{scorer}/{TARGET}", (None,) * len(samples.ids))
    found = []
    for value, text in zip(given, samples.targets, strict=True):
        found.append(_as_number(text if value is None else value))
    return found


def _as_number(value: Any) -> float | None:
    """A number, or a text that is nothing but a number and its ``,``, ``$`` and ``%``."""
    if isinstance(value, str):
        return number_of(value)
    return finite_number(value)


def _logged_errors(samples: Samples, scorer: str) -> tuple[float | None, ...]:
    """The absolute errors that the scorer itself logged."""
    for name, values in samples.values.items():
        if is_absolute_error(name) and scorer in {name, name.rpartition("/")[0]}:
            return values
    return (None,) * len(samples.ids)


def _contradicts(logged: float | None, error: float) -> bool:
    return logged is not None and not math.isclose(logged, error, rel_tol=_ROUNDING, abs_tol=1e-9)
