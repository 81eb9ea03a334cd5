"""Reads the records of how a sweep's results came about, each run's once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tunebook.analysis.collect.source import Source
from tunebook.analysis.records import RunRecord
from tunebook.artifacts.provenance import JobProvenance, read_provenance

__all__ = ["RecordedJob", "recorded_jobs"]


@dataclass(frozen=True)
class RecordedJob:
    """The record of one job, with the name of its run."""

    run: str
    record: JobProvenance


def recorded_jobs(source: Source, runs: Iterable[RunRecord]) -> Iterator[RecordedJob]:
    """The records of all scaffolded jobs; those of tasks that the plan has no more are left out."""
    scaffolded = {facts.job.name for facts in source.jobs}
    for run in runs:
        for record in read_provenance(source.experiment / run.directory):
            if record.job in scaffolded:
                yield RecordedJob(run.name, record)
