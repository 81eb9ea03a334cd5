"""Sorts jobs into the batches that go to SLURM with one call each: arrays of like jobs, and single jobs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tunebook.core.jobs import Resources, Stage
from tunebook.executors.base import Batch, Submission

__all__ = ["into_batches"]

_TASK_ID = re.compile(r"(\d+)_(\d+)")


@dataclass(frozen=True)
class _Likeness:
    """The properties that the tasks of one array share.

    Attributes:
        parent: the array whose tasks the jobs wait for; empty if they wait for none.
        ordinal: counts the jobs that wait for one task: each goes into another array.
    """

    resources: Resources
    stage: Stage
    parent: str = ""
    ordinal: int = 0


def into_batches(
    waiting: Sequence[Submission], *, alone: Collection[str] = (), smallest: int, largest: int
) -> tuple[Batch, ...]:
    """Returns the batches: arrays first, single jobs behind them, each in the order given.

    Like are jobs of one stage that ask for the same resources. Jobs that wait for another job become an array if the
    jobs that they wait for are tasks of one array: each then gets its parent's number, by which ``aftercorr`` goes.

    Args:
        waiting: the jobs.
        alone: the names of jobs that are submitted one by one. An array's header is written from the resources, so
            that a person's edit of a script's own header applies only where that script itself is submitted.
        smallest: the number of jobs from which on they become an array.
        largest: the number of tasks that one array may have.
    """
    groups: dict[_Likeness, list[tuple[int, Submission]]] = {}
    siblings: dict[tuple[Resources, str], int] = {}
    singles: list[Submission] = []
    for submission in waiting:
        job = submission.job
        parent = _parent_task(submission)
        if job.name in alone or (submission.after and parent is None):
            singles.append(submission)
        elif parent is None:
            group = groups.setdefault(_Likeness(job.resources, job.stage), [])
            group.append((len(group) % largest, submission))
        else:
            place = (job.resources, submission.after[0])
            siblings[place] = siblings.get(place, 0) + 1
            array, number = parent
            group = groups.setdefault(_Likeness(job.resources, job.stage, array, siblings[place]), [])
            group.append((number, submission))
    arrays: list[Batch] = []
    for group in groups.values():
        if len(group) < smallest:
            singles += [submission for _, submission in group]
        else:
            arrays += _arrays(group, largest)
    return (*arrays, *(Batch((submission,)) for submission in singles))


def _parent_task(submission: Submission) -> tuple[str, int] | None:
    """Returns the array and the number of the only task that the job waits for."""
    if len(submission.after) != 1:
        return None
    task = _TASK_ID.fullmatch(submission.after[0])
    if task is None:
        return None
    return task[1], int(task[2])


def _arrays(group: Sequence[tuple[int, Submission]], largest: int) -> Iterator[Batch]:
    for start in range(0, len(group), largest):
        numbers, members = zip(*group[start : start + largest], strict=True)
        if len(members) == 1:
            numbers = ()
        yield Batch(members, numbers)
