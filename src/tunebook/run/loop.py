"""Runs jobs in the order of their needs, watches them to their end, and can be resumed at any time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tunebook.core.jobs import NEVER_RAN, Job, JobState, JobStatus, count_states
from tunebook.disk.interrupts import begin_ending, handled
from tunebook.disk.ledger import EventKind
from tunebook.disk.lock import exclusive
from tunebook.errors import ExecutorError, TunebookError, UsageError
from tunebook.executors.base import Executor
from tunebook.run.display import Display
from tunebook.run.dropped import awaits_verdict
from tunebook.run.gather import Survey, input_warnings, survey
from tunebook.run.job_set import JobSet
from tunebook.run.job_state import JobInRun
from tunebook.run.poll_interval import PollInterval
from tunebook.run.preview import Preview, preview_of
from tunebook.run.provenance import ProvenanceWriter, Settings
from tunebook.run.recorder import Recorder
from tunebook.run.report import JobReport, RunReport, Snapshot
from tunebook.run.select import LoopOptions, select
from tunebook.run.submit import Submitter

__all__ = ["Hooks", "run_jobs"]

_FRESH_S = 30.0
"""Schedulers forget jobs that have ended: for so long a poll counts when a job is submitted behind those in flight."""
_AWAY = (TimeoutError, ConnectionError, subprocess.TimeoutExpired)


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """A caller's additions to a run.

    Attributes:
        remedy: gets each job that has failed, may change its files so that it can succeed, and returns what it changed.
        approve: gets what will be done, before anything is submitted; ``False`` leaves everything as it is.
        settings: returns the settings in effect, for the record of each run.
        on_leave: called once the run is interrupted, with the number of jobs that the executor has, before those end
            that do not survive it.
    """

    remedy: Callable[[JobReport], str] | None = None
    approve: Callable[[Preview], bool] = lambda _: True
    settings: Settings | None = None
    on_leave: Callable[[int], None] = lambda _: None


_NO_HOOKS = Hooks()


def _local_time() -> datetime:
    return datetime.now().astimezone()


def run_jobs(
    jobs: Sequence[Job],
    executor: Executor,
    *,
    experiment: Path,
    options: LoopOptions | None = None,
    clock: Callable[[], datetime] = _local_time,
    sleep: Callable[[float], None] = time.sleep,
    on_event: Callable[[Snapshot], None] | None = None,
    hooks: Hooks = _NO_HOOKS,
) -> RunReport:
    """Runs the selected jobs that are not completed, and returns when no more can be done.

    Jobs that a killed monitor left are resumed first. Completed jobs are never run again, jobs that failed in an
    earlier run only with ``options.retry_failed``; cancelled jobs and those whose inputs have changed are run again
    without being asked. One job's failure stops only the jobs that need it. A job whose files a remedy changes is
    submitted again at once. The plan's status tables and the logs are kept current.

    Ctrl-C, ``SIGTERM`` and ``SIGHUP`` end it alike: jobs that do not survive their monitor are ended, and a further
    signal kills them at once. Both are recorded.

    Args:
        on_event: gets the state of all jobs.
        hooks: what the caller adds to the run.

    Raises:
        UsageError: no job is selected.
        LockedError: another run works in this experiment.
        ExecutorError: jobs of an earlier run could not be asked for.
        Interrupted: the person left; jobs that do not survive that have been cancelled.
        OSError: something could not be recorded. If the person left, the jobs have been cancelled all the same.
    """
    experiment = experiment.resolve()
    options = options or LoopOptions()
    selected = select(jobs, options)
    if options.max_jobs is not None and options.max_jobs < 1:
        raise UsageError(f"{options.max_jobs} jobs at a time: there must be at least one")
    with exclusive(experiment, "run") as held:
        recorder = Recorder(experiment, executor.name, executor.host, clock)
        surveyed = survey(jobs, experiment)
        job_set = JobSet(surveyed, experiment, selected, retry_failed=options.retry_failed)
        if not hooks.approve(preview_of(job_set)):
            return RunReport(job_set.reports())
        writer = ProvenanceWriter(experiment, hooks.settings)
        submitter = Submitter(
            job_set, executor, recorder, experiment=experiment, provenance=writer, remedy=hooks.remedy
        )
        has_limit = executor.survives_monitor
        display = Display(experiment, job_set, recorder, on_event, clock=clock, has_limit=has_limit)
        for message in filter(None, (held.warning, *_warnings(surveyed))):
            display.warn(message)
        monitor = _Monitor(
            job_set, submitter, executor, recorder=recorder, display=display, options=options, sleep=sleep
        )
        with handled():
            return monitor.run(hooks.on_leave)


def _warnings(surveyed: Survey) -> Iterator[str]:
    yield from input_warnings(surveyed)
    if surveyed.ledger.unreadable:
        yield f"{surveyed.ledger.unreadable} lines of the ledger cannot be read and are ignored"


class _Monitor:
    """The loop of one run."""

    def __init__(
        self,
        jobs: JobSet,
        submitter: Submitter,
        executor: Executor,
        *,
        recorder: Recorder,
        display: Display,
        options: LoopOptions,
        sleep: Callable[[float], None],
    ) -> None:
        self._jobs = jobs
        self._submitter = submitter
        self._executor = executor
        self._recorder = recorder
        self._display = display
        self._options = options
        self._sleep = sleep
        poll_s = executor.poll_s if options.poll_s is None else options.poll_s
        self._interval = PollInterval(poll_s, patient=executor.survives_monitor)
        self._submitted: list[str] = []
        self._silence = ""
        self._polled_at = time.monotonic()

    def _show(self, *, now: bool = False) -> None:
        """Shows the jobs, and what prevents progress: a scheduler that does not answer, a queue that is full."""
        self._display.show(self._silence or self._submitter.note, now=now)

    def run(self, on_leave: Callable[[int], None]) -> RunReport:
        selected = [report for report in self._jobs.reports() if report.selected]
        counts = _counted(selected)
        self._recorder.log("RUN_STARTED", f"{len(selected)} jobs on {self._executor.name}", details=counts)
        try:
            self._submitter.resume()
            self._loop()
        except KeyboardInterrupt:
            begin_ending()
            self._display.leave()
            with suppress(Exception, SystemExit):  # the terminal may be closed; the jobs are ended all the same
                on_leave(len(self._jobs.in_flight()))
            self._leave()
            raise
        finally:
            self._display.run_is_over()
            self._show(now=True)
        return self._report()

    def _loop(self) -> None:
        while True:
            more = False
            if self._poll():
                taken, more = self._submitter.submit_waiting(self._options.max_jobs, self._stagger)
                self._submitted += taken
                if taken:
                    self._interval.changed = True
            self._show()
            if more:
                continue
            waiting = self._jobs.waiting(held=self._executor.holds_dependencies)
            flying = self._jobs.in_flight()
            if not flying and not waiting:
                return
            if self._options.detach and not waiting and self._is_clear(flying):
                self._leave()
                return
            self._rest()

    def _is_clear(self, flying: Sequence[JobInRun]) -> bool:
        """Whether the executor has answered and knows all jobs."""
        return not self._silence and not any(one.misses for one in flying)

    def _stagger(self) -> bool:
        """Waits between two submissions; returns whether the executor's last answer still counts."""
        if self._options.stagger_s > 0:
            self._sleep(self._options.stagger_s)
        return time.monotonic() - self._polled_at < _FRESH_S

    def _rest(self) -> None:
        """Waits for the next poll; meanwhile the jobs' own files show which have succeeded."""
        ticks = self._interval.ticks()
        for number, tick in enumerate(ticks, start=1):
            self._sleep(tick)
            done = False
            for one in self._jobs.in_flight():
                if (one.is_running or one.misses) and self._has_succeeded(one):
                    self._submitter.finish(one, JobStatus(JobState.UNKNOWN))
                    done = True
            if done and self._jobs.waiting(held=self._executor.holds_dependencies):
                return
            if number < len(ticks):
                self._show()

    def _poll(self) -> bool:
        """Asks for all jobs in flight at once; returns whether there was an answer."""
        self._polled_at = time.monotonic()
        if not self._jobs.in_flight():
            return True
        try:
            self._submitter.locate()
            flying = [one for one in self._jobs.in_flight() if one.job_id]
            statuses = self._executor.poll([one.job_id for one in flying])
        except TunebookError as error:
            if not _is_no_answer(error):
                raise
            self._note_silence(error)
            return False
        self._silence = ""
        self._interval.answered()
        for one in flying:
            self._apply(one, statuses.get(one.job_id, JobStatus(JobState.UNKNOWN)))
        return True

    def _has_succeeded(self, one: JobInRun) -> bool:
        """Whether its files suffice: the process of a job on this machine is waited for as well."""
        if not self._executor.survives_monitor or not one.has_succeeded():
            return False
        return self._submitter.has_outcome(one) and not one.lacks_files

    def _note_silence(self, error: TunebookError) -> None:
        """Waits for an executor that does not answer; no job has failed by that."""
        if not self._silence:
            self._display.warn(f"{self._executor.name} does not answer and is asked again: {error}")
        self._silence = f"{self._executor.name} does not answer: {error}"
        self._interval.silent()
        for one in self._jobs.in_flight():
            if self._has_succeeded(one):
                self._submitter.finish(one, JobStatus(JobState.UNKNOWN))

    def _apply(self, one: JobInRun, status: JobStatus) -> None:
        """Takes one job's status. An end without a trace is believed once it was reported several times in a row."""
        if self._has_succeeded(one):
            self._submitter.finish(one, status)
        elif status.state.is_going:
            self._take_status(one, status)
        elif status.reason == NEVER_RAN and awaits_verdict(one, self._jobs, self._recorder):
            return  # the job that it waited for is judged first
        elif self._submitter.has_outcome(one) and not (one.lacks_files and self._executor.survives_monitor):
            self._submitter.finish(one, status)
        else:
            one.misses += 1
            # A shared disk may show a success half a minute late.
            self._interval.hurried = status.state is JobState.FAILED or one.lacks_files
            if one.misses >= self._executor.patience:
                self._submitter.finish(one, _without_outcome(status))
        if not one.in_flight:
            self._interval.changed = True

    def _take_status(self, one: JobInRun, status: JobStatus) -> None:
        was_running = one.is_running
        one.goes_on(status)
        if one.is_running and not was_running:
            self._interval.changed = True
            one.started = status.started or one.started or self._recorder.now()
            self._recorder.record([one], EventKind.RUNNING)
            self._recorder.log_change(one, "running")
        elif was_running and not one.is_running:
            self._recorder.log_change(one, "queued again", reason=status.reason)

    def _leave(self) -> None:
        names = [one.job.name for one in self._jobs.in_flight()]
        if self._executor.survives_monitor:
            self._recorder.log("RUN_LEFT", f"{len(names)} jobs continue", details=", ".join(names))
            return
        try:
            self._submitter.cancel_all()
        except TunebookError as error:
            self._display.warn(f"jobs could not be cancelled: {error}")
        self._recorder.log("RUN_INTERRUPTED", f"{len(names)} jobs were ended", details=", ".join(names))

    def _report(self) -> RunReport:
        reports = self._jobs.reports()
        not_retried: tuple[str, ...] = ()
        if not self._options.retry_failed:
            not_retried = tuple(one.job.name for one in self._jobs.not_retried())
        result = RunReport(reports, self._display.warnings, tuple(self._submitted), not_retried)
        for tool in dict.fromkeys(report.job.tool for report in result.selected):
            of_tool = [report for report in result.selected if report.job.tool == tool]
            self._recorder.log_tool(tool, "ALL_COMPLETE", _counted(of_tool))
        counts = _counted(result.selected)
        self._recorder.log("COMPLETE", counts, result=f"exit code {result.exit_code.value}")
        return result


def _is_no_answer(error: TunebookError) -> bool:
    """Whether the executor could not be asked; a plug-in may leave that to Python's own errors."""
    return isinstance(error, ExecutorError) or isinstance(error.__cause__, _AWAY)


def _without_outcome(status: JobStatus) -> JobStatus:
    if status.state is JobState.COMPLETED:
        return JobStatus(JobState.FAILED, "it ended without an outcome file", ended=status.ended)
    if status.state is JobState.UNKNOWN:
        return JobStatus(JobState.UNKNOWN, "its executor does not know it, and it wrote no outcome file")
    return status


def _counted(reports: Sequence[JobReport]) -> str:
    return count_states(report.state for report in reports)
