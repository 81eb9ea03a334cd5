"""A job: one script, what it waits for, and how to tell whether it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

__all__ = ["Job", "JobState", "Stage", "job_from_json", "job_to_json"]


class Stage(Enum):
    """The two stages of an experiment, in their order."""

    PREPARATION = "preparation"
    EVALUATION = "evaluation"


class JobState(Enum):
    """What is known of a job; the values are the words of the page's status tables, and one more."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Job:
    """One script to run; paths are relative to the experiment's directory unless said otherwise.

    Attributes:
        name: unique in the experiment: the script's path without its suffix.
        tool: the tool whose log tells of it (``torchtune``, ``inspect``).
        directory: where the script is started and where its output goes.
        outcome: what the script's exit trap writes: exit code, start, end, host.
        inputs: the files that decide what the job does; a job is done only for the bytes it ran with.
        needs: names of the jobs that must have completed before.
        task: the evaluation's task; ``None`` for training.
        epoch: the zero-based epoch that is evaluated; ``None`` for training and for base models.
        metrics: absolute path of the training's ``metrics.jsonl``.
        result: what an evaluation's script writes about its log.
        checkpoints: absolute paths of directories that a completed training leaves.
        gpus: how many GPUs it needs.
        time_min: its time limit in minutes.
    """

    name: str
    run: str
    stage: Stage
    tool: str
    directory: str
    script: str
    outcome: str
    inputs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    task: str | None = None
    epoch: int | None = None
    metrics: str | None = None
    result: str | None = None
    checkpoints: tuple[str, ...] = ()
    gpus: int = 0
    time_min: float = 60.0


def job_to_json(job: Job) -> dict[str, Any]:
    """The job as a JSON object."""
    return vars(job) | {"stage": job.stage.value}


def job_from_json(document: Mapping[str, Any]) -> Job:
    """The job out of what :func:`job_to_json` made."""
    known = {item.name for item in fields(Job)}
    values: dict[str, Any] = {key: value for key, value in document.items() if key in known}
    values |= {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    values["stage"] = Stage(document["stage"])
    return Job(**values)
