"""Reads from the disk what was recorded of the jobs, and has it judged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.core.jobs import Job, Outcome, Stage, outcome_from_json
from tunebook.disk.deviations import read_deviation
from tunebook.disk.inputs import input_problem, inputs_digest
from tunebook.disk.ledger import Ledger, LedgerEntry, read_ledger
from tunebook.errors import PlanError
from tunebook.run.verdict import Evidence, Result, Verdict, judge

__all__ = ["Survey", "gather", "in_order", "read_outcome", "survey"]

_SPREADS = {"stderr", "std", "var"}


@dataclass(frozen=True)
class Survey:
    """All jobs, each behind those that it needs; evidence and verdicts by the job's name."""

    jobs: tuple[Job, ...]
    evidence: Mapping[str, Evidence]
    verdicts: Mapping[str, Verdict]
    ledger: Ledger


def survey(jobs: Sequence[Job], experiment: Path) -> Survey:
    """Reads and judges every job; asks no executor.

    Raises:
        PlanError: two jobs have one name, or jobs need each other or missing jobs.
    """
    ledger = read_ledger(experiment)
    ordered = in_order(jobs)
    evidence: dict[str, Evidence] = {}
    verdicts: dict[str, Verdict] = {}
    for job in ordered:
        evidence[job.name] = gather(job, experiment, ledger.entries.get(job.name))
        needs = [(evidence[need], verdicts[need]) for need in job.needs]
        verdicts[job.name] = judge(job, evidence[job.name], needs)
    return Survey(ordered, evidence, verdicts, ledger)


def in_order(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """Returns the jobs, each behind those that it needs, and otherwise as they were given.

    Raises:
        PlanError: two jobs have one name, or jobs need each other or missing jobs.
    """
    names = {job.name: job for job in jobs}
    if len(names) < len(jobs):
        raise PlanError("two jobs have the same name", hint="scaffold again")
    placed: dict[str, Job] = {}
    waiting = list(jobs)
    while waiting:
        ready = [job for job in waiting if all(need in placed for need in job.needs)]
        if not ready:
            stuck = waiting[0]
            missing = [need for need in stuck.needs if need not in names]
            why = f"needs `{missing[0]}`, which does not exist" if missing else "waits for itself"
            raise PlanError(f"job `{stuck.name}` {why}", hint="scaffold again")
        placed |= {job.name: job for job in ready}
        waiting = [job for job in waiting if job.name not in placed]
    return tuple(placed.values())


def gather(job: Job, experiment: Path, entry: LedgerEntry | None) -> Evidence:
    """Reads what was recorded of one job."""
    digest, problem = "", ""
    try:
        digest = inputs_digest(experiment, job)
    except OSError as error:
        problem = input_problem(error)
    deviation = read_deviation(experiment / job.directory, digest) if job.stage is Stage.PREPARATION else None
    return Evidence(
        entry=entry,
        outcome=read_outcome(experiment / job.outcome),
        digest=digest,
        problem=problem,
        missing=tuple(path for path in job.checkpoints if not (experiment / path).is_dir()),
        result=_result(experiment / job.result) if job.result else None,
        deviation=str(deviation or ""),
    )


def read_outcome(path: Path) -> Outcome | None:
    """Reads what a job's script wrote about its end; ``None`` if the file is missing or unreadable."""
    try:
        return outcome_from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def _result(path: Path) -> Result | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Result(
            status=str(document["status"]),
            samples=_count(document.get("samples")),
            completed=_count(document.get("completed")),
            score=_headline(document.get("scores") or ()),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _headline(scores: Iterable[Mapping[str, Any]]) -> float | None:
    """Returns the first score that is not a measure of spread."""
    for score in scores:
        value = score.get("value")
        if score.get("name") not in _SPREADS and isinstance(value, int | float):
            return float(value)
    return None
