"""The resources of an allocation that several jobs share; pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tunebook.core.jobs import Pack, Resources
from tunebook.core.units import megabytes, sbatch_time

__all__ = ["jobs_at_once", "shared_resources"]


def jobs_at_once(pack: Pack, jobs: int) -> int:
    """Returns how many of the jobs run side by side."""
    if pack.at_once is None:
        return max(1, jobs)
    return max(1, min(pack.at_once, jobs))


def shared_resources(pack: Pack, members: Sequence[Resources]) -> Resources:
    """Returns what one allocation for all these jobs asks for.

    GPUs count once, since jobs side by side share them. CPUs and memory are those of the jobs that may run side by
    side, and memory is that of the service too. The time is the sum if one job runs after the other, and also on a GPU,
    on which jobs side by side may take turns. Without a GPU it is that of the longest job if all run side by side, and
    in between the longest that any order can take. A value that one of the jobs leaves to the cluster is left to it.

    Args:
        members: the resources of the jobs; what is not combined is the first job's.
    """
    lanes = jobs_at_once(pack, len(members))
    return replace(
        members[0],
        gpus=max(member.gpus for member in members),
        cpus=_cpus(members, lanes),
        memory=_memory(pack, members, lanes),
        time=_time(members, lanes),
    )


def _cpus(members: Sequence[Resources], lanes: int) -> int:
    cpus = sorted((member.cpus for member in members), reverse=True)
    return sum(cpus[:lanes]) if all(cpus) else 0


def _memory(pack: Pack, members: Sequence[Resources], lanes: int) -> str:
    sizes = sorted((megabytes(member.memory) for member in members), reverse=True)
    if not all(sizes):
        return ""
    total = sum(sizes[:lanes]) + megabytes(pack.memory)
    whole = -int(-total // 1)
    return f"{whole // 1024}G" if whole % 1024 == 0 else f"{whole}M"


def _time(members: Sequence[Resources], lanes: int) -> str:
    times = []
    for member in members:
        if member.time_min is None:
            return ""
        times.append(member.time_min)
    longest = max(times)
    takes_turns = lanes == 1 or any(member.gpus for member in members)
    if takes_turns:
        return sbatch_time(sum(times))
    if lanes >= len(times):
        return sbatch_time(longest)
    return sbatch_time(longest + (sum(times) - longest) / lanes)
