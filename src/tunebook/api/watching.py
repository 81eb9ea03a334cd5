"""``status`` and ``cancel``: they need neither the plan nor the tools, only what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tunebook.api.location import find_experiment
from tunebook.disk.ledger import read_ledger
from tunebook.disk.manifest import read_manifest
from tunebook.errors import PlanError, Problem, TunebookError
from tunebook.executors.registry import choose_executor
from tunebook.run.overview import cancel_jobs, job_reports
from tunebook.run.report import StatusReport
from tunebook.run.select import LoopOptions, select

__all__ = ["cancel", "status"]


def status(directory: Path) -> StatusReport:
    """The state of every scaffolded job, from one query to each executor that has open jobs; writes nothing.

    If an executor does not answer, or does not exist on this machine, the report has the last recorded states of its
    jobs, and a warning.

    Raises:
        PlanError: nothing was scaffolded here.
    """
    experiment = find_experiment(directory)
    jobs = read_manifest(experiment).jobs
    if not jobs:
        raise PlanError([Problem("nothing was scaffolded here", hint="run `tunebook scaffold` first")])
    warnings: list[str] = []
    executors = []
    for name in _open_jobs(experiment):
        try:
            executors.append(choose_executor(name).executor)
        except TunebookError as error:
            warnings.append(f"{name} could not be asked; the last recorded states of its jobs are shown: {error}")
    reports = job_reports(jobs, experiment=experiment, executors=executors, warn=warnings.append)
    return StatusReport(reports, tuple(warnings))


def _open_jobs(experiment: Path) -> dict[str, set[str]]:
    """The names of the jobs that an executor may still have, by the executor's name."""
    found: dict[str, set[str]] = {}
    for job, entry in sorted(read_ledger(experiment).entries.items()):
        if entry.is_open and entry.last.executor:
            found.setdefault(entry.last.executor, set()).add(job)
    return found


def cancel(directory: Path, *, runs: Sequence[str] = ()) -> tuple[str, ...]:
    """Ends the queued and running jobs of these runs, or of all, and returns the names of the jobs."""
    experiment = find_experiment(directory)
    jobs = read_manifest(experiment).jobs
    selected = select(jobs, LoopOptions(runs=tuple(runs)))
    ended: list[str] = []
    for name, open_jobs in _open_jobs(experiment).items():
        chosen = open_jobs & selected
        if chosen:
            executor = choose_executor(name).executor
            ended += cancel_jobs(jobs, executor, experiment=experiment, names=chosen)
    return tuple(ended)
