"""``run``, ``status`` and ``cancel``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tunebook.api.loading import Loaded, find_experiment, load
from tunebook.api.scaffolding import now
from tunebook.core.job import Job, Stage
from tunebook.disk.manifest import read_manifest
from tunebook.errors import ConflictError, PlanError, Problem
from tunebook.executors.base import ExecutorOptions
from tunebook.executors.registry import choose_executor
from tunebook.run.loop import run_jobs
from tunebook.run.overview import cancel_jobs, job_reports
from tunebook.run.report import JobReport, RunReport, Snapshot
from tunebook.run.select import RunOptions
from tunebook.scaffold.orchestrate import Options
from tunebook.scaffold.orchestrate import scaffold as orchestrate

__all__ = ["cancel", "run", "status"]


def run(
    directory: Path,
    *,
    executor: str = "auto",
    stage: Stage | None = None,
    runs: Sequence[str] = (),
    retry_failed: bool = False,
    jobs: int | None = None,
    poll_s: float | None = None,
    on_event: Callable[[Snapshot], None] | None = None,
    on_choice: Callable[[str], None] | None = None,
) -> RunReport:
    """Runs what is not done, each evaluation as soon as its own training is, and returns when nothing is left to do.

    Args:
        jobs: how many at a time.
        poll_s: seconds between two looks at them.
        on_event: called with the state of all jobs.
        on_choice: told which executor it is, and why.

    Raises:
        PlanError: the page is wrong.
        ConflictError: the page asks for other files than were scaffolded: what would run is not what it says.
        LockedError: another run works in this experiment.
        ExecutorError: the executor does not work here.
    """
    experiment = find_experiment(directory)
    loaded = load(experiment)
    if loaded.findings.errors:
        raise PlanError(loaded.findings.errors)
    _refuse_stale(loaded, stage, runs)
    choice = choose_executor(executor, ExecutorOptions(jobs))
    if on_choice:
        on_choice(f"{choice.executor.name} ({choice.reason})")
    options = RunOptions(stage, tuple(runs), retry_failed, jobs, poll_s)
    return run_jobs(_jobs(experiment), choice.executor, experiment=experiment, options=options, on_event=on_event)


def _refuse_stale(loaded: Loaded, stage: Stage | None, runs: Sequence[str]) -> None:
    """What is scaffolded must be what the page asks for now; files that a person edited are theirs."""
    stages = frozenset(Stage) if stage is None else frozenset({stage})
    options = Options(stages, tuple(runs), dry_run=True, on_failure=lambda _: True)
    report = orchestrate(loaded.context, loaded.tools, options, now)
    if report.errors:
        raise PlanError(report.errors)
    stale = [step.path for step in report.steps if step.writes]
    if stale:
        message = f"{len(stale)} files are not what the page asks for, the first is {stale[0]}"
        raise ConflictError(message, hint="`tunebook scaffold` writes them, `tunebook scaffold --dry-run` shows them")


def _jobs(experiment: Path) -> tuple[Job, ...]:
    return read_manifest(experiment).jobs


def status(directory: Path) -> tuple[JobReport, ...]:
    """Every scaffolded job as it stands, from one query; writes nothing.

    Raises:
        PlanError: nothing was scaffolded here.
    """
    experiment = find_experiment(directory)
    jobs = _jobs(experiment)
    if not jobs:
        raise PlanError([Problem("nothing was scaffolded here", hint="run `tunebook scaffold` first")])
    return job_reports(jobs, experiment=experiment, executor=choose_executor("auto").executor)


def cancel(directory: Path, *, runs: Sequence[str] = ()) -> tuple[str, ...]:
    """Ends what is queued or running, and returns the names of those jobs."""
    experiment = find_experiment(directory)
    executor = choose_executor("auto").executor
    return cancel_jobs(_jobs(experiment), executor, experiment=experiment, options=RunOptions(runs=tuple(runs)))
