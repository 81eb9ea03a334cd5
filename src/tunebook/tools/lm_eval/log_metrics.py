"""The numbers that lm-evaluation-harness itself gives for an evaluation: of a benchmark, or of a group of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from tunebook.core.json_text import finite_number
from tunebook.core.measures import Direction
from tunebook.tools.results import LoggedMetric

__all__ = ["logged_directions", "logged_metrics", "measure_name"]

_MEAN = "mean"
_STDERR = "_stderr"


def measure_name(metric: str, filtering: str, filters: set[str]) -> str:
    """The metric's name, with that of the filter where answers are filtered in several ways."""
    return metric if len(filters) == 1 else f"{metric}/{filtering}"


def logged_metrics(results: Mapping[str, Any]) -> dict[str, tuple[LoggedMetric, ...]]:
    """The metrics by measure: a group's own values, otherwise those of the first benchmark, as ``status`` does."""
    benchmarks = list(results["configs"])
    shown = _shown(results)
    values = results["results"].get(shown) or results.get("groups", {}).get(shown) or {}
    filters = {key.partition(",")[2] for key in values if "," in key}
    found = {}
    for metric, filtering, value in _numbers(values):
        measure = measure_name(metric, filtering, filters)
        if len(benchmarks) == 1:
            found[measure] = _of_benchmark(results["configs"][shown], metric, value)
        elif shown in results["configs"]:
            note = f"it has no value of its {len(benchmarks)} benchmarks together, and this is that of {shown}"
            found[measure] = LoggedMetric(f"{_MEAN} of {shown}", value, note=note)
        else:
            found[measure] = _of_group(results, f"{metric},{filtering}", value)
    return {measure: (metric,) for measure, metric in found.items()}


def logged_directions(results: Mapping[str, Any]) -> dict[str, Direction]:
    """Which values of a measure are better, where lm-eval says it and its benchmarks agree."""
    said: dict[str, set[bool]] = {}
    for task in results["configs"]:
        values = results["results"].get(task) or {}
        own = results.get("higher_is_better", {}).get(task) or _of_config(results["configs"][task])
        filters = {key.partition(",")[2] for key in values if "," in key}
        for metric, filtering, _ in _numbers(values):
            if isinstance(own.get(metric), bool):
                said.setdefault(measure_name(metric, filtering, filters), set()).add(own[metric])
    directions = {}
    for measure, answers in said.items():
        if len(answers) == 1:
            directions[measure] = Direction.HIGHER if True in answers else Direction.LOWER
    return directions


def _of_config(config: Mapping[str, Any]) -> dict[str, Any]:
    return {str(each["metric"]): each.get("higher_is_better") for each in config.get("metric_list") or ()}


def _shown(results: Mapping[str, Any]) -> str:
    """The group that is part of no other one, or the first benchmark."""
    groups = list(results.get("groups") or ())
    children = results.get("group_subtasks") or {}
    inner = {name for group in groups for name in children.get(group, ())}
    outer = [group for group in groups if group not in inner]
    return str(next(iter([*outer, *groups, *results["configs"]])))


def _numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Each metric with its filter and its value, without standard errors."""
    for key, value in values.items():
        metric, comma, filtering = key.partition(",")
        number = finite_number(value)
        if comma and number is not None and not metric.endswith(_STDERR):
            yield metric, filtering, number


def _of_benchmark(config: Mapping[str, Any], metric: str, value: float) -> LoggedMetric:
    aggregations = {str(each["metric"]): each.get("aggregation") for each in config.get("metric_list") or ()}
    aggregation = aggregations.get(metric)
    name = aggregation if isinstance(aggregation, str) and aggregation.isidentifier() else metric
    return LoggedMetric(name, value, is_mean=name == _MEAN)


def _of_group(results: Mapping[str, Any], key: str, value: float) -> LoggedMetric:
    """A group's value: the mean over all samples, or over its benchmarks, whatever their sizes."""
    means, sizes = [], []
    for task in results["configs"]:
        own = (results["results"].get(task) or {}).get(key)
        if isinstance(own, int | float):
            means.append(float(own))
            sizes.append(int(results["n-samples"][task]["effective"]))
    if not means or not sum(sizes):
        return LoggedMetric(_MEAN, value)
    by_size = sum(mean * size for mean, size in zip(means, sizes, strict=True)) / sum(sizes)
    note = ""
    if not _is_same(value, by_size):
        note = f"it averages {len(means)} benchmarks in a way of its own"
        if _is_same(value, fmean(means)):
            note = f"it gives each of its {len(means)} benchmarks the same weight, whatever its number of samples"
    return LoggedMetric(_MEAN, value, is_mean=not note, note=note)


def _is_same(value: float, other: float) -> bool:
    return math.isclose(value, other, rel_tol=1e-6, abs_tol=1e-9)
