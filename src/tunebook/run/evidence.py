"""Gathers from the disk what was written down of the jobs, and has it judged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.core.jobs import Job, Outcome, Stage, outcome_from_json
from tunebook.disk.deviations import read_deviation
from tunebook.disk.inputs import inputs_digest
from tunebook.disk.ledger import Ledger, LedgerEntry, read_ledger
from tunebook.errors import PlanError
from tunebook.run.state import Evidence, Result, Verdict, judge

__all__ = ["Survey", "gather", "in_order", "read_outcome", "survey"]


@dataclass(frozen=True)
class Survey:
    """All jobs in the order of what they need, with what is known of each by its name."""

    jobs: tuple[Job, ...]
    evidence: Mapping[str, Evidence]
    verdicts: Mapping[str, Verdict]
    ledger: Ledger


def survey(jobs: Sequence[Job], experiment: Path) -> Survey:
    """Reads and judges every job; asks no executor.

    Raises:
        PlanError: two jobs have one name, or they wait for each other or for jobs that there are not.
    """
    ledger = read_ledger(experiment)
    ordered = in_order(jobs)
    evidence: dict[str, Evidence] = {}
    verdicts: dict[str, Verdict] = {}
    for job in ordered:
        evidence[job.name] = gather(job, experiment, ledger.entries.get(job.name))
        verdicts[job.name] = judge(job, evidence[job.name], [(evidence[need], verdicts[need]) for need in job.needs])
    return Survey(ordered, evidence, verdicts, ledger)


def in_order(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """The jobs, each behind those that it needs, and else as they were given."""
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
    """Reads what was written down of one job."""
    digest, problem = "", ""
    try:
        digest = inputs_digest(experiment, job)
    except OSError as error:
        problem = f"{error.filename or 'an input'}: {error.strerror}"
    deviation = read_deviation(experiment / job.directory, digest) if job.stage is Stage.PREPARATION else None
    return Evidence(
        entry,
        read_outcome(experiment / job.outcome),
        digest,
        problem,
        tuple(path for path in job.checkpoints if not (experiment / path).is_dir()),
        _result(experiment / job.result) if job.result else None,
        str(deviation or ""),
    )


def read_outcome(path: Path) -> Outcome | None:
    """What a job's script wrote about its end; ``None`` if there is nothing that can be read."""
    try:
        return outcome_from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def _result(path: Path) -> Result | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Result(
            str(document["status"]),
            _count(document.get("samples")),
            _count(document.get("completed")),
            _headline(document.get("scores") or ()),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _headline(scores: Iterable[Mapping[str, Any]]) -> float | None:
    """The first score that is not a standard error."""
    values = (score.get("value") for score in scores if score.get("name") not in {"stderr", "std", "var"})
    return next((float(value) for value in values if isinstance(value, int | float)), None)
