"""Reads SLURM's accounting: how jobs ended, and which time, memory and GPUs they used.

That ``sacct`` is installed says nothing: many clusters have no accounting behind it, and it then ends with an error.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tunebook.core.jobs import JobState, JobStatus
from tunebook.errors import SlurmError
from tunebook.slurm.programs import ask
from tunebook.slurm.states import ended_because, job_state, zoned

__all__ = ["Accounting", "SlurmUse", "read_usage", "refuse_silence"]

_AT_ONCE = 500  # command lines have a length
_ANSWER_S = 30.0
_SILENCE_S = 600.0
_STATUS_FIELDS = ("JobID", "State", "ExitCode", "Start", "End", "NodeList")
_USE_FIELDS = ("JobID", "State", "ElapsedRaw", "MaxRSS", "AllocTRES", "TRESUsageInAve", "TRESUsageInMax", "NodeList")
_ID = re.compile(r"\d+(?:_\d+)?")
_SIZE = re.compile(r"([\d.]+)([KMGT]?)")
_GIB = {"": 2**-30, "K": 2**-20, "M": 2**-10, "G": 1.0, "T": 2.0**10}

_Row = Mapping[str, str]


def _sacct(ids: Sequence[str], fields: Sequence[str], *options: str) -> Iterator[_Row]:
    """Yields the rows of ``sacct``, one per job and, unless an option leaves them out, one per step of a job.

    Raises:
        SlurmError: accounting does not answer.
    """
    command = ["sacct", *options, "--noheader", "--parsable2", f"--format={','.join(fields)}"]
    for start in range(0, len(ids), _AT_ONCE):
        wanted = ",".join(ids[start : start + _AT_ONCE])
        for line in ask([*command, f"--jobs={wanted}"], timeout_s=_ANSWER_S).splitlines():
            cells = line.split("|")
            if len(cells) == len(fields):
                yield dict(zip(fields, cells, strict=True))


def refuse_silence(*, timeout_s: float = _ANSWER_S) -> None:
    """Asks accounting for jobs from now on, of which there are none.

    Raises:
        SlurmError: accounting does not answer, or keeps no records.
    """
    ask(["sacct", "--allocations", "--noheader", "--format=JobID", "--starttime=now"], timeout_s=timeout_s)


class Accounting:
    """The states of jobs that the queue has forgotten; accounting that fails or hangs is not asked for ten minutes."""

    def __init__(self) -> None:
        self._silent_until = 0.0

    def ask(self, ids: Sequence[str]) -> Mapping[str, JobStatus]:
        """Returns the status of those jobs that accounting knows."""
        found: dict[str, JobStatus] = {}
        if not ids or time.monotonic() < self._silent_until:
            return found
        try:
            for row in _sacct(ids, _STATUS_FIELDS, "--allocations"):
                found[row["JobID"]] = _status(row)
        except SlurmError:
            self._silent_until = time.monotonic() + _SILENCE_S
        return found


def _status(row: _Row) -> JobStatus:
    state = job_state(row["State"])
    node, started = row["NodeList"], zoned(row["Start"])
    if state.is_going:
        return JobStatus(state, node=node.replace("None assigned", ""), started=started)
    why = ended_because(row["State"])
    if state is JobState.FAILED and not why:
        why = _exit_reason(row["ExitCode"])
    return JobStatus(state, why, node, started, zoned(row["End"]))


def _exit_reason(exit_code: str) -> str:
    """``0:9``: the exit code, and the signal that ended the job."""
    code, _, number = exit_code.partition(":")
    if number in {"", "0"}:
        return f"exit code {code}"
    return f"killed by signal {number}"


@dataclass(frozen=True)
class SlurmUse:
    """What SLURM's accounting says of a job's use; ``None`` for a value that it does not give."""

    elapsed_s: float | None = None
    memory_gb: float | None = None
    gpus: int | None = None
    gpu_utilization_percent: float | None = None
    gpu_memory_gb: float | None = None
    state: str = ""
    node: str = ""


def read_usage(job_ids: Iterable[str]) -> dict[str, SlurmUse]:
    """Returns the use of each job by its id (``123``, or ``123_4`` of an array); nothing without accounting.

    Memory and GPU use are the largest of a job's steps (``123.batch``); GPU use needs SLURM 21.08 or later with NVML.
    """
    ids = [job_id for job_id in dict.fromkeys(job_ids) if _ID.fullmatch(job_id)]
    jobs: dict[str, _Row] = {}
    steps: dict[str, list[_Row]] = {}
    try:
        for row in _sacct(ids, _USE_FIELDS):
            job_id, dot, _ = row["JobID"].partition(".")
            if dot:
                steps.setdefault(job_id, []).append(row)
            else:
                jobs[job_id] = row
    except SlurmError:
        return {}
    return {job_id: _use(job, steps.get(job_id, [])) for job_id, job in jobs.items()}


def _use(job: _Row, steps: Sequence[_Row]) -> SlurmUse:
    rows = [job, *steps]
    gpus = _number(_resource(job["AllocTRES"], "gres/gpu"))
    return SlurmUse(
        elapsed_s=float(job["ElapsedRaw"]) if job["ElapsedRaw"].isdecimal() else None,
        memory_gb=_largest(_gib(row["MaxRSS"]) for row in rows),
        gpus=None if gpus is None else int(gpus),
        gpu_utilization_percent=_largest(_number(_resource(row["TRESUsageInAve"], "gres/gpuutil")) for row in rows),
        gpu_memory_gb=_largest(_gib(_resource(row["TRESUsageInMax"], "gres/gpumem")) for row in rows),
        state=job["State"],
        node=job["NodeList"],
    )


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _resource(text: str, name: str) -> str:
    """Returns the value of ``gres/gpu`` in ``cpu=4,gres/gpu=1,gres/gpu:a100=1,mem=32G``; empty if it has none."""
    for part in text.split(","):
        key, _, value = part.partition("=")
        if key == name:
            return value
    return ""


def _number(text: str) -> float | None:
    try:
        return float(text.rstrip("%"))
    except ValueError:
        return None


def _gib(text: str) -> float | None:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    number = _number(match[1])
    if number is None:
        return None
    return number * _GIB[match[2]]
