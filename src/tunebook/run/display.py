"""Shows a run: its warnings, and the state of its jobs in the plan's tables and to the caller."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from tunebook.disk.interrupts import interrupt_as_if
from tunebook.errors import in_words
from tunebook.run.job_set import JobSet
from tunebook.run.pace import SlowTrainings, with_pace
from tunebook.run.recorder import Recorder
from tunebook.run.report import JobReport, Snapshot
from tunebook.run.status import StatusTables

__all__ = ["Display"]

_CLOSED = {errno.EPIPE, errno.EIO, errno.ENXIO}
"""The errors of a write to a closed terminal, or to a pipe whose reader has ended."""


class Display:
    """The plan's tables are kept current to the end of the run, the caller only as long as somebody can see it."""

    def __init__(
        self,
        experiment: Path,
        jobs: JobSet,
        recorder: Recorder,
        on_event: Callable[[Snapshot], None] | None,
        *,
        clock: Callable[[], datetime],
        has_limit: bool,
    ) -> None:
        self._jobs = jobs
        self._recorder = recorder
        self._on_event = on_event
        self._clock = clock
        self._has_limit = has_limit
        self._tables = StatusTables(experiment, clock, self.warn)
        self._slow = SlowTrainings()
        self._warnings: list[str] = []
        self._is_over = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings so far."""
        return tuple(self._warnings)

    def warn(self, message: str) -> None:
        """Adds a warning to the log and to the report; the run continues."""
        self._warnings.append(message)
        with suppress(OSError):  # the full disk that is warned of may be that of the log
            self._recorder.log("WARNING", message)

    def show(self, note: str, *, now: bool = False) -> None:
        """Shows the state of all jobs, and what prevents progress.

        Args:
            now: the last update, without a pause after the one before it.
        """
        reports = self._paced()
        self._tables.show(reports, now=now)
        if self._on_event is not None:
            self._tell(self._on_event, Snapshot(reports, self._clock(), note, self.warnings))

    def leave(self) -> None:
        """Tells the caller nothing more."""
        self._on_event = None

    def run_is_over(self) -> None:
        """From now on a closed terminal interrupts nothing."""
        self._is_over = True

    def _paced(self) -> tuple[JobReport, ...]:
        """The jobs with the pace of slow trainings, each of which is warned of once."""
        found = tuple(with_pace(report, has_limit=self._has_limit) for report in self._jobs.reports())
        for message in self._slow.warnings(found):
            self.warn(message)
        return found

    def _tell(self, on_event: Callable[[Snapshot], None], snapshot: Snapshot) -> None:
        """Tells the caller; a terminal that was closed, or a reader that is gone, interrupts the run.

        Any other failure, as of a full disk that gets the output, ends only the showing.
        """
        try:
            on_event(snapshot)
        except SystemExit:  # Rich's answer to a reader that is gone
            self._interrupt()
        except OSError as error:
            if isinstance(error, BrokenPipeError) or error.errno in _CLOSED:
                self._interrupt()
            else:
                self.leave()
                self.warn(f"the state of the jobs cannot be shown any more; the run continues: {in_words(error)}")

    def _interrupt(self) -> None:
        self.leave()
        if not self._is_over:
            interrupt_as_if(signal.SIGHUP)
