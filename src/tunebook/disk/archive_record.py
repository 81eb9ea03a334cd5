"""``.tunebook/archive.json``: marks an experiment that `tunebook export` wrote, and records how its jobs ended.

In an archive, jobs are judged by this record: data, models and weights may be left out, and its scripts name places of
another machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tunebook.core.jobs import JobState
from tunebook.core.json_text import UNFIT
from tunebook.core.paths import ARCHIVE_RECORD
from tunebook.disk.read import read_json
from tunebook.disk.schema import Schema
from tunebook.errors import DamagedError, UsageError

__all__ = [
    "UNPACK_AGAIN",
    "ArchiveRecord",
    "ArchivedJob",
    "LeftOut",
    "archive_text",
    "read_archive_record",
    "refuse_archive",
]

_SCHEMA = Schema(ARCHIVE_RECORD, 1)
UNPACK_AGAIN = "unpack the archive again"
"""What to do about an archive that is not as it was."""


@dataclass(frozen=True)
class ArchivedJob:
    """A job as it was when its experiment was exported.

    Attributes:
        name: the job's.
        started: ISO 8601 with the time zone, or empty; so is ``ended``.
        output: the file with the job's output, relative to the archive; empty if it is not in it.
        attempts: how many times it was submitted.
        slurm: what SLURM's accounting said of its use; empty without it.
    """

    name: str
    state: JobState
    reason: str = ""
    job_id: str = ""
    started: str = ""
    ended: str = ""
    loss: float | None = None
    score: float | None = None
    output: str = ""
    host: str = ""
    attempts: int = 0
    deviation: str = ""
    slurm: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class LeftOut:
    """A checkpoint, a model or a data set that is not in the archive.

    Attributes:
        kind: ``weights``, ``model`` or ``data``.
        path: where it was.
        files: how many it has, and ``size`` their bytes; 0 for one that was not found.
        sha256: the digest that tunebook records of such an input, see docs/reference/job-scripts.md; empty for one
            that was not found.
    """

    kind: str
    path: str
    files: int = 0
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class ArchiveRecord:
    """An archive's own record.

    Attributes:
        exported: ISO 8601 with the time zone.
        redacted: files from which secrets were removed.
    """

    exported: str
    jobs: tuple[ArchivedJob, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    redacted: tuple[str, ...] = ()


def archive_text(record: ArchiveRecord) -> str:
    """The text of the file, with one line per job."""
    jobs = [asdict(job) | {"state": job.state.value, "slurm": dict(job.slurm)} for job in record.jobs]
    document = {
        _SCHEMA.key: _SCHEMA.version,
        "exported": record.exported,
        "redacted": list(record.redacted),
        "left_out": [asdict(item) for item in record.left_out],
    }
    head = json.dumps(document, ensure_ascii=False, indent=1).removesuffix("\n}")
    return f'{head},\n "jobs": [{_lines(jobs)}\n ]\n}}\n'


def _lines(documents: Sequence[Mapping[str, Any]]) -> str:
    return ",".join(f"\n  {json.dumps(document, ensure_ascii=False)}" for document in documents)


def read_archive_record(experiment: Path) -> ArchiveRecord | None:
    """Reads the record; ``None`` for an experiment that is not an archive.

    Raises:
        DamagedError: it cannot be read.
        NewerFormatError: a newer tunebook wrote it.
    """
    try:
        document = read_json(experiment / ARCHIVE_RECORD)
        if document is None:
            return None
        document = _SCHEMA.upgraded(document)
        jobs = tuple(map(_job, document["jobs"]))
        left_out = tuple(LeftOut(**item) for item in document["left_out"])
        return ArchiveRecord(str(document["exported"]), jobs, left_out, tuple(map(str, document["redacted"])))
    except UNFIT:
        raise DamagedError("the record of the archive cannot be read", file=ARCHIVE_RECORD, hint=UNPACK_AGAIN) from None


def _job(document: Mapping[str, Any]) -> ArchivedJob:
    """A job of the record; archives come from strangers.

    Raises:
        TypeError, ValueError, LookupError: it has another form.
    """
    job = ArchivedJob(**{**document, "state": JobState(document["state"]), "slurm": dict(document["slurm"])})
    texts = (job.name, job.reason, job.job_id, job.started, job.ended, job.output, job.host, job.deviation)
    numbers = (job.loss, job.score, *(value for value in job.slurm.values() if not isinstance(value, str)))
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a text is missing")
    if not all(number is None or type(number) in {int, float} for number in numbers):
        raise TypeError("a number is missing")
    if type(job.attempts) is not int:
        raise TypeError("the number of submissions is missing")
    if job.output.startswith("/") or ".." in job.output.split("/"):
        raise ValueError("the output is not in the archive")
    return job


def refuse_archive(experiment: Path, what: str) -> None:
    """Accepts an experiment that is not an archive: an archive lacks the models, and its results must stay as they are.

    Args:
        what: the command that an archive cannot be given to.

    Raises:
        UsageError: it is one.
    """
    record = read_archive_record(experiment)
    if record is None:
        return
    message = f"{experiment} is an archive, exported on {record.exported[:10]}: `tunebook {what}` cannot be used there"
    hint = "copy the plan, the site settings and the scripts of the tasks to a new directory, and work there"
    raise UsageError(message, hint=hint)
