"""Keeps the status tables of the plan current: reads, changes and writes the plan under a lock, and not too often."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from tunebook.core.jobs import JobState, Stage
from tunebook.core.paths import PLAN_FILE
from tunebook.core.plan.status import EvaluationRow, TrainingRow, update_status
from tunebook.disk.atomic import write_text
from tunebook.disk.lock import exclusive
from tunebook.errors import TunebookError
from tunebook.run.report import JobReport

__all__ = ["StatusTables"]

_PAUSE_S = 1.0
_SHARE = 20
_ATTEMPTS = 5
_WAIT_S = 5.0


class StatusTables:
    """The status tables of one experiment's plan.

    Jobs continue if the plan cannot be written: ``warn`` is called once for each reason.
    """

    def __init__(self, experiment: Path, clock: Callable[[], datetime], warn: Callable[[str], None]) -> None:
        self._experiment = experiment
        self._path = experiment / PLAN_FILE
        self._clock = clock
        self._warn = warn
        self._warned: set[str] = set()
        self._written: datetime | None = None
        self._pause_s = _PAUSE_S
        self._shown: tuple[TrainingRow | EvaluationRow, ...] = ()

    def show(self, jobs: Sequence[JobReport], *, now: bool = False) -> None:
        """Writes the tables if a row changed and the last time was a second ago (longer for very long plans)."""
        recent = self._written is not None and (self._clock() - self._written).total_seconds() < self._pause_s
        if recent and not now:
            return
        rows = tuple(_row(job) for job in jobs)
        if rows == self._shown:
            return
        begun = time.monotonic()
        try:
            self._rewrite(rows)
            self._shown = rows
        except (TunebookError, OSError, UnicodeDecodeError) as error:
            message = f"the status tables of {PLAN_FILE} were not updated: {error}"
            if message not in self._warned:
                self._warned.add(message)
                self._warn(message)
        self._written = self._clock()
        self._pause_s = max(_PAUSE_S, _SHARE * (time.monotonic() - begun))

    def _rewrite(self, rows: Sequence[TrainingRow | EvaluationRow]) -> None:
        training = [row for row in rows if isinstance(row, TrainingRow)]
        evaluations = [row for row in rows if isinstance(row, EvaluationRow)]
        with exclusive(self._experiment, "plan", wait_s=_WAIT_S):
            for _ in range(_ATTEMPTS):
                before = self._identity()
                text = self._path.read_bytes().decode()
                new = update_status(text, training, evaluations)
                if new == text or self._write_unless_edited(new, before):
                    return
        raise OSError("another program keeps writing it")

    def _write_unless_edited(self, text: str, before: tuple[int, ...]) -> bool:
        """Does not overwrite what a person saved in the meantime."""
        return write_text(self._path, text, within=None, durable=True, only_if=lambda: self._identity() == before)

    def _identity(self) -> tuple[int, ...]:
        status = os.stat(self._path)  # noqa: PTH116  the target of a link
        return status.st_ino, status.st_size, status.st_mtime_ns


def _row(report: JobReport) -> TrainingRow | EvaluationRow:
    job = report.job
    # The tables have no word for an unknown end: the next run finds out, and until then the job counts as running.
    state = JobState.RUNNING if report.state is JobState.UNKNOWN else report.state
    started = _local(report.started)
    ended = _local(report.ended) if state in {JobState.COMPLETED, JobState.FAILED} else ""
    if job.stage is Stage.PREPARATION:
        return TrainingRow(job.run, state, report.job_id, started, ended, report.notes)
    return EvaluationRow(job.run, job.task or "", job.epoch, state, report.job_id, ended, report.notes)


def _local(time_text: str) -> str:
    """Returns an ISO 8601 time in the time of this machine, to the second; empty for other text."""
    try:
        return f"{datetime.fromisoformat(time_text).astimezone():%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return ""
