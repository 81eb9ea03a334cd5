"""Keeps the status tables of the plan current, not too often; ``disk/plan_file.py`` guards the plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from tunebook.core.jobs import JobState, Stage
from tunebook.core.paths import LAST_GOOD_PLAN, PLAN_FILE
from tunebook.core.plan.status import EvaluationRow, TrainingRow, update_status
from tunebook.core.times import local_text
from tunebook.disk.lock import exclusive
from tunebook.disk.plan_file import Outcome, Patience, PlanFile
from tunebook.errors import LockedError, TunebookError
from tunebook.run.report import JobReport

__all__ = ["StatusTables"]

_PAUSE_S = 1.0
_SHARE = 20
_WAIT_S = 0.2
_LOCKED_S = 5.0  # another command may hold the lock for as long as an update waits for a person, and then works
_TICK_S = 0.1


class StatusTables:
    """The status tables of one experiment's plan.

    Jobs continue if the plan cannot be written: ``warn`` is called once for each reason.
    """

    def __init__(
        self,
        experiment: Path,
        clock: Callable[[], datetime],
        warn: Callable[[str], None],
        *,
        pause_s: float = _PAUSE_S,
        share: int = _SHARE,
        patience: Patience | None = None,
    ) -> None:
        self._experiment = experiment
        self._clock = clock
        self._warn = warn
        self._warned: set[str] = set()
        self._written: datetime | None = None
        self._least_s = pause_s
        self._share = share
        self._pause_s = pause_s
        self._shown: tuple[TrainingRow | EvaluationRow, ...] = ()
        self._locked_since: float | None = None
        self._plan = PlanFile(experiment, self._warn_once, patience)

    def show(self, jobs: Sequence[JobReport], *, now: bool = False) -> None:
        """Writes the tables if a row changed and the last time was a second ago (longer for very long plans).

        Args:
            now: the last update: waits until a person has saved, and for what an editor may still be writing.
        """
        recent = self._written is not None and (self._clock() - self._written).total_seconds() < self._pause_s
        if recent and not now:
            return
        rows = tuple(_row(job) for job in jobs)
        begun = time.monotonic()
        try:
            if now:
                self._update_at_last(rows)
            elif rows == self._shown and self._plan.is_settled():
                return
            else:
                self._update(rows)
        except (TunebookError, OSError, UnicodeDecodeError) as error:
            self._warn_of(str(error))
        self._written = self._clock()
        if not now:
            self._pause_s = max(self._least_s, self._share * (time.monotonic() - begun))

    def _update_at_last(self, rows: tuple[TrainingRow | EvaluationRow, ...]) -> None:
        """Waits for a person who is saving, for another command that works on the plan, and for a late editor."""
        begun = time.monotonic()
        self._locked_since = None
        outcome = self._update(rows)
        while outcome is Outcome.LATER or self._plan.is_watched():
            is_late = time.monotonic() - begun > self._plan.patience.most_s
            if is_late and self._locked_since is None:
                break
            time.sleep(_TICK_S)
            outcome = self._update(rows)
        if outcome is Outcome.LATER:
            self._warn_of("another program keeps changing it")

    def _update(self, rows: tuple[TrainingRow | EvaluationRow, ...]) -> Outcome:
        """Updates the tables, if no other command works on the plan just now.

        Raises:
            LockedError: one has for longer than any should.
        """
        try:
            outcome = self._update_unless_locked(rows)
        except LockedError:
            self._locked_since = self._locked_since or time.monotonic()
            if time.monotonic() - self._locked_since > self._plan.patience.most_s + _LOCKED_S:
                raise
            return Outcome.LATER
        self._locked_since = None
        return outcome

    def _update_unless_locked(self, rows: tuple[TrainingRow | EvaluationRow, ...]) -> Outcome:
        training = [row for row in rows if isinstance(row, TrainingRow)]
        evaluations = [row for row in rows if isinstance(row, EvaluationRow)]
        with exclusive(self._experiment, "plan", wait_s=_WAIT_S):
            outcome = self._plan.update(lambda text: update_status(text, training, evaluations))
        if outcome is Outcome.DONE:
            self._shown = rows
        if outcome is Outcome.LOST:
            parts = " and its ".join(self._plan.lost)
            self._warn_of(f"it has lost its {parts} (the last good copy is {LAST_GOOD_PLAN}; the jobs continue)")
        return outcome

    def _warn_of(self, reason: str) -> None:
        self._warn_once(f"the status tables of {PLAN_FILE} were not updated: {reason}")

    def _warn_once(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self._warn(message)


def _row(report: JobReport) -> TrainingRow | EvaluationRow:
    job = report.job
    # The tables have no word for an unknown end: the next run finds out, and until then the job counts as running.
    state = JobState.RUNNING if report.state is JobState.UNKNOWN else report.state
    started = local_text(report.started, otherwise="")
    ended = local_text(report.ended, otherwise="") if state in {JobState.COMPLETED, JobState.FAILED} else ""
    if job.stage is Stage.PREPARATION:
        return TrainingRow(job.run, state, report.job_id, started, ended, report.notes)
    return EvaluationRow(job.run, job.task or "", job.epoch, state, report.job_id, ended, report.notes)
