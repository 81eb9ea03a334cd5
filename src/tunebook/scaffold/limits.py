"""Compares what a job asks for with what the cluster's partitions give, as `tunebook site init` found them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from tunebook.core.jobs import Job, Pack, Resources
from tunebook.core.packs import shared_resources
from tunebook.core.site import NodeLimits, Site
from tunebook.core.units import megabytes, spoken_duration
from tunebook.errors import Problem

__all__ = ["limit_problems", "pack_problems"]

_HINT = "ask for less, or name another partition; if the table is out of date, `tunebook site init` writes it again"

_PACK_HINT = "let fewer jobs share one (`Runs per GPU`, `Evaluations per job`), or lower what each asks for"


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


def pack_problems(jobs: Iterable[Job], site: Site) -> Mapping[str, tuple[Problem, ...]]:
    """The runs whose jobs share an allocation that no node can give, with the reasons.

    An allocation is taken for the largest number of jobs that may share it, and of these for the most demanding.
    """
    groups: dict[Pack, list[Job]] = {}
    for job in jobs:
        if job.pack is not None:
            groups.setdefault(job.pack, []).append(job)
    found: dict[str, tuple[Problem, ...]] = {}
    for pack, members in groups.items():
        members.sort(key=lambda job: job.resources.time_min or 0.0, reverse=True)
        together = [job.resources for job in members[: pack.size]]
        problems = limit_problems(shared_resources(pack, together), site)
        words = f"with {len(together)} jobs in one allocation, "
        told = tuple(replace(problem, message=words + problem.message, hint=_PACK_HINT) for problem in problems)
        if told and len(together) > 1:
            found |= {job.run: told for job in members}
    return found


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
