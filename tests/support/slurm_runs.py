"""A run on the SLURM of the tests, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.bash_jobs import Experiment
from tunebook.executors.base import ExecutorOptions
from tunebook.executors.slurm import SlurmExecutor
from tunebook.run.loop import run_jobs
from tunebook.run.report import RunReport, Snapshot
from tunebook.run.select import LoopOptions

__all__ = ["run", "states"]


def run(
    experiment: Experiment,
    *,
    array: bool | None = None,
    on_event: Callable[[Snapshot], None] | None = None,
    **options: Any,
) -> RunReport:
    """As ``tunebook run`` does it, with a look three times a second."""
    executor = SlurmExecutor.create(ExecutorOptions(array=array))
    chosen = LoopOptions(poll_s=0.3, **options)
    return run_jobs(experiment.jobs, executor, experiment=experiment.path, options=chosen, on_event=on_event)


def states(report: RunReport) -> dict[str, str]:
    """Every job's state, and its reason if there is one."""
    return {job.job.name: f"{job.state.value} {job.reason}".strip() for job in report.jobs}
