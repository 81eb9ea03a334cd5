"""From samples to scores: each measure's mean with its interval, and each sample's value over its repetitions. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean, stdev

from tunebook.analysis.collect.experiment import Collected
from tunebook.analysis.collect.records import EvaluationKey, Score
from tunebook.analysis.intervals import LEVEL, mean_interval
from tunebook.tools.results import Samples

__all__ = ["by_sample", "is_binary", "score_of", "with_scores"]


def by_sample(samples: Samples, measure: str) -> Mapping[str, float]:
    """Sample id to its value: the mean over its repetitions; samples without a value are left out."""
    found: dict[str, list[float]] = {}
    for sample, value in zip(samples.ids, samples.values.get(measure, ()), strict=False):
        if value is not None:
            found.setdefault(sample, []).append(value)
    return {sample: values[0] if len(values) == 1 else fmean(values) for sample, values in found.items()}


def is_binary(values: Mapping[str, float]) -> bool:
    """Whether every sample is right or wrong; of no samples it is not known."""
    return bool(values) and set(values.values()) <= {0.0, 1.0}


def with_scores(found: Collected) -> Collected:
    """Scores every evaluation that has a log that counts, by each of its measures."""
    evaluations = []
    for evaluation in found.evaluations:
        key = evaluation.key
        if key in found.samples:
            samples, means = found.samples[key], found.headers[key].means
            scores = tuple(score_of(key, measure, samples, means) for measure in samples.values)
            evaluations.append(replace(evaluation, scores=scores))
        else:
            evaluations.append(evaluation)
    return replace(found, evaluations=tuple(evaluations))


def score_of(
    key: EvaluationKey,
    measure: str,
    samples: Samples,
    means: Mapping[str, tuple[str, float]],
    *,
    level: float = LEVEL,
) -> Score:
    """One measure of one evaluation.

    Args:
        means: measure to the name and the value of the mean that the log itself gives.
    """
    values = by_sample(samples, measure)
    numbers = list(values.values())
    binary = is_binary(values)
    metric, logged = means.get(measure, ("", None))
    return Score(
        evaluation=key,
        measure=measure,
        value=fmean(numbers) if numbers else None,
        n=len(numbers),
        interval=mean_interval(numbers, is_binary=binary, level=level) if numbers else None,
        is_binary=binary,
        stderr=stdev(numbers) / math.sqrt(len(numbers)) if len(numbers) > 1 else None,
        logged=logged,
        logged_metric=metric,
        answers=sum(1 for value in samples.values.get(measure, ()) if value is not None),
    )
