"""Freezes the plan's hypotheses when the first job is submitted, and records every later version of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from tunebook.artifacts.times import timestamp_s
from tunebook.core.hypotheses import Hypothesis
from tunebook.core.jobs import Job, JobState, Stage
from tunebook.disk.hypotheses_record import HypothesesVersion, Seen, hypotheses_digest, read_versions, write_versions
from tunebook.disk.ledger import LedgerReader
from tunebook.disk.lock import exclusive
from tunebook.disk.manifest import read_manifest
from tunebook.run.overview import job_reports

__all__ = ["freeze_hypotheses"]


def freeze_hypotheses(
    experiment: Path,
    hypotheses: Sequence[Hypothesis],
    clock: Callable[[], datetime],
    *,
    is_submitting: bool = False,
    write: bool = True,
) -> tuple[HypothesesVersion, ...]:
    """Every version of the hypotheses, with the present one; a plan without hypotheses is frozen too.

    Nothing is frozen before the first submission.

    Args:
        is_submitting: whether jobs are about to be submitted.
        write: whether to record the present version if it is a new one.

    Raises:
        PlanError: the record is damaged.
        OSError: it cannot be written.
    """
    texts = tuple(hypothesis.text for hypothesis in hypotheses)
    versions = read_versions(experiment)
    if versions and versions[-1].texts == texts:
        return versions
    first_job, first_result = _first_times(experiment)
    if not (versions or first_job or is_submitting):
        return ()
    when = Seen.BEFORE_JOBS
    if first_job or first_result:
        when = Seen.AFTER_RESULT if first_result else Seen.AFTER_JOB
    time = clock().isoformat(timespec="seconds")
    version = HypothesesVersion(time, when, hypotheses_digest(texts), texts, first_job, first_result)
    if not write:
        return (*versions, version)
    with exclusive(experiment, "hypotheses", wait_s=5.0):
        known = read_versions(experiment)  # another command may have added this version meanwhile
        if known and known[-1].texts == texts:
            return known
        write_versions(experiment, (*known, version))
    return (*known, version)


def _first_times(experiment: Path) -> tuple[str, str]:
    """When the first job was submitted, and when the first evaluation was completed; empty if none was."""
    jobs = read_manifest(experiment).jobs
    submissions = LedgerReader(experiment).every()
    evaluations = {job.name for job in jobs if job.stage is Stage.EVALUATION}
    completed = [entry.last for entry in submissions if entry.last.state is JobState.COMPLETED]
    ends = [event.ended or event.time for event in completed if event.job in evaluations]
    if not ends and submissions:
        ends = _ends(experiment, jobs)
    return _earliest(entry.submitted for entry in submissions), _earliest(ends)


def _ends(experiment: Path, jobs: Sequence[Job]) -> list[str]:
    """The ends of evaluations that are completed, but that no monitor has seen end."""
    reports = job_reports(jobs, experiment=experiment)
    completed = [report for report in reports if report.state is JobState.COMPLETED]
    return [report.ended for report in completed if report.job.stage is Stage.EVALUATION]


def _earliest(times: Iterable[str]) -> str:
    known = [(timestamp_s(time), time) for time in times]
    dated = [(seconds, time) for seconds, time in known if seconds is not None]
    return min(dated)[1] if dated else ""
