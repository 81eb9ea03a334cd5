"""The places of a job: those that it may write to, and those of its results."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tunebook.core.jobs import Job

__all__ = ["folders_of_results", "own_places"]


def own_places(job: Job, experiment: Path) -> Iterator[str]:
    """The script that is started, and the places inside the experiment that it writes to, relative to that."""
    yield from (job.script, job.directory, job.outcome, f"{job.directory}/logs", f"{job.directory}/artifacts")
    inside = f"{experiment}/"
    for path in (job.result, job.metrics, *job.checkpoints):
        if path and (not path.startswith("/") or path.startswith(inside)):  # others are where the site puts them
            yield path.removeprefix(inside)


def folders_of_results(job: Job, experiment: Path) -> tuple[str, ...]:
    """The directories in which the files appear that a job leaves."""
    files = [job.outcome, *job.checkpoints]
    if job.result:
        files.append(job.result)
    folders = {os.path.dirname(os.path.join(experiment, file)): None for file in files}  # noqa: PTH118, PTH120
    return tuple(folders)
