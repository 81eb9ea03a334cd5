"""Samples that a task asks several times and scores once: by the task's own reducers, which may not be a mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tunebook.tools.inspect.log_headers import reducers_of
from tunebook.tools.inspect.score_values import Flat, flat_scores
from tunebook.tools.results import Samples

__all__ = ["reduced_samples"]

_MEAN = ["mean"]  # inspect-ai's default, which every analysis of repetitions takes too
_OF_WORDS = "w"  # the mark of a number that a reducer made of letters


def reduced_samples(log: Any, samples: Samples) -> Samples:
    """Each sample once, with the scores that the log's reducers give it; unchanged where the only reducer is the mean.

    The first reducer gives a measure its values; what the others make of it are the measures ``MEASURE/REDUCER``. A
    sample's prompt and answer are those of its first repetition.

    Args:
        log: the header, as inspect-ai's ``read_eval_log`` returns it.
    """
    reducers = reducers_of(log)
    if not reducers or reducers == _MEAN:
        return samples
    places: dict[str, int] = {}
    for place, name in enumerate(samples.ids):
        places.setdefault(name, place)
    values: dict[str, tuple[float | None, ...]] = {}
    letters: dict[str, str] = {}
    for number, reducer in enumerate(reducers):
        found = _by_sample(log, reducer)
        numbers = [found.get(name, Flat()) for name in places]
        for measure in samples.values:
            name = measure if number == 0 else f"{measure}/{reducer}"
            values[name] = tuple(flat.values.get(measure) for flat in numbers)
            if measure in samples.letters:
                letters[name] = _letters(samples, measure, places, numbers)
    return _picked(samples, tuple(places.values()), values, letters)


def _by_sample(log: Any, reducer: str) -> dict[str, Flat]:
    """The reduced score of each sample, by the sample's id."""
    scores: dict[str, dict[str, Any]] = {}
    for reduction in log.reductions or ():
        if reduction.reducer == reducer:
            for score in reduction.samples:
                scores.setdefault(str(score.sample_id), {})[reduction.scorer] = score.value
    return {name: flat_scores(values) for name, values in scores.items()}


def _letters(samples: Samples, measure: str, places: Mapping[str, int], numbers: Sequence[Flat]) -> str:
    """The mark of each sample's value: a letter that the reducer chose, or that letters are in its number."""
    marks: dict[str, set[str]] = {}
    for name, mark in zip(samples.ids, samples.letters[measure], strict=True):
        marks.setdefault(name, set()).add(mark)
    found = []
    for name, number in zip(places, numbers, strict=True):
        mark = number.letters.get(measure, " ")
        if mark == "." and marks[name] - {".", " "}:
            mark = _OF_WORDS
        found.append(mark)
    return "".join(found)


def _picked(
    samples: Samples,
    places: Sequence[int],
    values: Mapping[str, tuple[float | None, ...]],
    letters: Mapping[str, str],
) -> Samples:
    """The samples at some places, with other values."""

    def of(column: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(column[place] for place in places) if column else ()

    return replace(
        samples,
        ids=of(samples.ids),
        repeats=(1,) * len(places),
        prompts=of(samples.prompts),
        targets=of(samples.targets),
        answers=of(samples.answers),
        errors=of(samples.errors),
        cut=of(samples.cut),
        values=values,
        letters=letters,
        metadata={name: of(column) for name, column in samples.metadata.items()},
        score_metadata={name: of(column) for name, column in samples.score_metadata.items()},
    )
