"""One run that the server watches: its thread, its progress, and its document."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from tunebook import api
from tunebook.cli.run import failed_jobs, refuse_repeats, run_data
from tunebook.cli.served.answer import answer
from tunebook.cli.served.call import Call
from tunebook.cli.served.tools import jobs_first
from tunebook.core.jobs import JobState, count_states
from tunebook.core.shortened import counted
from tunebook.errors import ExitCode, Problem

__all__ = ["Watched"]

_STARTED = 0.1
"""The share of a job that is done when it has started; the steps of a training are the next eight tenths."""
_OF_STEPS = 0.8


class Watched:
    """A run in a thread of its own.

    Args:
        repeats: whether completed work may be repeated.
    """

    def __init__(self, experiment: Path, options: api.RunOptions, *, repeats: bool) -> None:
        self.experiment = experiment
        self._options = options
        self._repeats = repeats
        self._submitted = threading.Event()
        self._choice: api.Choice | None = None
        self._preview: api.Preview | None = None
        self._snapshot: api.Snapshot | None = None
        self.call = Call(self._work, ("run", str(experiment)))

    def has_submitted(self) -> bool:
        """Whether the first jobs are submitted."""
        return self._submitted.is_set()

    @property
    def in_flight(self) -> tuple[str, ...]:
        """The jobs that end with the run, when it was last looked at."""
        if self._snapshot is None or self._survives:
            return ()
        return tuple(job.job.name for job in self._snapshot.jobs if job.in_flight)

    @property
    def _survives(self) -> bool:
        return self._choice is not None and self._choice.executor.survives_monitor

    def so_far(self) -> Any:
        """The document of a run that goes on."""
        snapshot = self._snapshot
        jobs = () if snapshot is None else snapshot.jobs
        warnings = () if snapshot is None else snapshot.warnings
        submitted = tuple(job.job.name for job in jobs if job.in_flight)
        report = api.RunReport(jobs, warnings, submitted)
        return self._document(report, ExitCode.UNFINISHED, goes_on=self._goes_on())

    def _goes_on(self) -> str:
        server = "This server watches the jobs and submits those that wait; `status` shows them, `cancel` ends them."
        if self._survives:
            return f"{server} When the server ends, submitted jobs continue, and `run` submits the rest."
        return f"{server} When the server ends, the jobs on this machine end too, and `run` resumes them."

    def _work(self, call: Call) -> Any:
        report = api.run(
            self.experiment,
            self._options,
            on_event=lambda snapshot: self._show(call, snapshot),
            on_choice=lambda choice: self._take(call, choice),
            approve=self._approve,
            on_leave=lambda jobs: self._leave(call, jobs),
            sleep=call.sleep,
        )
        return self._document(report, report.exit_code)

    def _take(self, call: Call, choice: api.Choice) -> None:
        self._choice = choice
        call.tell(0, None, f"executor: {choice.executor.name} ({choice.reason})")
        call.look()

    def _approve(self, preview: api.Preview) -> bool:
        """Keeps what will be done; refuses to repeat completed work that nobody agreed to.

        Raises:
            ConflictError: completed work would be repeated.
        """
        self._preview = preview
        if not self._repeats:
            refuse_repeats(preview, option="repeat_completed")
        return True

    def _show(self, call: Call, snapshot: api.Snapshot) -> None:
        self._snapshot = snapshot
        jobs = snapshot.selected
        ended = [job for job in jobs if job.state in {JobState.COMPLETED, JobState.FAILED}]
        text = f"{len(ended)} of {counted(len(jobs), 'job')} ended: {count_states(job.state for job in jobs)}"
        call.tell(sum(map(_share, jobs)), len(jobs), "; ".join(filter(None, (text, snapshot.note))))
        self._submitted.set()
        call.look()

    def _leave(self, call: Call, jobs: int) -> None:
        is_one = jobs == 1
        if self._survives:
            verb = "continues" if is_one else "continue"
            call.remark = f"{counted(jobs, 'job')} {verb}; `run` watches the jobs again, `cancel` ends them"
        else:
            verb = "was" if is_one else "were"
            call.remark = f"{counted(jobs, 'job')} on this machine {verb} ended; `run` resumes the experiment"

    def _document(self, report: api.RunReport, exit_code: ExitCode, *, goes_on: str = "") -> Any:
        if self._choice is None or self._preview is None:
            raise AssertionError("a run that reports has an executor and a preview")
        data = run_data(report, self._choice, self._preview) | {"goes_on": goes_on}
        warnings = list(map(Problem, report.warnings))
        return answer(exit_code, jobs_first(data), warnings=warnings, errors=failed_jobs(report))


def _share(job: api.JobReport) -> float:
    """How much of a job is done, from 0 to 1."""
    if job.state in {JobState.COMPLETED, JobState.FAILED}:
        return 1.0
    if job.state is not JobState.RUNNING:
        return 0.0
    progress = job.progress
    if progress is None or not progress.total_steps:
        return _STARTED
    return _STARTED + _OF_STEPS * min(1.0, progress.step / progress.total_steps)
