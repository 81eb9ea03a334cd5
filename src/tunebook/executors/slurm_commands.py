"""Asking SLURM: each function is one call of one of its programs."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tunebook.core.jobs import JobState
from tunebook.disk.program import Completed, run_program
from tunebook.errors import ExecutorError, ToolError
from tunebook.executors.base import NEVER_RAN, JobStatus
from tunebook.executors.environment import job_environment
from tunebook.executors.slurm_states import job_state, spoken_reason, zoned

__all__ = ["Accounting", "QueueRow", "ask", "configuration", "queue", "scancel", "told"]

_ANSWER_S = 60.0
_SACCT_S = 30.0
_AGAIN_S = 600.0
_AT_ONCE = 500
_SETTING = re.compile(r"^(\w+)\s*=\s*(.*)$", re.MULTILINE)
_FIELDS = "%i|%T|%r|%N|%S|%e|%k"
_GONE = re.compile(r"invalid job id|already completing|already finished", re.IGNORECASE)


@dataclass(frozen=True)
class QueueRow:
    """A job as ``squeue`` tells of it: queued, running, or ended at most ``MinJobAge`` ago."""

    job_id: str
    comment: str
    status: JobStatus


def ask(argv: Sequence[str], *, timeout_s: float = _ANSWER_S) -> str:
    """What a program prints.

    Raises:
        ExecutorError: it failed or did not answer; in its own words.
    """
    try:
        answer = run_program(argv, timeout_s=timeout_s, env=job_environment())
    except ToolError as error:
        raise ExecutorError(str(error)) from error
    if answer.returncode != 0:
        raise ExecutorError(f"`{argv[0]}` failed: {told(answer)}")
    return answer.stdout


def told(answer: Completed) -> str:
    """What a program says of its failure, without its name in front of each line."""
    lines = [line.strip() for line in (answer.stderr or answer.stdout).splitlines() if line.strip()]
    plain = [re.sub(r"^\w+: (error: |fatal: )?", "", line) for line in lines]
    return "; ".join(dict.fromkeys(plain)) or f"exit code {answer.returncode}"


def configuration() -> Mapping[str, str]:
    """The cluster's settings (``scontrol show config``).

    Raises:
        ExecutorError: SLURM does not answer.
    """
    return {name: value.strip() for name, value in _SETTING.findall(ask(["scontrol", "show", "config"]))}


def queue() -> list[QueueRow]:
    """Every job of this user that SLURM remembers, each task of an array by itself.

    It is all that ``scontrol show job`` knows, too: jobs that have ended stay for ``MinJobAge`` seconds.

    Raises:
        ExecutorError: SLURM does not answer.
    """
    command = [
        "squeue",
        "--noheader",
        "--all",
        "--array",
        "--states=all",
        f"--user={os.getuid()}",
        f"--format={_FIELDS}",
    ]
    return [row for line in ask(command).splitlines() if (row := _row(line)) is not None]


def _row(line: str) -> QueueRow | None:
    parts = line.split("|", 6)
    if len(parts) < 7:  # noqa: PLR2004  the fields that were asked for
        return None
    job_id, state_word, reason, node, start, end, comment = (part.strip() for part in parts)
    state = job_state(state_word)
    if state_word == "REVOKED":  # of a federation: it runs on another cluster
        return None
    if state is JobState.PENDING:
        return QueueRow(job_id, comment, JobStatus(state, spoken_reason(reason)))
    started = zoned(start)
    if state is JobState.RUNNING:
        return QueueRow(job_id, comment, JobStatus(state, node=node, started=started))
    why = _ended_because(state_word, reason)
    return QueueRow(job_id, comment, JobStatus(state, why, node, started, zoned(end)))


def _ended_because(state_word: str, reason: str) -> str:
    """``TIMEOUT``, ``CANCELLED by 1000``; a plain failure is better told by its exit code."""
    if job_state(state_word) is JobState.UNKNOWN:
        return f"SLURM says {state_word}, which is not known here"
    if state_word.startswith("COMPLETED"):
        return ""
    if reason == NEVER_RAN:
        return NEVER_RAN
    if state_word.startswith("FAILED"):
        return "" if reason in {"None", "NonZeroExitCode"} else f"FAILED {reason}"
    return state_word


class Accounting:
    """SLURM's accounting, where it really answers: that ``sacct`` is installed says nothing.

    One that fails or hangs is left alone for ten minutes.
    """

    def __init__(self) -> None:
        self._silent_until = 0.0

    def ask(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
        """The status of those jobs that it knows."""
        if not ids or time.monotonic() < self._silent_until:
            return {}
        found: dict[str, JobStatus] = {}
        try:
            for start in range(0, len(ids), _AT_ONCE):
                found |= self._ask(ids[start : start + _AT_ONCE])
        except ExecutorError:
            self._silent_until = time.monotonic() + _AGAIN_S
        return found

    def _ask(self, ids: Sequence[str]) -> dict[str, JobStatus]:
        form = "--format=JobID,State,ExitCode,Start,End,NodeList"
        command = ["sacct", "--allocations", "--noheader", "--parsable2", form, f"--jobs={','.join(ids)}"]
        rows = [line.split("|") for line in ask(command, timeout_s=_SACCT_S).splitlines()]
        return {row[0]: _accounted(*row[1:6]) for row in rows if len(row) >= 6}  # noqa: PLR2004  the fields


def _accounted(state_word: str, exit_code: str, start: str, end: str, node: str) -> JobStatus:
    state = job_state(state_word)
    if state in {JobState.PENDING, JobState.RUNNING}:
        return JobStatus(state, node="" if node == "None assigned" else node, started=zoned(start))
    why = _ended_because(state_word, "None")
    if state is JobState.FAILED and not why:
        code, _, number = exit_code.partition(":")
        why = f"killed by signal {number}" if number not in {"", "0"} else f"exit code {code}"
    return JobStatus(state, why, node, zoned(start), zoned(end))


def scancel(ids: Sequence[str]) -> None:
    """Cancels jobs; those that SLURM does not know any more are passed over.

    Raises:
        ExecutorError: SLURM does not answer, or forbids it.
    """
    for start in range(0, len(ids), _AT_ONCE):
        argv = ["scancel", *ids[start : start + _AT_ONCE]]
        try:
            answer = run_program(argv, timeout_s=_ANSWER_S, env=job_environment())
        except ToolError as error:
            raise ExecutorError(str(error)) from error
        serious = [line for line in answer.stderr.splitlines() if line.strip() and not _GONE.search(line)]
        if answer.returncode != 0 and serious:
            raise ExecutorError(f"`scancel` failed: {'; '.join(serious)}")
