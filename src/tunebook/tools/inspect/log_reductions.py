"""Samples that a task asks several times and scores once: by the task's own reducer, which may be no mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tunebook.tools.results import Samples

__all__ = ["reduced_samples"]

_MEAN = "mean"  # inspect-ai's default, which every analysis of repetitions takes too

Flatten = Callable[[Mapping[str, Any]], dict[str, float | None]]


def reduced_samples(log: Any, samples: Samples, flat: Flatten) -> Samples:
    """Each sample once, with the score that the log's reducer gives it; unchanged where that is the mean.

    Of several reducers the first one counts, unless the mean is one of them. A sample's prompt and answer are those of
    its first repetition.

    Args:
        log: the header, as inspect-ai's ``read_eval_log`` returns it.
        flat: a sample's scores by scorer as numbers by measure.
    """
    reducers = log.eval.config.epochs_reducer or [_MEAN]
    if _MEAN in reducers or max(samples.repeats, default=1) == 1:
        return samples
    scores: dict[str, dict[str, Any]] = {}
    for reduction in log.reductions or ():
        if reduction.reducer == reducers[0]:
            for score in reduction.samples:
                scores.setdefault(str(score.sample_id), {})[reduction.scorer] = score.value
    places: dict[str, int] = {}
    for place, name in enumerate(samples.ids):
        places.setdefault(name, place)
    numbers = [flat(scores.get(name, {})) for name in places]
    return replace(
        samples,
        ids=tuple(places),
        repeats=(1,) * len(places),
        prompts=tuple(samples.prompts[place] for place in places.values()),
        targets=tuple(samples.targets[place] for place in places.values()),
        answers=tuple(samples.answers[place] for place in places.values()),
        errors=tuple(samples.errors[place] for place in places.values()),
        metadata={name: tuple(column[place] for place in places.values()) for name, column in samples.metadata.items()},
        score_metadata={
            name: tuple(column[place] for place in places.values()) for name, column in samples.score_metadata.items()
        },
        values={measure: tuple(number.get(measure) for number in numbers) for measure in samples.values},
    )
