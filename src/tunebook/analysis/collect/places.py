"""The places outside of an experiment's directory that its analysis may read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tunebook.analysis.collect.experiment import training_files
from tunebook.analysis.collect.source import Source
from tunebook.core.jobs import Stage
from tunebook.core.naming import run_directories
from tunebook.core.paths import expanded
from tunebook.tools.plan_inputs import dataset_path

__all__ = ["places_outside"]


def places_outside(source: Source) -> tuple[Path, ...]:
    """The files and directories of trainings, jobs and data that are not below the experiment's directory."""
    outside: dict[Path, None] = {}
    for place in (*_places_of_trainings(source), *_places_of_data(source)):
        if not place.is_relative_to(source.experiment):
            outside[place] = None
    return tuple(outside)


def _places_of_trainings(source: Source) -> Iterator[Path]:
    directories = run_directories(source.plan)
    trainings = {facts.job.run: facts for facts in source.jobs if facts.job.stage is Stage.PREPARATION}
    for run in source.plan.fine_tuned:
        files = training_files(source, directories[run.name], trainings.get(run.name))
        yield from (files.metrics.parent, files.output_directory, *files.job_outputs)


def _places_of_data(source: Source) -> Iterator[Path]:
    plan = source.plan
    paths = {dataset_path(plan, run) for run in plan.fine_tuned}
    for task in plan.tasks:
        paths |= {task.script, task.dataset or ""}
    for path in sorted(filter(None, paths)):
        yield source.experiment / expanded(path)
