"""Reads the predicted probability of an outcome, and the outcome, of each sample out of a scorer's metadata.

``docs/reference/measures.md`` is the contract that scorers follow. A sample that breaks it is unusable, and is
counted with its reason: nothing is guessed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tunebook.tools.results import Samples

__all__ = ["OPTION_PROBS", "RISK_FROM", "RISK_SCORE", "Risks", "read_risks", "risk_scorers"]

RISK_SCORE, OPTION_PROBS, OPTIONS, TARGET, RISK_FROM = "risk_score", "option_probs", "options", "target", "risk_from"
_ROUNDING = 0.01  # of probabilities that a scorer rounded before it logged them

_Probabilities = tuple[float, float]  # of the first and of the last option


class _Unusable(Exception):  # noqa: N818  it ends the reading of one sample
    """The reason why a sample's risk cannot be used."""


@dataclass(frozen=True)
class Risks:
    """The usable answers of one scorer in one evaluation, in columns of equal length, and why the others are not.

    Attributes:
        places: of the answers among the evaluation's; a sample that is asked several times has several.
        ids: of their samples.
        risks: the predicted probability of the last option.
        outcomes: 1 where the last option is the target, otherwise 0.
        confidences: the probability of the more probable option.
        rights: 1 where the more probable option is the target, otherwise 0; 0.5 counts as the last option.
        answers: how many the evaluation has.
        unusable: reason to the number of answers that cannot be used.
    """

    scorer: str
    places: tuple[int, ...] = ()
    ids: tuple[str, ...] = ()
    risks: tuple[float, ...] = ()
    outcomes: tuple[int, ...] = ()
    confidences: tuple[float, ...] = ()
    rights: tuple[int, ...] = ()
    answers: int = 0
    unusable: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


def risk_scorers(samples: Samples) -> list[str]:
    """The scorers whose metadata has a predicted probability."""
    found: dict[str, None] = {}
    for name in samples.score_metadata:
        scorer, _, key = name.rpartition("/")
        if key in {RISK_SCORE, OPTION_PROBS, RISK_FROM}:
            found[scorer] = None
    return list(found)


def read_risks(samples: Samples, scorer: str) -> Risks:
    """The risks of one scorer."""
    places: list[int] = []
    pairs: list[_Probabilities] = []
    outcomes: list[int] = []
    unusable: Counter[str] = Counter()
    for place in range(len(samples.ids)):
        try:
            pair, labels = _probabilities(samples, scorer, place)
            outcome = _outcome(samples, scorer, place, labels)
        except _Unusable as reason:
            unusable[str(reason)] += 1
            continue
        places.append(place)
        pairs.append(pair)
        outcomes.append(outcome)
    predicted = [int(last >= first) for first, last in pairs]
    return Risks(
        scorer,
        places=tuple(places),
        ids=tuple(samples.ids[place] for place in places),
        risks=tuple(last for _, last in pairs),
        outcomes=tuple(outcomes),
        confidences=tuple(map(max, pairs)),
        rights=tuple(int(one == other) for one, other in zip(predicted, outcomes, strict=True)),
        answers=len(samples.ids),
        unusable=MappingProxyType(dict(unusable.most_common())),
    )


def _metadata(samples: Samples, scorer: str, key: str, place: int) -> Any:
    column = samples.score_metadata.get(f"{scorer}/{key}")
    return None if column is None else column[place]


def _probabilities(samples: Samples, scorer: str, place: int) -> tuple[_Probabilities, list[str]]:
    """The probabilities of the two options, and the options' labels, which are empty where none are known."""
    given = _metadata(samples, scorer, OPTION_PROBS, place)
    labels = _labels(_metadata(samples, scorer, OPTIONS, place), given)
    risk = _metadata(samples, scorer, RISK_SCORE, place)
    if given is None:
        if risk is None:
            risk = _elsewhere(samples, scorer, place)
        elif not _is_probability(risk):
            raise _Unusable(f"`{RISK_SCORE}` is not a number from 0 to 1")
        return (1 - risk, float(risk)), labels
    first, last = _pair(given)
    if risk is not None and not (_is_probability(risk) and abs(risk - last) <= _ROUNDING):
        raise _Unusable(f"`{RISK_SCORE}` is not the last one of `{OPTION_PROBS}`")
    return (first, last), labels


def _pair(given: Any) -> _Probabilities:
    probabilities: Sequence[Any] = list(given.values()) if isinstance(given, dict) else given
    if not isinstance(probabilities, list) or len(probabilities) != 2:  # noqa: PLR2004  a binary outcome
        raise _Unusable(f"`{OPTION_PROBS}` does not have two options")
    if not all(map(_is_probability, probabilities)):
        raise _Unusable(f"`{OPTION_PROBS}` has something else than numbers from 0 to 1")
    first, last = map(float, probabilities)
    if abs(first + last - 1) > _ROUNDING:
        raise _Unusable(f"the sum of `{OPTION_PROBS}` is not 1")
    return first, last


def _labels(options: Any, given: Any) -> list[str]:
    """The labels of the options, first those that the scorer lists."""
    if isinstance(options, list):
        labels: Iterable[Any] = options
    elif isinstance(given, dict):
        labels = given
    else:
        return []
    found = [str(label).strip() for label in labels]
    if len(found) != 2 or found[0] == found[1]:  # noqa: PLR2004  a binary outcome
        raise _Unusable(f"`{OPTIONS}` does not name two options")
    return found


def _elsewhere(samples: Samples, scorer: str, place: int) -> float:
    """The risk that is the answer itself, or the scorer's value, where the metadata says so."""
    source = _metadata(samples, scorer, RISK_FROM, place)
    if source == "value":
        value = samples.values[scorer][place] if scorer in samples.values else None
        if not _is_probability(value):
            raise _Unusable("the scorer's value is not a number from 0 to 1")
        return float(value or 0)
    if source != "answer":
        raise _Unusable(f"`{RISK_SCORE}` is missing")
    try:
        number = float(samples.answers[place].replace("_", "?"))  # Python reads 1_0 as 10
    except ValueError:
        number = math.nan
    if not _is_probability(number):
        raise _Unusable("the answer is not a number from 0 to 1")
    return number


def _is_probability(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= 1


def _outcome(samples: Samples, scorer: str, place: int, labels: Sequence[str]) -> int:
    """1 if the last option is the target, 0 if the first one is."""
    target = _metadata(samples, scorer, TARGET, place)
    if target is None:
        target = samples.targets[place]
    if isinstance(target, str):
        return _outcome_of_text(target.strip(), labels)
    if isinstance(target, int | float) and target in {0, 1}:
        number = int(target)
        text = str(number)
        if text in labels and labels.index(text) != number:
            raise _Unusable(f"the target {number} is a label and an index of two different options")
        return number
    raise _Unusable("the target is neither 0 nor 1 nor one of the two options")


def _outcome_of_text(target: str, labels: Sequence[str]) -> int:
    """A label first, with its own capitals or, where that is clear, with others; otherwise the numbers 0 and 1."""
    if target in labels:
        return labels.index(target)
    folded = [label.casefold() for label in labels]
    if folded.count(target.casefold()) == 1:
        return folded.index(target.casefold())
    if target in {"0", "1", "0.0", "1.0"}:
        return int(float(target))
    raise _Unusable("the target is neither 0 nor 1 nor one of the two options")
