"""Letters among numbers: a scorer that gives numbers writes a letter for a missing one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tunebook.analysis.records import EvaluationKey
from tunebook.core.measures import is_error
from tunebook.tools.results import Samples

__all__ = ["without_letters"]

_NUMBER, _NOTHING = ".", " "


def without_letters(samples: Mapping[EvaluationKey, Samples]) -> dict[EvaluationKey, Samples]:
    """The samples in which letters among numbers are missing values.

    A measure of a task has numbers if any of the task's evaluations logged one, or if its name is that of an error.
    Otherwise its letters are grades.
    """
    numbers: set[tuple[str, str]] = set()
    for key, found in samples.items():
        for measure, values in found.values.items():
            marks = found.letters.get(measure)
            has_number = any(value is not None for value in values) if marks is None else _NUMBER in marks
            if has_number or is_error(measure):
                numbers.add((key.task, measure))
    cleared = {}
    for key, found in samples.items():
        mixed = [measure for measure in found.letters if (key.task, measure) in numbers]
        cleared[key] = _cleared(found, mixed) if mixed else found
    return cleared


def _cleared(samples: Samples, measures: list[str]) -> Samples:
    values = dict(samples.values)
    for measure in measures:
        marked = zip(values[measure], samples.letters[measure], strict=True)
        values[measure] = tuple(value if mark in {_NUMBER, _NOTHING} else None for value, mark in marked)
    return replace(samples, values=values)
