"""Collects everything that an experiment's directory says, before any statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from tunebook.analysis.collect.collected import Collected
from tunebook.analysis.collect.evaluations import collect_evaluations
from tunebook.analysis.collect.factors import bases_of, factors_of, levels_of
from tunebook.analysis.collect.source import Source
from tunebook.analysis.collect.trainings import training_of
from tunebook.analysis.records import FactorUse, RunRecord
from tunebook.core.jobs import Stage
from tunebook.core.naming import run_directories
from tunebook.core.plan import RunType
from tunebook.core.plan.settings import run_settings

__all__ = ["collect"]


def collect(source: Source) -> Collected:
    """Reads the results that exist; missing results stay empty and are not an error.

    Raises:
        ToolError: there are logs, but a package that reads them is not installed here.
    """
    factors = factors_of(source.plan)
    return collect_evaluations(source, factors, _runs(source, factors))


def _runs(source: Source, factors: Sequence[FactorUse]) -> tuple[RunRecord, ...]:
    plan = source.plan
    directories, bases, levels = run_directories(plan), bases_of(plan), levels_of(plan, factors)
    trainings = {facts.job.run: facts for facts in source.jobs if facts.job.stage is Stage.PREPARATION}
    runs = []
    for run in plan.runs:
        record = RunRecord(run.name, directories[run.name], run.type, run.model, bases[run.name], notes=run.notes)
        if run.type is RunType.FINE_TUNED:
            record = replace(
                record,
                parameters=MappingProxyType(dict(run_settings(plan, run))),
                levels=MappingProxyType(levels[run.name]),
                training=training_of(source, record.directory, trainings.get(run.name)),
            )
        runs.append(record)
    return tuple(runs)
