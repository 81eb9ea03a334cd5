"""Reads from the disk what was recorded of the jobs, and has it judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunebook.artifacts.checkpoints import missing_checkpoints
from tunebook.artifacts.outcome import read_outcome
from tunebook.artifacts.result import read_result
from tunebook.core.input_digests import InputDigests
from tunebook.core.jobs import Job, Stage
from tunebook.disk.deviations import read_deviation
from tunebook.disk.inputs import InputReader
from tunebook.disk.ledger import Ledger, LedgerEntry, read_ledger
from tunebook.errors import PlanError
from tunebook.run.verdict import Evidence, Verdict, judge

__all__ = ["Survey", "gather", "survey"]


@dataclass(frozen=True)
class Survey:
    """All jobs, each behind those that it needs; evidence and verdicts by the job's name."""

    jobs: tuple[Job, ...]
    evidence: Mapping[str, Evidence]
    verdicts: Mapping[str, Verdict]
    ledger: Ledger
    reader: InputReader


def survey(jobs: Sequence[Job], experiment: Path) -> Survey:
    """Reads and judges every job; asks no executor.

    Raises:
        PlanError: two jobs have one name, or jobs need each other or missing jobs.
    """
    ledger = read_ledger(experiment)
    ordered = _in_order(jobs)
    evidence: dict[str, Evidence] = {}
    verdicts: dict[str, Verdict] = {}
    reader = InputReader(experiment)
    seen: dict[str, str] = {}
    for job in ordered:
        evidence[job.name] = gather(job, experiment, ledger.entries.get(job.name), reader, seen)
        needs = [(evidence[need], verdicts[need]) for need in job.needs]
        verdicts[job.name] = judge(job, evidence[job.name], needs)
    reader.save()
    return Survey(ordered, evidence, verdicts, ledger, reader)


def _in_order(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """Returns the jobs, each behind those that it needs, and otherwise as they were given.

    Raises:
        PlanError: two jobs have one name, or jobs need each other or missing jobs.
    """
    names = {job.name for job in jobs}
    if len(names) < len(jobs):
        raise PlanError("two jobs have the same name", hint="scaffold again")
    placed: dict[str, Job] = {}
    waiting = list(jobs)
    while waiting:
        ready, later = [], []
        for job in waiting:
            if placed.keys() >= set(job.needs):
                ready.append(job)
            else:
                later.append(job)
        if not ready:
            raise _stuck(waiting[0], names)
        placed.update({job.name: job for job in ready})
        waiting = later
    return tuple(placed.values())


def _stuck(job: Job, names: Collection[str]) -> PlanError:
    why = "waits for itself"
    for need in job.needs:
        if need not in names:
            why = f"needs `{need}`, which does not exist"
    return PlanError(f"job `{job.name}` {why}", hint="scaffold again")


def gather(
    job: Job, experiment: Path, entry: LedgerEntry | None, reader: InputReader, seen: dict[str, str] | None = None
) -> Evidence:
    """Reads what was recorded of one job.

    Args:
        reader: computes the digests of its inputs.
        seen: the digests of data sets and models that were read for other jobs at the same time.
    """
    found = reader.read(job, seen)
    deviation = None
    if job.stage is Stage.PREPARATION:
        texts = InputDigests(found.digests.contents[: len(job.texts)])
        deviation = read_deviation(experiment / job.directory, texts.combined)
    return Evidence(
        entry=entry,
        outcome=read_outcome(experiment / job.outcome),
        inputs=found.digests,
        problem=found.problem,
        unread=found.unread,
        missing=missing_checkpoints(job.checkpoints, experiment),
        result=read_result(experiment / job.result) if job.result else None,
        deviation=str(deviation or ""),
    )
