"""Reads from the disk what was recorded of the jobs, and has it judged."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tunebook.artifacts.checkpoints import missing_checkpoints, trained_inputs
from tunebook.artifacts.outcome import read_outcome
from tunebook.artifacts.result import read_result
from tunebook.core.input_digests import InputDigests
from tunebook.core.jobs import Job, JobState, Stage
from tunebook.disk.deviations import read_deviation
from tunebook.disk.input_record import InputRecord
from tunebook.disk.inputs import InputReader
from tunebook.disk.ledger import Ledger, LedgerEntry, read_ledger
from tunebook.errors import PlanError, in_words
from tunebook.run.changes import describe_changes
from tunebook.run.verdict import Evidence, Verdict, judge

__all__ = ["Records", "Survey", "input_warnings", "survey"]


class Records:
    """Everything that was recorded of an experiment's jobs, read again with each call; asks no executor."""

    def __init__(self, experiment: Path) -> None:
        self._root = str(experiment)
        self.reader = InputReader(experiment)
        self.inputs = InputRecord(experiment, self.reader)

    def gather(self, job: Job, entry: LedgerEntry | None, seen: dict[str, str] | None = None) -> Evidence:
        """Reads what was recorded of one job.

        Args:
            seen: the digests of data sets and models that were read for other jobs at the same time.
        """
        try:
            return self._gather(job, entry, seen)
        except OSError as error:
            return Evidence(entry=entry, unseen=in_words(error))

    def _gather(self, job: Job, entry: LedgerEntry | None, seen: dict[str, str] | None) -> Evidence:
        found = self.reader.read(job, seen)
        deviation = None
        if job.stage is Stage.PREPARATION:
            texts = InputDigests(found.digests.contents[: len(job.texts)])
            deviation = read_deviation(Path(self._path(job.directory)), texts.combined)
        return Evidence(
            entry=entry,
            outcome=read_outcome(self._path(job.outcome)),
            inputs=found.digests,
            problem=found.problem,
            unread=found.unread,
            trained=trained_inputs(job.metrics),
            missing=missing_checkpoints(job.checkpoints, self._root),
            result=read_result(self._path(job.result)) if job.result else None,
            deviation=str(deviation or ""),
        )

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}"

    def judge(self, job: Job, evidence: Evidence, needs: Sequence[tuple[Evidence, Verdict]]) -> Verdict:
        """Decides the job's state, and describes what changed since it ran."""
        verdict = judge(job, evidence, needs)
        if not verdict.changed:
            return verdict
        return replace(verdict, details=describe_changes(job, verdict.changed, verdict.before, self.inputs))


@dataclass(frozen=True)
class Survey:
    """All jobs, each behind those that it needs; evidence and verdicts by the job's name."""

    jobs: tuple[Job, ...]
    evidence: Mapping[str, Evidence]
    verdicts: Mapping[str, Verdict]
    ledger: Ledger
    records: Records


def survey(jobs: Sequence[Job], experiment: Path, ledger: Ledger | None = None) -> Survey:
    """Reads and judges every job; asks no executor.

    Args:
        ledger: the ledger, if it was read just before.

    Raises:
        PlanError: two jobs have one name, or jobs need each other or missing jobs.
    """
    ledger = ledger or read_ledger(experiment)
    ordered = _in_order(jobs)
    evidence: dict[str, Evidence] = {}
    verdicts: dict[str, Verdict] = {}
    records = Records(experiment)
    seen: dict[str, str] = {}
    for job in ordered:
        evidence[job.name] = records.gather(job, ledger.entries.get(job.name), seen)
        needs = [(evidence[need], verdicts[need]) for need in job.needs]
        verdicts[job.name] = records.judge(job, evidence[job.name], needs)
    records.reader.save()
    return Survey(ordered, evidence, verdicts, ledger, records)


def input_warnings(surveyed: Survey) -> Iterator[str]:
    """Yields messages about inputs whose changes cannot be seen here, and about an experiment that was moved."""
    unread: dict[str, int] = {}
    for job in surveyed.jobs:
        if surveyed.verdicts[job.name].state is JobState.COMPLETED:
            for path in surveyed.evidence[job.name].unread:
                unread[path] = unread.get(path, 0) + 1
    for path, number in unread.items():
        jobs = "1 completed job" if number == 1 else f"{number:,} completed jobs"
        yield f"{path} cannot be read here: whether it changed since {jobs} read it is not known"
    moved = surveyed.records.reader.moved_from
    if moved:
        yield (
            f"the scripts were written for {moved[0]}: `tunebook scaffold` writes them for the present directory, "
            "and results stay valid"
        )


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
