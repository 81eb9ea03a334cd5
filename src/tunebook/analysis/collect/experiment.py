"""Collects everything that an experiment's directory says, before any statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from tunebook.analysis.collect.evaluations import collect_evaluations
from tunebook.analysis.collect.factors import bases_of, factors_of, levels_of
from tunebook.analysis.collect.read_logs import EvaluationLog, UnreadableLog
from tunebook.analysis.collect.source import Source
from tunebook.analysis.collect.trainings import training_of
from tunebook.analysis.records import EvaluationKey, EvaluationRecord, FactorUse, RunRecord, TaskUse
from tunebook.core.jobs import Stage
from tunebook.core.naming import run_directories
from tunebook.core.plan import RunType
from tunebook.core.plan.settings import run_settings
from tunebook.tools.results import LogHeader, Samples

__all__ = ["Collected", "collect"]


@dataclass(frozen=True)
class Collected:
    """An experiment's facts.

    Attributes:
        evaluations: in the matrix's order, those without a log too; not scored yet.
        samples: of each evaluation that has a log that counts; ``headers`` too.
        unreadable: logs that cannot be read.
        strays: logs in a run's directory that belong to no planned evaluation.
    """

    factors: tuple[FactorUse, ...]
    tasks: tuple[TaskUse, ...]
    runs: tuple[RunRecord, ...]
    evaluations: tuple[EvaluationRecord, ...]
    samples: Mapping[EvaluationKey, Samples]
    headers: Mapping[EvaluationKey, LogHeader] = field(default_factory=lambda: MappingProxyType({}))
    unreadable: tuple[UnreadableLog, ...] = ()
    strays: tuple[EvaluationLog, ...] = ()


def collect(source: Source) -> Collected:
    """Reads what there is; what is missing stays empty and is not an error.

    Raises:
        ToolError: there are logs, and a package that reads them is not installed here.
    """
    factors = factors_of(source.plan)
    runs = _runs(source, factors)
    found = collect_evaluations(source, runs)
    tasks = tuple(
        TaskUse(task.name, task.description, _measures(found.samples, task.name)) for task in source.plan.tasks
    )
    return Collected(factors, tasks, runs, found.records, found.samples, found.headers, found.unreadable, found.strays)


def _measures(samples: Mapping[EvaluationKey, Samples], task: str) -> tuple[str, ...]:
    """The measures of a task, in the order in which its evaluations name them."""
    names: dict[str, None] = {}
    for key, found in samples.items():
        if key.task == task:
            names |= dict.fromkeys(found.values)
    return tuple(names)


def _runs(source: Source, factors: Sequence[FactorUse]) -> tuple[RunRecord, ...]:
    plan = source.plan
    directories, bases, levels = run_directories(plan), bases_of(plan), levels_of(plan, factors)
    trainings = {facts.job.run: facts for facts in source.jobs if facts.job.stage is Stage.PREPARATION}
    runs = []
    for run in plan.runs:
        record = RunRecord(
            run.name, directories[run.name], run.type, run.model, bases[run.name], notes=run.notes, line=run.line
        )
        if run.type is RunType.FINE_TUNED:
            record = replace(
                record,
                parameters=MappingProxyType(dict(run_settings(plan, run))),
                levels=MappingProxyType(levels[run.name]),
                training=training_of(source, record.directory, trainings.get(run.name)),
            )
        runs.append(record)
    return tuple(runs)
