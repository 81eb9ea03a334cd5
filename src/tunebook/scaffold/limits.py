"""Compares what a job asks for with what the cluster's partitions give, as `tunebook site init` found them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunebook.core.jobs import Resources
from tunebook.core.site import NodeLimits, Site
from tunebook.core.units import megabytes, spoken_duration
from tunebook.errors import Problem

__all__ = ["limit_problems"]

_HINT = "ask for less, or name another partition; if the table is out of date, `tunebook site init` writes it again"


def limit_problems(resources: Resources, site: Site) -> tuple[Problem, ...]:
    """Why no node can run such a job; empty if one can, or if nothing is known about the nodes."""
    names = [name for name in resources.partition.split(",") if name]
    partitions = [item for item in site.nodes if item.partition in names or (not names and item.is_default)]
    problems: Sequence[Problem] = ()
    for partition in partitions:
        problems = [Problem(text, site.file, partition.line, _HINT) for text in _exceeded(resources, partition)]
        if not problems:
            return ()
    return tuple(problems)


def _exceeded(resources: Resources, partition: NodeLimits) -> Iterator[str]:
    name = partition.partition
    time, memory_gb = resources.time_min, megabytes(resources.memory) / 1024
    if time and partition.time_min and time > partition.time_min:
        longest = spoken_duration(60 * partition.time_min)
        yield f"a job asks for {spoken_duration(60 * time)}, but partition {name} gives at most {longest}"
    if partition.memory_gb and memory_gb > partition.memory_gb:
        yield f"a job asks for {resources.memory} of memory, but a node of {name} has {partition.memory_gb} GB"
    if partition.cpus and resources.cpus > partition.cpus:
        yield f"a job asks for {resources.cpus} CPUs, but a node of {name} has {partition.cpus}"
    if resources.gpus > partition.gpus:
        yield f"a job asks for {resources.gpus} GPU(s), but a node of {name} has {partition.gpus}"
