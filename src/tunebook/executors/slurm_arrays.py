"""Which jobs go to SLURM with one call, and the script of an array that runs each task's own script."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from tunebook.core.jobs import Resources
from tunebook.core.quoting import shell_word
from tunebook.core.script_header import header_lines
from tunebook.executors.base import Batch, Submission

__all__ = ["array_ranges", "array_script", "into_batches"]

_ARRAY_ID = re.compile(r"(\d+)_(\d+)")


@dataclass(frozen=True)
class _Key:
    """What the tasks of one array share."""

    resources: Resources
    stage: str
    parent: str = ""
    ordinal: int = 0


def into_batches(
    waiting: Sequence[Submission], *, alone: Collection[str] = (), smallest: int, largest: int
) -> tuple[Batch, ...]:
    """The jobs in the order given, like ones together.

    Like are jobs of one stage that ask for the same resources; of those that wait for another job, the ones whose
    other jobs are tasks of one array: each then gets its parent's number, which is what ``aftercorr`` goes by.

    Args:
        alone: the names of jobs that are submitted one by one. An array's header is written from the resources, so
            that a person's edit of a script's own header applies only where that script itself is submitted.
        smallest: fewer jobs than that are no array.
        largest: more than that are several.
    """
    groups: dict[_Key, list[tuple[int, Submission]]] = {}
    singles: list[Submission] = []
    seen: dict[tuple[Resources, str], int] = {}
    for one in waiting:
        key, index = (None, None) if one.job.name in alone else _key(one, seen)
        if key is None:
            singles.append(one)
            continue
        group = groups.setdefault(key, [])
        group.append((len(group) % largest if index is None else index, one))
    batches: list[Batch] = []
    for group in groups.values():
        if len(group) < smallest:
            singles.extend(one for _, one in group)
            continue
        for start in range(0, len(group), largest):
            chunk = group[start : start + largest]
            indices, members = tuple(index for index, _ in chunk), tuple(one for _, one in chunk)
            batches.append(Batch(members, indices if len(chunk) > 1 else ()))
    return (*batches, *(Batch((one,)) for one in singles))


def _key(one: Submission, seen: dict[tuple[Resources, str], int]) -> tuple[_Key | None, int | None]:
    """The array that a job could be in, and its number if that is given by its parent's."""
    resources, stage = one.job.resources, one.job.stage.value
    if not one.after:
        return _Key(resources, stage), None
    parent = _ARRAY_ID.fullmatch(one.after[0]) if len(one.after) == 1 else None
    if parent is None:
        return None, None
    place = (resources, one.after[0])
    seen[place] = seen.get(place, 0) + 1
    return _Key(resources, stage, parent[1], seen[place]), int(parent[2])


def array_ranges(indices: Iterable[int]) -> str:
    """``0-3,7``: as ``--array`` takes it."""
    parts: list[list[int]] = []
    for index in sorted(indices):
        if parts and index == parts[-1][1] + 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in parts)


@lru_cache
def _body() -> str:
    return (files("tunebook.executors") / "array.sh").read_text(encoding="utf-8")


def array_script(batch: Batch) -> str:
    """A script whose task N runs the script of the member with the number N in that member's own directory."""
    first = batch.members[0]
    lines = ["#!/usr/bin/env bash", *header_lines(first.job.resources)]
    lines += ["set -euo pipefail", 'case "$SLURM_ARRAY_TASK_ID" in']
    for index, member in zip(batch.indices, batch.members, strict=True):
        directory = shell_word(str(member.experiment / member.job.directory))
        script = shell_word(str(member.experiment / member.job.script))
        resume = 1 if member.resume else ""
        lines.append(f"{index}) tag={shell_word(member.tag)} directory={directory} script={script} resume={resume} ;;")
    return "\n".join([*lines, "*) exit 64 ;;", "esac"]) + "\n" + _body()
