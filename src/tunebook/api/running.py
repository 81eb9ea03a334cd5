"""``run``, ``status`` and ``cancel``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tunebook.api.loading import Loaded, find_experiment, load_correct
from tunebook.api.remedies import shrink_training
from tunebook.api.scaffolding import now
from tunebook.core.jobs import Job, Stage
from tunebook.disk.ledger import read_ledger
from tunebook.disk.manifest import read_manifest
from tunebook.errors import ConflictError, PlanError, Problem, TunebookError, UsageError
from tunebook.executors.base import ExecutorOptions
from tunebook.executors.registry import Choice, choose_executor
from tunebook.run.loop import run_jobs
from tunebook.run.overview import cancel_jobs, job_reports
from tunebook.run.report import RunReport, Snapshot, StatusReport
from tunebook.run.select import RunOptions, select
from tunebook.scaffold.orchestrate import Options
from tunebook.scaffold.orchestrate import scaffold as orchestrate

__all__ = ["cancel", "run", "status"]


def run(
    directory: Path,
    *,
    executor: str = "auto",
    stage: Stage | None = None,
    tool: str | None = None,
    runs: Sequence[str] = (),
    retry_failed: bool = False,
    retry_oom: bool = False,
    jobs: int | None = None,
    max_jobs: int | None = None,
    array: bool | None = None,
    stagger_s: float = 0.0,
    detach: bool = False,
    poll_s: float | None = None,
    on_event: Callable[[Snapshot], None] | None = None,
    on_choice: Callable[[Choice], None] | None = None,
) -> RunReport:
    """Runs what is not done, each evaluation as soon as its own training is, and returns when nothing is left to do.

    Args:
        tool: short name of the plan's tool whose stage alone is run, in place of ``stage``.
        retry_failed: whether what failed in an earlier run is done again.
        retry_oom: whether trainings that were out of GPU memory, in an earlier run or in this one, are done again with
            half the batch and twice the gradient accumulation, down to a batch of 1.
        jobs: how many run at a time.
        max_jobs: how many are queued or running at a time; the others are submitted as those end.
        array: whether like jobs go as one array; ``None`` leaves it to the executor, but staggered jobs go one by one.
        stagger_s: seconds between two submissions.
        detach: returns as soon as everything that can be is in the executor's hands.
        poll_s: seconds between two looks at them.
        on_event: called with the state of all jobs.
        on_choice: told which executor it is, and why.

    Raises:
        PlanError: the page is wrong.
        ConflictError: the page asks for other files than were scaffolded: what would run is not what it says.
        LockedError: another run works in this experiment.
        ExecutorError: the executor does not work here.
        UsageError: the executor's jobs end with what watches them, and ``detach`` was asked for.
    """
    experiment = find_experiment(directory)
    loaded = load_correct(experiment)
    if tool is not None:
        stage = loaded.stage_of(tool)
    _refuse_stale(loaded, stage, runs)
    one_by_one = array is None and stagger_s > 0
    choice = _choose(executor, ExecutorOptions(jobs, False if one_by_one else array), detach=detach)
    if on_choice:
        on_choice(choice)
    selection = RunOptions(stage=stage, runs=tuple(runs), retry_failed=retry_failed, max_jobs=max_jobs)
    options = replace(selection, poll_s=poll_s, stagger_s=stagger_s, detach=detach)
    remedy = partial(shrink_training, experiment, clock=now) if retry_oom else None
    return run_jobs(
        _jobs(experiment), choice.executor, experiment=experiment, options=options, on_event=on_event, remedy=remedy
    )


def _choose(name: str, options: ExecutorOptions, *, detach: bool) -> Choice:
    choice = choose_executor(name, options)
    if detach and not choice.executor.survives_monitor:
        message = f"the jobs of the executor `{choice.executor.name}` end with what watches them"
        raise UsageError(message, hint="leave `--detach` out; `nohup` or `tmux` keep a run going without a terminal")
    return choice


def _refuse_stale(loaded: Loaded, stage: Stage | None, runs: Sequence[str]) -> None:
    """What is scaffolded must be what the page asks for now; files that a person edited are theirs."""
    stages = frozenset(Stage) if stage is None else frozenset({stage})
    options = Options(stages=stages, runs=tuple(runs), dry_run=True, on_failure=lambda _: True)
    report = orchestrate(loaded.context, loaded.tools, options, now)
    if report.errors:
        raise PlanError(report.errors)
    stale = [step.path for step in report.steps if step.writes]
    if stale:
        message = f"{len(stale)} files are not what the page asks for, the first is {stale[0]}"
        raise ConflictError(message, hint="`tunebook scaffold` writes them, `tunebook scaffold --dry-run` shows them")


def _jobs(experiment: Path) -> tuple[Job, ...]:
    return read_manifest(experiment).jobs


def status(directory: Path) -> StatusReport:
    """Every scaffolded job as it stands, from one query of each executor that has some; writes nothing.

    Of the jobs of an executor that does not answer, or that there is not on this machine, it tells what was written
    down last, and says so.

    Raises:
        PlanError: nothing was scaffolded here.
    """
    experiment = find_experiment(directory)
    jobs = _jobs(experiment)
    if not jobs:
        raise PlanError([Problem("nothing was scaffolded here", hint="run `tunebook scaffold` first")])
    warnings: list[str] = []
    executors = []
    for name in _open_jobs(experiment):
        try:
            executors.append(choose_executor(name).executor)
        except TunebookError as error:
            warnings.append(f"{name} could not be asked, and its jobs are shown as they were last seen: {error}")
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
    """Ends what is queued or running, and returns the names of those jobs."""
    experiment = find_experiment(directory)
    jobs = _jobs(experiment)
    asked = select(jobs, RunOptions(runs=tuple(runs)))
    ended: list[str] = []
    for name, theirs in _open_jobs(experiment).items():
        if theirs & asked:
            executor = choose_executor(name).executor
            ended += cancel_jobs(jobs, executor, experiment=experiment, only=theirs & asked)
    return tuple(ended)
