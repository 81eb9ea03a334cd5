"""Reads the queue of a user's jobs, and cancels jobs."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tunebook.core.jobs import NEVER_RAN, JobState, JobStatus
from tunebook.errors import SlurmError
from tunebook.slurm.programs import ask, call
from tunebook.slurm.states import ended_because, job_state, reason_in_words, zoned

__all__ = ["QueueRow", "cancel", "read_queue"]

_FIELDS = "%i|%T|%r|%N|%S|%e|%k"  # the comment comes last: it may hold anything
_NUMBER_OF_FIELDS = 7
_AT_ONCE = 500  # command lines have a length
_GONE = re.compile(r"invalid job id|already completing|already finished", re.IGNORECASE)


@dataclass(frozen=True)
class QueueRow:
    """One job of ``squeue``: queued, running, or ended at most ``MinJobAge`` seconds ago."""

    job_id: str
    comment: str
    status: JobStatus


def read_queue() -> list[QueueRow]:
    """Lists every job of this user that SLURM remembers, each task of an array by itself.

    ``scontrol show job`` knows no more than this: jobs that have ended stay for ``MinJobAge`` seconds.

    Raises:
        SlurmError: SLURM does not answer.
    """
    options = ["--noheader", "--all", "--array", "--states=all", f"--user={os.getuid()}", f"--format={_FIELDS}"]
    rows = []
    for line in ask(["squeue", *options]).splitlines():
        row = _row(line)
        if row is not None:
            rows.append(row)
    return rows


def _row(line: str) -> QueueRow | None:
    parts = line.split("|", _NUMBER_OF_FIELDS - 1)
    if len(parts) < _NUMBER_OF_FIELDS:
        return None
    job_id, state_word, reason, node, start, end, comment = (part.strip() for part in parts)
    if state_word == "REVOKED":  # of a federation: the job runs on another cluster
        return None
    state = job_state(state_word)
    if state is JobState.PENDING:
        return QueueRow(job_id, comment, JobStatus(state, reason_in_words(reason)))
    started = zoned(start)
    if state is JobState.RUNNING:
        return QueueRow(job_id, comment, JobStatus(state, node=node, started=started))
    why = NEVER_RAN if reason == NEVER_RAN else ended_because(state_word, reason)
    return QueueRow(job_id, comment, JobStatus(state, why, node, started, zoned(end)))


def cancel(ids: Sequence[str]) -> None:
    """Cancels jobs; those that SLURM does not know any more are passed over.

    Raises:
        SlurmError: SLURM does not answer, or forbids it.
    """
    for start in range(0, len(ids), _AT_ONCE):
        answer = call(["scancel", *ids[start : start + _AT_ONCE]])
        serious = [line for line in answer.stderr.splitlines() if line.strip() and not _GONE.search(line)]
        if answer.returncode != 0 and serious:
            raise SlurmError(f"`scancel` failed: {'; '.join(serious)}")
