"""Joins the facts of several experiments that share tasks: pure, with the experiment as one more factor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeVar

from tunebook.analysis.collect.join_factors import also_different, joint_factors
from tunebook.analysis.collect.join_tasks import JoinedTask, join_tasks
from tunebook.analysis.collect.read_logs import EvaluationLog, UnreadableLog
from tunebook.analysis.collect.source import Collected
from tunebook.analysis.records import Deviation, EvaluationKey, EvaluationRecord, FactorUse, OtherLog, RunRecord
from tunebook.core.plan import Plan, RunType

__all__ = ["EXPERIMENT", "Joined", "Part", "join"]

EXPERIMENT = "experiment"
"""The key of the factor."""
T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """One of the experiments that are joined.

    Attributes:
        label: its name, unlike that of the others; the level of the factor.
        path: of its directory, relative to the one that the paths of joined logs are relative to.
    """

    label: str
    path: str
    plan: Plan
    found: Collected


@dataclass(frozen=True)
class Joined:
    """Several experiments as one.

    Attributes:
        names: for each experiment, in their order: its own name of a run to the joined one.
        cautions: what the experiments do not have in common.
    """

    found: Collected
    names: tuple[Mapping[str, str], ...]
    cautions: tuple[Deviation, ...]


def join(parts: Sequence[Part]) -> Joined:
    """Joins experiments; evaluations of tasks that they do not share are left out.

    Raises:
        UsageError: the experiments share no task.
    """
    tasks = join_tasks([(part.label, part.plan, part.found) for part in parts])
    shared = {task.use.name for task in tasks if task.is_shared}
    names = _unique_names(parts)
    uses = joint_factors([part.plan for part in parts], [part.found for part in parts])
    levels = tuple(part.label for part in parts)
    runs: list[RunRecord] = []
    evaluations: list[EvaluationRecord] = []
    samples: dict[EvaluationKey, Any] = {}
    headers: dict[EvaluationKey, Any] = {}
    for number, part in enumerate(parts):
        own = names[number]
        runs += [_run(run, part, own, uses.levels[number]) for run in part.found.runs]
        evaluations += [_evaluation(each, part, own) for each in part.found.evaluations if each.key.task in shared]
        samples |= _renamed(part.found.samples, own, shared)
        headers |= _renamed(part.found.headers, own, shared)
    return Joined(
        Collected(
            factors=(FactorUse(EXPERIMENT, "Experiment", levels), *uses.factors),
            tasks=tuple(task.use for task in tasks if task.is_shared),
            runs=tuple(runs),
            evaluations=tuple(evaluations),
            samples=MappingProxyType(samples),
            headers=MappingProxyType(headers),
            unreadable=tuple(chain.from_iterable(map(_unreadable, parts))),
            strays=tuple(chain.from_iterable(map(_strays, parts))),
        ),
        names,
        tuple(_cautions(parts, tasks)),
    )


def _cautions(parts: Sequence[Part], tasks: Sequence[JoinedTask]) -> Iterator[Deviation]:
    for task in tasks:
        subject = task.use.name if task.is_shared else f"{task.use.name} is not compared"
        for caution in task.cautions:
            yield Deviation("experiments", subject, caution)
    plans = {part.label: part.plan for part in parts}
    for difference in also_different(plans, {part.label: part.found for part in parts}):
        yield Deviation("experiments", "a difference between experiments may come from it", difference)


def _unique_names(parts: Sequence[Part]) -> tuple[Mapping[str, str], ...]:
    """A run whose name, or whose directory's name, another experiment has too gets its experiment's in front."""
    names: Counter[str] = Counter()
    for part in parts:
        names.update({run.name for run in part.found.runs} | {run.directory for run in part.found.runs})
    renamed = []
    for part in parts:
        own = {}
        for run in part.found.runs:
            is_unique = names[run.name] == 1 and names[run.directory] == 1
            own[run.name] = run.name if is_unique else f"{part.label}/{run.name}"
        renamed.append(MappingProxyType(own))
    return tuple(renamed)


def _run(run: RunRecord, part: Part, names: Mapping[str, str], levels: Mapping[str, Mapping[str, str]]) -> RunRecord:
    name, directory = names[run.name], run.directory
    if name != run.name:
        directory = f"{part.label}/{directory}"
    base = None if run.base is None else names[run.base]
    joined = replace(run, name=name, directory=directory, base=base)
    if run.type is RunType.FINE_TUNED:
        joined = replace(joined, levels=MappingProxyType({EXPERIMENT: part.label, **levels[run.name]}))
    return joined


def _evaluation(record: EvaluationRecord, part: Part, names: Mapping[str, str]) -> EvaluationRecord:
    others: list[OtherLog] = [replace(other, path=f"{part.path}/{other.path}") for other in record.others]
    log = None if record.log is None else f"{part.path}/{record.log}"
    key = replace(record.key, run=names[record.key.run])
    scores = tuple(replace(score, evaluation=key) for score in record.scores)
    return replace(record, key=key, log=log, scores=scores, others=tuple(others))


def _renamed(
    found: Mapping[EvaluationKey, T], names: Mapping[str, str], tasks: Iterable[str]
) -> dict[EvaluationKey, T]:
    return {replace(key, run=names[key.run]): value for key, value in found.items() if key.task in tasks}


def _unreadable(part: Part) -> list[UnreadableLog]:
    return [replace(log, path=f"{part.path}/{log.path}") for log in part.found.unreadable]


def _strays(part: Part) -> list[EvaluationLog]:
    return [replace(log, path=f"{part.path}/{log.path}") for log in part.found.strays]
