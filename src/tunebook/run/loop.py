"""Runs jobs in the order of what they need, watches them to their end, and can be taken up again at any time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from tunebook.core.jobs import NEVER_RAN, Job, JobState, JobStatus
from tunebook.disk.ledger import EventKind
from tunebook.disk.lock import exclusive
from tunebook.errors import ExecutorError, UsageError
from tunebook.executors.base import Executor
from tunebook.run.board import Board
from tunebook.run.evidence import survey
from tunebook.run.journal import Journal
from tunebook.run.pace import Pace
from tunebook.run.page import Page
from tunebook.run.report import JobReport, RunReport, Snapshot
from tunebook.run.select import RunOptions, select
from tunebook.run.submit import Submitter
from tunebook.run.track import Track

__all__ = ["run_jobs"]

_FRESH_S = 30.0
"""Schedulers forget jobs that have ended: how long an answer counts when another job is submitted behind them."""


def _local_time() -> datetime:
    return datetime.now().astimezone()


def run_jobs(
    jobs: Sequence[Job],
    executor: Executor,
    *,
    experiment: Path,
    options: RunOptions | None = None,
    clock: Callable[[], datetime] = _local_time,
    sleep: Callable[[float], None] = time.sleep,
    on_event: Callable[[Snapshot], None] | None = None,
    remedy: Callable[[JobReport], str] | None = None,
) -> RunReport:
    """Does what is asked for and not done yet, and returns when nothing more can be done.

    Jobs that a killed monitor left are taken up first. Completed jobs are never run again, failed ones of earlier runs
    only with ``options.retry_failed``, and cancelled ones and those whose inputs have changed without being asked. One
    job's failure stops only what needs it. The page's status tables and the logs are kept current. What a ``remedy``
    changes so that a failed job may succeed is done again at once.

    Raises:
        UsageError: nothing is asked for.
        LockedError: another run works in this experiment.
        ExecutorError: jobs of an earlier run could not be asked for.
        KeyboardInterrupt: a person left; jobs that do not survive that have been cancelled.
    """
    experiment = experiment.resolve()
    options = options or RunOptions()
    selected = select(jobs, options)
    if options.max_jobs is not None and options.max_jobs < 1:
        raise UsageError(f"{options.max_jobs} jobs at a time: there must be at least one")
    with exclusive(experiment, "run"):
        journal = Journal(experiment, executor.name, executor.host, clock)
        surveyed = survey(jobs, experiment)
        board = Board(surveyed, experiment, selected, retry_failed=options.retry_failed)
        submitter = Submitter(board, executor, journal, experiment, remedy)
        monitor = _Monitor(board, executor, journal, submitter, options)
        page = Page(experiment, clock, monitor.warn)
        if surveyed.ledger.unreadable:
            monitor.warn(f"{surveyed.ledger.unreadable} lines of the ledger cannot be read, and are passed over")

        def show(*, now: bool = False) -> None:
            reports = board.reports()
            page.show(reports, now=now)
            if on_event is not None:
                on_event(Snapshot(clock(), reports, monitor.note))

        return monitor.run(show, sleep)


class _Monitor:
    """The loop of one run."""

    def __init__(
        self, board: Board, executor: Executor, journal: Journal, submitter: Submitter, options: RunOptions
    ) -> None:
        self._board = board
        self._executor = executor
        self._journal = journal
        self._options = options
        self._submitter = submitter
        self._pace = Pace(
            executor.poll_s if options.poll_s is None else options.poll_s, patient=executor.survives_monitor
        )
        self._submitted: list[str] = []
        self._warnings: list[str] = []
        self._not_retried: tuple[str, ...] = ()
        self._silence = ""
        self._asked_at = time.monotonic()

    @property
    def note(self) -> str:
        """What is amiss: a scheduler that does not answer, a queue that is full."""
        return self._silence or self._submitter.note

    def warn(self, message: str) -> None:
        """Goes into the log and the report; the run goes on."""
        self._warnings.append(message)
        self._journal.tell("WARNING", message)

    def run(self, show: Callable[..., None], sleep: Callable[[float], None]) -> RunReport:
        asked = sum(track.selected for track in self._board.tracks.values())
        self._journal.tell("RUN_STARTED", f"{asked} jobs on {self._executor.name}", details=_counted(self._reports()))
        try:
            self._submitter.take_up()
            if not self._options.retry_failed:
                self._not_retried = tuple(track.job.name for track in self._board.not_retried())
            self._loop(show, sleep)
        except KeyboardInterrupt:
            self._leave()
            raise
        finally:
            show(now=True)
        return self._report()

    def _loop(self, show: Callable[..., None], sleep: Callable[[float], None]) -> None:
        while True:
            more = False
            if self._poll():
                taken, more = self._submitter.submit_waiting(self._options.max_jobs, lambda: self._stagger(sleep))
                self._submitted += taken
                self._pace.changed = self._pace.changed or bool(taken)
            show()
            if more:
                continue
            waiting = self._board.waiting(held=self._executor.holds_dependencies)
            if not self._board.in_flight() and not waiting:
                return
            unclear = any(track.misses for track in self._board.in_flight())
            if self._options.detach and not (waiting or unclear or self._silence):
                self._leave()
                return
            self._rest(show, sleep)

    def _stagger(self, sleep: Callable[[float], None]) -> bool:
        """Between two submissions; whether the executor's last answer still holds."""
        if self._options.stagger_s > 0:
            sleep(self._options.stagger_s)
        return time.monotonic() - self._asked_at < _FRESH_S

    def _rest(self, show: Callable[..., None], sleep: Callable[[float], None]) -> None:
        """Until the executor is asked again; meanwhile the jobs' own files tell what they can."""
        ticks = self._pace.ticks()
        for number, tick in enumerate(ticks, start=1):
            sleep(tick)
            looked_for = [track for track in self._board.in_flight() if track.running or track.misses]
            done = [track for track in looked_for if self._has_succeeded(track)]
            for track in done:
                self._submitter.finish(track, JobStatus(JobState.UNKNOWN))
            if done and self._board.waiting(held=self._executor.holds_dependencies):
                return
            if number < len(ticks):
                show()

    def _poll(self) -> bool:
        """Asks for all jobs at once; whether there was an answer."""
        flying = self._board.in_flight()
        self._asked_at = time.monotonic()
        if not flying:
            return True
        try:
            self._submitter.find()
            flying = [track for track in self._board.in_flight() if track.job_id]
            statuses = self._executor.poll([track.job_id for track in flying])
        except ExecutorError as error:
            self._is_silent(error)
            return False
        self._silence = ""
        self._pace.answered()
        for track in flying:
            self._apply(track, statuses.get(track.job_id, JobStatus(JobState.UNKNOWN)))
        return True

    def _has_succeeded(self, track: Track) -> bool:
        """Whether it says so itself, and that is enough: of a job on this machine the process is waited for, too."""
        return self._executor.survives_monitor and track.has_succeeded()

    def _is_silent(self, error: ExecutorError) -> None:
        """An executor that does not answer is waited for; no job has failed by that."""
        if not self._silence:
            self.warn(f"{self._executor.name} does not answer, and is asked again: {error}")
        self._silence = f"{self._executor.name} does not answer: {error}"
        self._pace.silent()
        for track in self._board.in_flight():
            if track.has_succeeded():
                self._submitter.finish(track, JobStatus(JobState.UNKNOWN))

    def _apply(self, track: Track, status: JobStatus) -> None:
        """A job that ended without a trace is believed to have done so when that was seen some times."""
        if self._has_succeeded(track):
            self._submitter.finish(track, status)
        elif status.state in {JobState.RUNNING, JobState.PENDING}:
            track.misses = 0
            self._goes_on(track, status)
        elif status.reason == NEVER_RAN and self._submitter.awaits_judgement(track):
            return  # what it waited for is judged first
        elif self._submitter.has_ended(track):
            self._submitter.finish(track, status)
        else:
            track.misses += 1
            self._pace.hurried = status.state is JobState.FAILED  # a shared disk may show success half a minute late
            if track.misses >= self._executor.patience:
                self._submitter.finish(track, _without_outcome(status))
        self._pace.changed = self._pace.changed or not track.in_flight

    def _goes_on(self, track: Track, status: JobStatus) -> None:
        track.note = status.reason if status.state is JobState.PENDING else ""
        track.node = status.node
        if status.state is JobState.RUNNING and not track.running:
            track.running = self._pace.changed = True
            track.started = status.started or track.started or self._journal.now()
            self._journal.record(track, EventKind.RUNNING)
            self._journal.change(track, "running")
        elif status.state is JobState.PENDING and track.running:
            track.running = False
            self._journal.change(track, "queued again", reason=status.reason)

    def _leave(self) -> None:
        flying = [track.job.name for track in self._board.in_flight()]
        if self._executor.survives_monitor:
            self._journal.tell("RUN_LEFT", f"{len(flying)} jobs go on", details=", ".join(flying))
            return
        try:
            self._submitter.cancel_all()
        except ExecutorError as error:
            self.warn(f"jobs could not be cancelled: {error}")
        self._journal.tell("RUN_INTERRUPTED", f"{len(flying)} jobs were cancelled", details=", ".join(flying))

    def _reports(self) -> tuple[JobReport, ...]:
        return tuple(report for report in self._board.reports() if report.selected)

    def _report(self) -> RunReport:
        reports = self._board.reports()
        selected = self._reports()
        for tool in dict.fromkeys(report.job.tool for report in selected):
            self._journal.tell_tool(
                tool, "ALL_COMPLETE", _counted([report for report in selected if report.job.tool == tool])
            )
        result = RunReport(reports, tuple(self._submitted), self._not_retried, tuple(self._warnings))
        self._journal.tell("COMPLETE", _counted(selected), result=f"exit code {result.exit_code.value}")
        return result


def _without_outcome(status: JobStatus) -> JobStatus:
    if status.state is JobState.COMPLETED:
        return JobStatus(JobState.FAILED, "it ended without an outcome file", ended=status.ended)
    if status.state is JobState.UNKNOWN:
        return JobStatus(JobState.UNKNOWN, "its executor knows nothing of it, and it wrote no outcome file")
    return status


def _counted(reports: Sequence[JobReport]) -> str:
    counts = Counter(report.state.value for report in reports)
    return ", ".join(f"{counts[state.value]} {state.value}" for state in JobState if counts[state.value])
