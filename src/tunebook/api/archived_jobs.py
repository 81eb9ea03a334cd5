"""The jobs of an experiment as an archive records them, and an archive's records as reports of its jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from tunebook.core.jobs import Job, JobState
from tunebook.core.shortened import named
from tunebook.crate.described import changed_results
from tunebook.crate.graph import METADATA
from tunebook.disk.archive_record import UNPACK_AGAIN, ArchivedJob, ArchiveRecord
from tunebook.disk.ledger import LedgerReader
from tunebook.errors import Problem
from tunebook.run.report import JobReport
from tunebook.slurm.accounting import SlurmUse, read_usage

__all__ = ["archived_job_reports", "archived_jobs", "changed_archive", "slurm_use_of"]


def archived_jobs(experiment: Path, reports: Iterable[JobReport]) -> dict[str, ArchivedJob]:
    """Each job as it is now, by its name, with its number of submissions and SLURM's accounting of it."""
    ledger = LedgerReader(experiment)
    attempts, slurm_ids = ledger.submissions(), {}
    for name, entry in ledger.read().entries.items():
        if entry.last.executor == "slurm" and entry.last.job_id:
            slurm_ids[name] = entry.last.job_id
    used = read_usage(list(slurm_ids.values())) if slurm_ids else {}
    found = {}
    for report in reports:
        name = report.job.name
        use = used.get(slurm_ids.get(name, ""))
        found[name] = _archived(experiment, report, attempts.get(name, 0), use)
    return found


def _archived(experiment: Path, report: JobReport, attempts: int, use: SlurmUse | None) -> ArchivedJob:
    output = report.output.removeprefix(f"{experiment}/") if report.output.startswith(f"{experiment}/") else ""
    host = report.node or (use.node if use else "")
    return ArchivedJob(
        name=report.job.name,
        state=report.state,
        reason=report.reason,
        job_id=report.job_id,
        started=report.started,
        ended=report.ended,
        loss=report.loss,
        score=report.score,
        output=output,
        host=host,
        attempts=attempts,
        deviation=report.deviation,
        slurm=asdict(use) if use else {},
    )


def archived_job_reports(experiment: Path, jobs: Iterable[Job], record: ArchiveRecord) -> Iterator[JobReport]:
    """A report of each job of an archive; a job that was queued or ran when it was exported is unknown."""
    ends = _ends(record)
    for job in jobs:
        end = ends.get(job.name, ArchivedJob(job.name, JobState.UNKNOWN, "the archive has no record of it"))
        yield JobReport(
            job=job,
            state=end.state,
            reason=end.reason,
            job_id="" if end.state.is_going else end.job_id,
            started=end.started,
            ended=end.ended,
            loss=end.loss,
            score=end.score,
            output=str(experiment / end.output) if end.output else "",
            node=end.host,
            deviation=end.deviation,
        )


def _ends(record: ArchiveRecord) -> Mapping[str, ArchivedJob]:
    return {job.name: job for job in record.jobs}


def slurm_use_of(job: ArchivedJob) -> SlurmUse | None:
    """What SLURM's accounting said of the job's use; ``None`` without it."""
    known: dict[str, Any] = {}
    for field in fields(SlurmUse):
        value = job.slurm.get(field.name)
        if isinstance(value, str) == (field.type == "str"):
            known[field.name] = value
    return SlurmUse(**known) if job.slurm else None


def changed_archive(experiment: Path) -> Iterator[Problem]:
    """A warning if an archive is not as it was exported: its results may be others."""
    if not (experiment / METADATA).is_file():
        yield Problem(f"{METADATA} is missing: whether the archive was changed cannot be known", hint=UNPACK_AGAIN)
        return
    changed = list(changed_results(experiment))
    if changed:
        what = f"the archive was changed since it was exported, and so may be its results: {named(changed)}"
        yield Problem(what, hint=UNPACK_AGAIN)
