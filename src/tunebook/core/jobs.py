"""Jobs as values: a script, its resources, the jobs that it waits for, and how its end is recorded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from tunebook.core.units import clock_minutes

__all__ = [
    "LOST",
    "NEVER_RAN",
    "NOT_REACHED",
    "RESTARTED",
    "Job",
    "JobState",
    "JobStatus",
    "Pack",
    "Resources",
    "Stage",
    "count_states",
    "job_from_json",
    "job_to_json",
]

LOST = "killed (no outcome file)"
"""The reason of a job that left no trace of its end."""
NEVER_RAN = "DependencyNeverSatisfied"
"""The reason of a job that a scheduler dropped because a job that it waited for had failed."""
NOT_REACHED = "its pack ended before it started"
"""The reason of a job that shared an allocation, and whose turn had not come when the allocation ended."""

RESTARTED = "RESTART of the machine"
"""The reason of a job of this machine that ended with the machine, as in a power cut."""


class Stage(Enum):
    """The two stages of an experiment, in their order."""

    PREPARATION = "preparation"
    EVALUATION = "evaluation"

    __hash__ = object.__hash__  # a sweep looks up millions; Enum's own is slow

    @property
    def noun(self) -> str:
        """What one job of the stage is called."""
        return "training" if self is Stage.PREPARATION else "evaluation"


class JobState(Enum):
    """The state of a job; the values are the words of the plan's status tables, and ``unknown``."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"

    __hash__ = object.__hash__  # a sweep looks up millions; Enum's own is slow

    @property
    def is_going(self) -> bool:
        """Whether the job is queued or running."""
        return self in {JobState.PENDING, JobState.RUNNING}


def count_states(states: Iterable[JobState], order: Sequence[JobState] = tuple(JobState)) -> str:
    """``2 running, 1 failed``: how many jobs are in each state; states that are not in ``order`` are left out."""
    counts = Counter(states)
    return ", ".join(f"{counts[state]:,} {state.value}" for state in order if counts[state])


@dataclass(frozen=True)
class Resources:
    """The resources that a job asks a scheduler for; an empty value leaves the choice to the cluster.

    Attributes:
        time: the time limit in SLURM's notation (``D-HH:MM:SS``), as the plan, the site or a person wrote it.
        memory: host memory with its unit, such as ``48G``.
        cpus: CPU cores; 0 leaves the number to the cluster.
        gpu_type: the kind of GPU as the cluster names it, such as ``a100``.
        gpu_syntax: ``gres``, ``gpus`` or ``gpus-per-node``: the option of ``sbatch`` with which this cluster takes
            requests for GPUs.
        mail_type: the events that are mailed to ``mail_user``; empty is the job's end and its failure.
    """

    time: str = ""
    memory: str = ""
    cpus: int = 0
    gpus: int = 0
    gpu_type: str = ""
    gpu_syntax: str = "gres"
    account: str = ""
    partition: str = ""
    constraint: str = ""
    qos: str = ""
    mail_user: str = ""
    mail_type: str = ""

    @property
    def time_min(self) -> float | None:
        """The time limit in minutes; ``None`` if it is left to the cluster."""
        return clock_minutes(self.time)


_ANY_RESOURCES = Resources()


@dataclass(frozen=True)
class Pack:
    """How a job may share one allocation with other jobs; each keeps its own script, outcome, output and retry.

    Attributes:
        key: jobs with equal keys, and equal values of the other attributes, may share an allocation.
        size: the largest number of jobs in one allocation; ``None`` is any number.
        at_once: how many of them run side by side; ``None`` is all. Jobs side by side share the GPUs.
        mps: whether jobs side by side share a GPU through CUDA MPS where its program is installed.
        service: a script that runs beside the jobs and ends after them, relative to the experiment's directory; empty
            for none.
        memory: host memory of the service with its unit; empty for a service that needs no more than the jobs ask for.
    """

    key: str
    size: int | None = None
    at_once: int | None = None
    mps: bool = False
    service: str = ""
    memory: str = ""


