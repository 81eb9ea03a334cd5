"""``status`` and ``cancel``: they need neither the plan nor the tools, only what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tunebook.api.location import find_experiment
from tunebook.core.paths import PLAN_FILE
from tunebook.disk.archive_record import read_archive_record, refuse_archive
from tunebook.disk.ledger import Ledger, read_ledger
from tunebook.disk.manifest import Manifest, plan_digest, read_manifest, refuse_lost
from tunebook.errors import PlanError, Problem, TunebookError
from tunebook.run.overview import job_reports
from tunebook.run.report import StatusReport

if TYPE_CHECKING:
    from tunebook.executors.base import Executor

__all__ = ["cancel", "status"]


def status(directory: Path) -> StatusReport:
    """The state of every scaffolded job, from one query to each executor that has open jobs; writes nothing.

    An archive has the states that were recorded when it was exported. Elsewhere, if an executor does not answer, or
    does not exist on this machine, the report has the last recorded states of its jobs, and a warning.

    Raises:
        PlanError: nothing was scaffolded here.
    """
    experiment = find_experiment(directory)
    manifest = read_manifest(experiment)
    jobs = manifest.jobs
    if not jobs:
        refuse_lost(experiment)
        raise PlanError([Problem("nothing was scaffolded here", hint="run `tunebook scaffold` first")])
    archive = read_archive_record(experiment)
    if archive is not None:
        from tunebook.api.archived_jobs import archived_job_reports

        return StatusReport(tuple(archived_job_reports(experiment, jobs, archive)))
    warnings = list(_plan_warnings(experiment, manifest))
    ledger = read_ledger(experiment)
    executors = list(_executors(_open_jobs(ledger), warnings.append))
    reports = job_reports(jobs, experiment=experiment, executors=executors, warn=warnings.append, ledger=ledger)
    return StatusReport(reports, tuple(warnings))


def _plan_warnings(experiment: Path, manifest: Manifest) -> Iterator[str]:
    """A warning if the states are those of jobs that the plan may ask for in another form now."""
    if manifest.plan and manifest.plan != plan_digest(experiment):
        yield (
            f"{PLAN_FILE} has changed since it was scaffolded: the states are those of the jobs as they were written "
            "then; `tunebook scaffold` updates them"
        )


def _executors(names: Iterable[str], warn: Callable[[str], None]) -> Iterator[Executor]:
    for name in names:
        from tunebook.executors.registry import choose_executor  # imports all executors: nobody is asked of done jobs

        try:
            yield choose_executor(name).executor
        except TunebookError as error:
            warn(f"{name} could not be asked; the last recorded states of its jobs are shown: {error}")


def _open_jobs(ledger: Ledger) -> dict[str, set[str]]:
    """The names of the jobs that an executor may still have, by the executor's name."""
    found: dict[str, set[str]] = {}
    for job, entry in sorted(ledger.entries.items()):
        if entry.is_open and entry.last.executor:
            found.setdefault(entry.last.executor, set()).add(job)
    return found


def cancel(directory: Path, *, runs: Sequence[str] = ()) -> tuple[str, ...]:
    """Ends the queued and running jobs of these runs, or of all, and returns the names of the jobs."""
    from tunebook.executors.registry import choose_executor
    from tunebook.run.cancelling import cancel_jobs
    from tunebook.run.select import LoopOptions, select

    experiment = find_experiment(directory)
    refuse_archive(experiment, "cancel")
    refuse_lost(experiment)
    jobs = read_manifest(experiment).jobs
    selected = select(jobs, LoopOptions(runs=tuple(runs)))
    ended: list[str] = []
    for name, open_jobs in _open_jobs(read_ledger(experiment)).items():
        chosen = open_jobs & selected
        if chosen:
            executor = choose_executor(name).executor
            ended += cancel_jobs(jobs, executor, experiment=experiment, names=chosen)
    return tuple(ended)
