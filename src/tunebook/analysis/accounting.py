"""What SLURM's accounting counted of jobs: time, memory, GPUs and their use. Optional: many clusters have none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tunebook.analysis.collect.records import SlurmUse
from tunebook.disk.program import run_program
from tunebook.errors import ToolError

__all__ = ["parse_accounting", "read_accounting"]

_FIELDS = ("JobID", "State", "ElapsedRaw", "MaxRSS", "AllocTRES", "TRESUsageInAve", "TRESUsageInMax", "NodeList")
_CHUNK = 500  # ids a query: command lines have a length
_TIMEOUT_S = 60.0
_ID = re.compile(r"\d+(?:_\d+)?")
_SIZE = re.compile(r"([\d.]+)([KMGT]?)")
_GIB = {"": 2**-30, "K": 2**-20, "M": 2**-10, "G": 1.0, "T": 2.0**10}


def read_accounting(job_ids: Sequence[str]) -> dict[str, SlurmUse]:
    """Job id (``123`` or ``123_4`` of an array) to what ``sacct`` says; nothing where it does not answer.

    That ``sacct`` is installed says nothing: without accounting it ends with an error.
    """
    ids = [job_id for job_id in dict.fromkeys(job_ids) if _ID.fullmatch(job_id)]
    found: dict[str, SlurmUse] = {}
    for start in range(0, len(ids), _CHUNK):
        form = f"--format={','.join(_FIELDS)}"
        command = ["sacct", "--noheader", "--parsable2", form, f"--jobs={','.join(ids[start : start + _CHUNK])}"]
        try:
            done = run_program(command, timeout_s=_TIMEOUT_S)
        except ToolError:
            return found
        if done.returncode != 0:
            return found
        found |= parse_accounting(done.stdout)
    return found


def parse_accounting(text: str) -> dict[str, SlurmUse]:
    """Reads ``sacct --parsable2`` with the fields above: a row a job, and one a step (``123.batch``) with its use.

    Memory is the largest of the steps; GPU use needs SLURM 21.08 or later with NVML.
    """
    jobs: dict[str, list[str]] = {}
    steps: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        cells = line.split("|")
        if len(cells) == len(_FIELDS):
            job, dot, _ = cells[0].partition(".")
            if dot:
                steps.setdefault(job, []).append(cells)
            else:
                jobs[job] = cells
    return {job: _use(cells, steps.get(job, [])) for job, cells in jobs.items()}


def _use(job: Sequence[str], steps: Sequence[Sequence[str]]) -> SlurmUse:
    rows = [job, *steps]
    gpus = _tres(job[4], "gres/gpu")
    return SlurmUse(
        elapsed_s=float(job[2]) if job[2].isdecimal() else None,
        memory_gb=_largest(_gib(row[3]) for row in rows),
        gpus=None if gpus is None else int(gpus),
        gpu_utilization_percent=_largest(_tres(row[5], "gres/gpuutil") for row in rows),
        gpu_memory_gb=_largest(_tres_size(row[6], "gres/gpumem") for row in rows),
        state=job[1],
        node=job[7],
    )


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _gib(text: str) -> float | None:
    match = _SIZE.fullmatch(text.strip())
    try:
        return float(match[1]) * _GIB[match[2]] if match else None
    except ValueError:
        return None


def _entry(text: str, name: str) -> str | None:
    """``gres/gpu`` out of ``cpu=4,gres/gpu=1,gres/gpu:a100=1,mem=32G``."""
    pairs = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    return pairs.get(name)


def _tres(text: str, name: str) -> float | None:
    value = _entry(text, name)
    try:
        return None if value is None else float(value.rstrip("%"))
    except ValueError:
        return None


def _tres_size(text: str, name: str) -> float | None:
    value = _entry(text, name)
    return None if value is None else _gib(value)
