"""``run``, and what it would do."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from tunebook.api.freezing import freeze_hypotheses
from tunebook.api.loading import Loaded, load_correct
from tunebook.api.location import find_experiment
from tunebook.api.remedies import shrink_training
from tunebook.api.scaffolded import refuse_stale
from tunebook.api.scaffolding import now
from tunebook.disk.archive_record import refuse_archive
from tunebook.disk.manifest import read_manifest, refuse_lost
from tunebook.errors import UsageError
from tunebook.executors.base import ExecutorOptions
from tunebook.executors.registry import AUTO, Choice, choose_executor
from tunebook.run.loop import Hooks, run_jobs
from tunebook.run.overview import preview_run
from tunebook.run.preview import Preview
from tunebook.run.provenance import Settings
from tunebook.run.report import RunReport, Snapshot
from tunebook.run.select import LoopOptions
from tunebook.scaffold.blueprint import Blueprint
from tunebook.scaffold.effects import effects_by_run

__all__ = ["RunOptions", "preview", "run"]


@dataclass(frozen=True, kw_only=True)
class RunOptions(LoopOptions, ExecutorOptions):
    """The options of ``run``; those of the loop and of the executor are among them.

    Attributes:
        executor: the name of an executor; ``auto`` is SLURM on a cluster, and this machine elsewhere.
        retry_oom: whether trainings that ran out of GPU memory, earlier or in this run, are run again with at most half
            the batch and the same effective batch, down to a batch of 1.
    """

    executor: str = AUTO
    retry_oom: bool = False


def run(
    directory: Path,
    options: RunOptions | None = None,
    *,
    on_event: Callable[[Snapshot], None] | None = None,
    on_choice: Callable[[Choice], None] | None = None,
    approve: Callable[[Preview], bool] = lambda _: True,
    on_leave: Callable[[int], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> RunReport:
    """Runs every job that is not completed, each evaluation after its own training, until nothing is left to do.

    The plan's hypotheses are frozen before the first job is submitted.

    Args:
        on_event: called with the state of all jobs.
        on_choice: called once, with the chosen executor and the reason.
        approve: gets what will be run and why, before anything is submitted; ``False`` leaves everything as it is.
        on_leave: called if a signal ends the run, with the number of jobs in flight, before the executor ends them.
        sleep: waits so many seconds between two looks at the jobs. A caller in another thread than the main one, which
            signals do not reach, ends the run by raising :class:`KeyboardInterrupt` here.

    Raises:
        PlanError: the plan is wrong.
        ConflictError: the scaffolded files are not those that the plan asks for now.
        LockedError: another run works in this experiment.
        ExecutorError: the executor does not work here.
        UsageError: ``detach`` is set, but the executor's jobs end with the process that watches them.
    """
    experiment = find_experiment(directory)
    options, loaded, settings = _prepared(experiment, options)
    choice = _choose(options)
    if on_choice is not None:
        on_choice(choice)
    jobs = read_manifest(experiment).jobs
    remedy = partial(shrink_training, experiment, clock=now) if options.retry_oom else None

    freezing = partial(_approved, experiment, loaded, approve)
    hooks = Hooks(remedy=remedy, approve=freezing, settings=settings, on_leave=on_leave)
    return run_jobs(
        jobs,
        choice.executor,
        experiment=experiment,
        options=options,
        sleep=sleep,
        on_event=on_event,
        hooks=hooks,
    )


def _approved(experiment: Path, loaded: Loaded, approve: Callable[[Preview], bool], preview: Preview) -> bool:
    """Asks the caller, and freezes the hypotheses before the first job is submitted."""
    if not approve(preview):
        return False
    freeze_hypotheses(experiment, loaded.context.plan.hypotheses, now, is_submitting=bool(preview.to_run))
    return True


def preview(directory: Path, options: RunOptions | None = None) -> Preview:
    """What :func:`run` would do with these options, and why; submits and writes nothing.

    Raises:
        PlanError: the plan is wrong.
        ConflictError: the scaffolded files are not those that the plan asks for now.
        UsageError: no job is selected.
    """
    experiment = find_experiment(directory)
    options, _, _ = _prepared(experiment, options)
    return preview_run(read_manifest(experiment).jobs, experiment=experiment, options=options)


def _prepared(experiment: Path, options: RunOptions | None) -> tuple[RunOptions, Loaded, Settings]:
    """The options in full, the plan, and the settings in effect, once the scaffolded files are known to be its own."""
    options = options or RunOptions()
    refuse_archive(experiment, "run")
    refuse_lost(experiment)
    loaded = load_correct(experiment)
    if options.tool is not None:
        loaded.refuse_unused(options.tool)
    if options.array is None and options.stagger_s > 0:
        options = replace(options, array=False)
    blueprint = refuse_stale(loaded, options)
    return options, loaded, partial(_settings_of, loaded, blueprint)


def _settings_of(
    loaded: Loaded, blueprint: Blueprint, runs: Collection[str]
) -> Mapping[str, Sequence[Mapping[str, str]]]:
    """The settings in effect of these runs, as `check` lists them."""
    effects = effects_by_run(blueprint, loaded.context, only=runs)
    return {run: [asdict(effect) for effect in of_run] for run, of_run in effects.items()}


def _choose(options: RunOptions) -> Choice:
    choice = choose_executor(options.executor, options)
    if options.detach and not choice.executor.survives_monitor:
        message = f"`--detach` does not work with the executor `{choice.executor.name}`: its jobs end with this command"
        raise UsageError(message, hint="omit `--detach`; `nohup` or `tmux` keep a run alive without a terminal")
    return choice
