"""Which tasks several experiments share: the same name, script, function and measures, and samples in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from tunebook.analysis.collect.source import Collected
from tunebook.analysis.records import Measure, TaskUse
from tunebook.core.measures import Direction
from tunebook.core.plan import EvaluationTask, Plan
from tunebook.errors import UsageError

__all__ = ["JoinedTask", "join_tasks"]

_Member = tuple[str, Plan, Collected]
_Samples = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class JoinedTask:
    """A task that at least one of the experiments has.

    Attributes:
        is_shared: whether it is compared between the experiments.
        cautions: why it is not, or what keeps some samples from being paired.
    """

    use: TaskUse
    is_shared: bool = True
    cautions: tuple[str, ...] = ()


def join_tasks(members: Sequence[_Member]) -> tuple[JoinedTask, ...]:
    """Compares the tasks of experiments, each given by its label, its plan and its facts.

    Raises:
        UsageError: they share no task.
    """
    names = dict.fromkeys(task.name for _, plan, _ in members for task in plan.tasks)
    tasks = tuple(_joined(name, members) for name in names)
    if not any(task.is_shared for task in tasks):
        reasons = "; ".join(f"{task.use.name}: {'; '.join(task.cautions)}" for task in tasks)
        hint = "experiments can be compared where a task has one name, one script and the same samples in all of them"
        raise UsageError(f"the experiments share no task: {reasons}", hint=hint)
    return tasks


def _joined(name: str, members: Sequence[_Member]) -> JoinedTask:
    having = [member for member in members if any(task.name == name for task in member[1].tasks)]
    uses = {label: next(use for use in found.tasks if use.name == name) for label, _, found in having}
    first = next(iter(uses.values()))
    if len(having) < len(members):
        return JoinedTask(first, is_shared=False, cautions=(f"only {' and '.join(uses)} has it",))
    problems = _differences(name, having, uses)
    if problems:
        return JoinedTask(first, is_shared=False, cautions=tuple(problems))
    samples = {label: _samples(name, found) for label, _, found in having}
    known = {label: own for label, own in samples.items() if own}
    paired = _in_all(known)
    if len(known) > 1 and not paired:
        return JoinedTask(first, is_shared=False, cautions=(_count(known, paired),))
    cautions = []
    if any(len(own) != len(paired) for own in known.values()):
        cautions.append(f"{_count(known, paired)}: only these are paired")
    measures, unclear = _measures([use for use in uses.values() if use.measures])
    if unclear:
        cautions.append(f"the experiments disagree on which values of {', '.join(unclear)} are better")
    return JoinedTask(replace(first, measures=measures), cautions=tuple(cautions))


def _differences(name: str, members: Sequence[_Member], uses: Mapping[str, TaskUse]) -> list[str]:
    """What makes it another task in another experiment."""
    scripts: dict[str, list[str]] = {}
    for label, plan, _ in members:
        task = next(task for task in plan.tasks if task.name == name)
        scripts.setdefault(_script(task), []).append(label)
    problems = []
    if len(scripts) > 1:
        problems.append(f"the scripts differ: {_by_experiment(scripts)}")
    measures: dict[str, list[str]] = {}
    reducers: dict[str, list[str]] = {}
    for label, use in uses.items():
        if not use.measures:  # no log yet
            continue
        measures.setdefault(", ".join(sorted(measure.name for measure in use.measures)), []).append(label)
        if use.headline.reducer:
            reducers.setdefault(use.headline.reducer, []).append(label)
    if len(measures) > 1:
        problems.append(f"the measures differ: {_by_experiment(measures)}")
    if len(reducers) > 1:
        problems.append(f"repetitions are reduced in different ways: {_by_experiment(reducers)}")
    return problems


def _script(task: EvaluationTask) -> str:
    """The script's name and its function; where the script lies says nothing about what it does."""
    name = PurePosixPath(task.script).name if task.script.endswith(".py") else task.script
    return f"{name}@{task.function}" if task.function else name


def _by_experiment(values: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"{value} in {' and '.join(labels)}" for value, labels in values.items())


def _samples(task: str, found: Collected) -> _Samples:
    """Each sample's id with its targets, over all evaluations of the task."""
    targets: dict[str, set[str]] = {}
    for key, samples in found.samples.items():
        if key.task == task:
            for name, target in zip(samples.ids, samples.targets, strict=True):
                targets.setdefault(name, set()).add(target)
    return {name: frozenset(own) for name, own in targets.items()}


def _in_all(samples: Mapping[str, _Samples]) -> set[str]:
    """The ids that all experiments have, with the same target."""
    if not samples:
        return set()
    first, *others = samples.values()
    paired = set()
    for name, targets in first.items():
        if all(targets & other.get(name, frozenset()) for other in others):
            paired.add(name)
    return paired


def _count(samples: Mapping[str, _Samples], paired: set[str]) -> str:
    """How many samples all experiments have, and how many have other targets."""
    first, *others = samples.values()
    ids = {name for name in first if all(name in other for other in others)}
    counts = " and ".join(f"{len(own)} in {label}" for label, own in samples.items())
    text = f"of its samples ({counts}), {len(ids)} have the same id"
    if len(paired) < len(ids):
        text += f" and {len(paired)} of these the same target"
    return text


def _measures(uses: Sequence[TaskUse]) -> tuple[tuple[Measure, ...], list[str]]:
    """The measures as all experiments read them, and those whose direction they do not agree on."""
    if not uses:
        return (), []
    measures, unclear = [], []
    for measure in uses[0].measures:
        same = [use.measure(measure.name) for use in uses]
        directions = {each.direction for each in same}
        joined = replace(measure, is_share=all(each.is_share for each in same))
        if len(directions) > 1:
            unclear.append(measure.name)
            joined = replace(joined, direction=Direction.UNKNOWN)
        measures.append(joined)
    return tuple(measures), unclear
