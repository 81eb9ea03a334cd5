"""Selects the jobs that a person asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tunebook.core.jobs import Job, Stage
from tunebook.core.parameters import suggestion
from tunebook.errors import UsageError

__all__ = ["LoopOptions", "select"]


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """The jobs that a person wants to run, and how.

    Attributes:
        stage: only this stage; ``None`` for both.
        tool: the short name of the only tool whose jobs are run; ``None`` for all.
        runs: names or globs of runs; empty for all.
        retry_failed: whether jobs that failed in an earlier run are submitted again.
        max_jobs: how many jobs may be queued or running at a time; ``None`` leaves it to the executor.
        poll_s: seconds between two polls; ``None`` leaves it to the executor.
        stagger_s: seconds between two submissions.
        detach: whether to leave as soon as the executor has all jobs that can be submitted.
    """

    stage: Stage | None = None
    tool: str | None = None
    runs: tuple[str, ...] = ()
    retry_failed: bool = False
    max_jobs: int | None = None
    poll_s: float | None = None
    stagger_s: float = 0.0
    detach: bool = False


def select(jobs: Sequence[Job], options: LoopOptions) -> frozenset[str]:
    """Returns the names of the selected jobs.

    Raises:
        UsageError: no job is selected; names those that could be.
    """
    if not jobs:
        raise UsageError("there are no jobs: nothing has been scaffolded here", hint="run `tunebook scaffold` first")
    named = list(jobs)
    if options.runs:
        named = _named(jobs, options.runs)
    if options.stage is not None:
        named = [job for job in named if job.stage is options.stage]
        if not named:
            raise UsageError(f"none of these runs has a job of the stage {options.stage.value}")
    if options.tool is not None:
        named = [job for job in named if job.tool == options.tool]
        if not named:
            raise UsageError(f"none of these runs has a job of {options.tool}")
    return frozenset(job.name for job in named)


def _named(jobs: Sequence[Job], patterns: Sequence[str]) -> list[Job]:
    named: list[Job] = []
    for pattern in patterns:
        fitting = [job for job in jobs if _fits(job, pattern)]
        if not fitting:
            names = dict.fromkeys(job.run for job in jobs)
            raise UsageError(f"no run is called `{pattern}`", hint=suggestion(pattern, names))
        named += fitting
    return named


def _fits(job: Job, pattern: str) -> bool:
    """Compares a pattern with the name of the job's run and with that of its directory."""
    names = (job.run, job.directory.partition("/")[0])
    return any(name == pattern or fnmatchcase(name, pattern) for name in names)