@dataclass(frozen=True)
class Job:
    """One script to run; paths are relative to the experiment's directory except where stated.

    Attributes:
        name: unique in the experiment: the script's path without its suffix.
        tool: the short name of the tool in whose log the job is recorded.
        directory: the directory in which the script starts and into which its output goes.
        outcome: the file that the script's exit trap writes: exit code, start, end, host.
        texts: scripts and configurations that decide what the job does. Their digests leave out ``#SBATCH`` lines,
            and the places of the experiment and of the job's inputs.
        data: data sets, each a file or a directory, whose whole content decides what the job does.
        models: directories of models whose configuration, tokenizer and weights decide what the job does. The paths of
            texts, data and models are relative to the experiment's directory, or absolute outside of it.
        needs: names of the jobs that must have completed before.
        task: the evaluation's task; ``None`` for training.
        epoch: the zero-based epoch that is evaluated; ``None`` for training and for base models.
        metrics: absolute path of the training's ``metrics.jsonl``.
        result: the file that an evaluation's script writes about its log.
        checkpoints: absolute paths of the directories that a completed training leaves.
        resources: the resources that it asks a scheduler for; the script's header is written from these values.
        pack: how it may share an allocation with other jobs; ``None`` for a job that never does.
        estimate_min: the minutes that the plan estimates; ``None`` without an estimate.
    """

    name: str
    run: str
    stage: Stage
    tool: str
    directory: str
    script: str
    outcome: str
    texts: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    task: str | None = None
    epoch: int | None = None
    metrics: str | None = None
    result: str | None = None
    checkpoints: tuple[str, ...] = ()
    resources: Resources = _ANY_RESOURCES
    pack: Pack | None = None
    estimate_min: float | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Texts, data and models: a job is completed only for the content with which it ran."""
        return (*self.texts, *self.data, *self.models)


@dataclass(frozen=True)
class JobStatus:
    """The state of a job as its executor reports it.

    Attributes:
        reason: why it waits or failed, as the plan's status tables say it: ``TIMEOUT``, ``exit code 1``.
        started: ISO 8601 with the time zone, or empty; so is ``ended``.
    """

    state: JobState
    reason: str = ""
    node: str = ""
    started: str = ""
    ended: str = ""


def job_to_json(job: Job) -> dict[str, Any]:
    """Converts the job to a JSON object, whose resources are those that differ from the cluster's choice."""
    resources = {name: value for name, value in vars(job.resources).items() if value != getattr(_ANY_RESOURCES, name)}
    pack = None if job.pack is None else dict(vars(job.pack))
    return vars(job) | {"stage": job.stage.value, "resources": resources, "pack": pack}


def job_from_json(document: Mapping[str, Any]) -> Job:
    """Converts an object of :func:`job_to_json` back to the job.

    Raises:
        TypeError: a field is missing or unknown, or its value has another type.
        KeyError: the stage is missing.
        ValueError: the stage is unknown.
    """
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in document.items()
    }
    values["stage"] = Stage(document["stage"])
    values["resources"] = _resources(*document.get("resources", {}).items())
    if values.get("pack") is not None:
        values["pack"] = Pack(**values["pack"])
        _refuse_other_types(vars(values["pack"]), Pack)
    _refuse_other_types(values, Job)
    return Job(**values)


@lru_cache(maxsize=256)
def _resources(*items: tuple[str, Any]) -> Resources:
    """The resources of a manifest's job: many jobs of a sweep ask for the same."""
    resources = Resources(**dict(items))
    _refuse_other_types(vars(resources), Resources)
    return resources


def _refuse_other_types(values: Mapping[str, Any], kind: type) -> None:
    """Accepts values that have the types of a data class.

    Raises:
        TypeError: one of them has another type.
    """
    types = _types_of(kind)
    for name, value in values.items():
        found = type(value)
        if found not in types.get(name, ()):
            raise TypeError(f"{name} is of type {found.__name__}")
        if found is float and not math.isfinite(value):
            raise TypeError(f"{name} is not a number")
        if found is tuple and not all(isinstance(item, str) for item in value):
            raise TypeError(f"{name} has an item that is not a text")


@lru_cache(maxsize=8)
def _types_of(kind: type) -> Mapping[str, tuple[type, ...]]:
    """The name of each field of a data class to the types of its values; all tuples are of texts."""
    found = {}
    for name, hint in get_type_hints(kind).items():
        members = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        types = [get_origin(member) or member for member in members]
        if float in types:
            types.append(int)
        found[name] = tuple(types)
    return found
