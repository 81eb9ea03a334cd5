"""From samples to scores: each measure's mean with its interval, and each sample's value over its repetitions. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean, stdev

from tunebook.analysis.intervals import LEVEL, mean_interval
from tunebook.analysis.records import EvaluationKey, Samples, Score

__all__ = ["by_sample", "is_binary", "score_of"]

_METRICS = ("accuracy", "mean")  # what inspect-ai calls a plain mean


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


def score_of(
    key: EvaluationKey, measure: str, samples: Samples, metrics: Mapping[str, float], *, level: float = LEVEL
) -> Score:
    """One measure of one evaluation.

    Args:
        metrics: ``SCORER_METRIC`` to the value that the log itself gives.
    """
    values = by_sample(samples, measure)
    numbers = list(values.values())
    binary = is_binary(values)
    metric = next((name for name in _METRICS if f"{measure}_{name}" in metrics), "")
    return Score(
        evaluation=key,
        measure=measure,
        value=fmean(numbers) if numbers else None,
        n=len(numbers),
        interval=mean_interval(numbers, is_binary=binary, level=level) if numbers else None,
        is_binary=binary,
        stderr=stdev(numbers) / math.sqrt(len(numbers)) if len(numbers) > 1 else None,
        logged=metrics.get(f"{measure}_{metric}") if metric else None,
        logged_metric=metric,
        answers=sum(1 for value in samples.values.get(measure, ()) if value is not None),
    )
