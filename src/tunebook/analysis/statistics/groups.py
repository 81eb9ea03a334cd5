"""Scores by group of samples: of each run, the largest gap between groups, and whether groups gain differently.

Groups are the values of a column of the samples' own metadata, such as an age band or a region.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

from tunebook.analysis.collect.risks import Risks, read_risks, risk_scorers
from tunebook.analysis.collect.source import Collected
from tunebook.analysis.records import EvaluationKey, Interval, Measure, TaskUse
from tunebook.analysis.statistics.aggregates import last_evaluations
from tunebook.analysis.statistics.estimates import Difference, Estimate, difference_of, normal_interval
from tunebook.analysis.statistics.families import correct_family
from tunebook.analysis.statistics.group_results import GroupGap, GroupInteraction, GroupResults, GroupScore, LeftOut
from tunebook.analysis.statistics.group_tests import equal_changes, equal_means, gap_interval
from tunebook.analysis.statistics.groupings import FEWEST_GROUPS, FEWEST_SAMPLES, Grouping, groupings_of
from tunebook.analysis.statistics.intervals import ALPHA, LEVEL, student_interval, wilson_interval
from tunebook.analysis.statistics.pairwise import pair_samples
from tunebook.analysis.statistics.risk import RiskArrays, area_under_curve
from tunebook.analysis.statistics.scores import ScoreTable

__all__ = ["compare_groups"]

_Keys = Mapping[str, EvaluationKey]  # each run's last evaluation of the task
_GapInterval = Callable[[str, str, float], Interval | None]  # of the highest and lowest group, at a level


@dataclass(frozen=True)
class _Subject:
    """The results that are compared by group."""

    task: str
    measure: str
    column: str

    @property
    def names(self) -> dict[str, Any]:
        """The first fields of every record."""
        return {"task": self.task, "measure": self.measure, "column": self.column}


@dataclass
class _Found:
    scores: list[GroupScore] = field(default_factory=list)
    gaps: list[GroupGap] = field(default_factory=list)
    interactions: list[GroupInteraction] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def add(self, subject: _Subject, key: EvaluationKey, scores: Sequence[GroupScore], limits: _GapInterval) -> None:
        """Adds a run's scores by group, and the largest gap between them."""
        self.scores += scores
        self.gaps += _largest_gap(subject, key, scores, limits)


def compare_groups(found: Collected) -> GroupResults:
    """The headline measure of each task by group and, where there are risks, the area under the curve."""
    made = _Found()
    for task in found.tasks:
        keys = last_evaluations(found, task.name)
        groupings = groupings_of(found, task.name, list(keys.values()), made.left_out)
        if not groupings:
            continue
        means = _means_of(found, task, keys)
        for grouping in groupings:
            _compare_means(_Subject(task.name, task.headline.name, grouping.column), means, grouping, made)
        for scorer, areas in _areas_of(found, task.name, keys).items():
            for grouping in groupings:
                _compare_areas(_Subject(task.name, f"{scorer}/auc", grouping.column), areas, grouping, made)
    interactions = tuple(_corrected(made.interactions))
    return GroupResults(tuple(made.scores), tuple(made.gaps), interactions, tuple(made.left_out))


def _corrected(interactions: Sequence[GroupInteraction]) -> Iterator[GroupInteraction]:
    """The tests of one measure of one task, of all runs and columns, are corrected together."""
    families: dict[tuple[str, str], list[GroupInteraction]] = {}
    for each in interactions:
        families.setdefault((each.task, each.measure), []).append(each)
    for (_, measure), family in families.items():
        yield from correct_family(family, f"run × group, {measure}")


@dataclass(frozen=True)
class _Means:
    """Each run's values by sample, and the differences of each pair of runs on the samples that both have."""

    values: Mapping[EvaluationKey, Mapping[str, float]]
    changes: Mapping[tuple[EvaluationKey, EvaluationKey], Mapping[str, float]]

    @property
    def is_share(self) -> bool:
        """Whether every sample of every run is right or wrong."""
        return all(set(own.values()) <= {0.0, 1.0} for own in self.values.values())


def _means_of(found: Collected, task: TaskUse, keys: _Keys) -> _Means:
    table = ScoreTable(task.name, task.headline, (), found.samples, found.runs)
    values = {}
    for key in keys.values():
        own = table.values(key)
        if own:
            values[key] = own
    changes = {}
    for key, other in _opponents(found, {key.run: key for key in values}):
        pairs = pair_samples(table, key, other)
        differences = (one - two for one, two in zip(pairs.ours, pairs.theirs, strict=True))
        changes[key, other] = dict(zip(pairs.ids, differences, strict=True))
    return _Means(values, changes)


def _compare_means(subject: _Subject, means: _Means, grouping: Grouping, made: _Found) -> None:
    is_share = means.is_share
    for key, own in means.values.items():
        samples = {group: list(members.values()) for group, members in grouping.split(own).items()}
        scores = []
        for group, members in samples.items():
            scores.append(_mean_score(subject, group, key, members, is_share=is_share))
        made.add(subject, key, scores, _mean_limits(samples, is_share=is_share))
    for (key, other), changes in means.changes.items():
        made.interactions += _mean_interaction(subject, changes, grouping, key, other)


def _mean_score(
    subject: _Subject, group: str, key: EvaluationKey, values: Sequence[float], *, is_share: bool
) -> GroupScore:
    value, interval, undefined = None, None, "undefined: no usable sample"
    if values:
        value, undefined = fmean(values), ""
        interval = wilson_interval(round(sum(values)), len(values)) if is_share else student_interval(values)
    return GroupScore(
        **subject.names,
        group=group,
        run=key.run,
        epoch=key.epoch,
        n=len(values),
        value=value,
        interval=interval,
        undefined=undefined,
    )


def _mean_limits(samples: Mapping[str, Sequence[float]], *, is_share: bool) -> _GapInterval:
    def limits(highest: str, lowest: str, level: float) -> Interval | None:
        return gap_interval(samples[highest], samples[lowest], level, is_share=is_share)

    return limits


def _largest_gap(
    subject: _Subject, key: EvaluationKey, scores: Sequence[GroupScore], limits: _GapInterval
) -> Iterator[GroupGap]:
    """The largest gap, if two groups have a value; its interval holds for all pairs of groups together."""
    known = {score.group: score.value for score in scores if score.value is not None}
    if len(known) < FEWEST_GROUPS:
        return
    highest, lowest = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    if highest == lowest:  # all are equal
        highest, lowest = list(known)[:2]
    interval = limits(highest, lowest, 1 - ALPHA / math.comb(len(known), 2))
    if interval is not None:
        interval = replace(interval, level=LEVEL)
    yield GroupGap(
        **subject.names,
        run=key.run,
        epoch=key.epoch,
        highest=highest,
        lowest=lowest,
        gap=known[highest] - known[lowest],
        interval=interval,
    )


def _opponents(found: Collected, keys: _Keys) -> Iterator[tuple[EvaluationKey, EvaluationKey]]:
    """Each run with its base model; where no run has one, with the plan's first run."""
    based = [run for run in found.runs if run.name in keys and run.base in keys]
    pairs = [(keys[run.name], keys[run.base or ""]) for run in based]
    if not pairs and keys:
        first, *others = keys.values()
        pairs = [(key, first) for key in others]
    yield from pairs


def _mean_interaction(
    subject: _Subject, changes: Mapping[str, float], grouping: Grouping, key: EvaluationKey, other: EvaluationKey
) -> Iterator[GroupInteraction]:
    """The test of equal differences in all groups; of groups that have enough samples in both runs."""
    split = {}
    for group, members in grouping.split(changes).items():
        if len(members) >= FEWEST_SAMPLES:
            split[group] = list(members.values())
    if len(split) < FEWEST_GROUPS:
        return
    test = equal_means(list(split.values()))
    yield GroupInteraction(
        **subject.names,
        run=key.run,
        epoch=key.epoch,
        other=other.run,
        other_epoch=other.epoch,
        n=sum(map(len, split.values())),
        differences={group: (fmean(own), student_interval(own)) for group, own in split.items()},
        test=test.name,
        p=test.p,
    )


@dataclass
class _Areas:
    """Each run's risks, and the samples that each pair of runs has a usable risk of."""

    risks: dict[EvaluationKey, Risks] = field(default_factory=dict)
    shared: dict[tuple[EvaluationKey, EvaluationKey], list[str]] = field(default_factory=dict)


def _areas_of(found: Collected, task: str, keys: _Keys) -> dict[str, _Areas]:
    """The risks of a task by scorer."""
    areas: dict[str, _Areas] = {}
    for key in keys.values():
        for scorer in risk_scorers(found.samples[key]):
            areas.setdefault(scorer, _Areas()).risks[key] = read_risks(found.samples[key], scorer)
    for scorer, own in areas.items():
        brier = Measure(f"{scorer}/brier")  # has a value wherever a risk can be used
        table = ScoreTable(task, brier, (), found.samples, found.runs)
        for key, other in _opponents(found, {key.run: key for key in own.risks}):
            usable = set(own.risks[key].ids) & set(own.risks[other].ids)
            own.shared[key, other] = sorted(usable & set(pair_samples(table, key, other).ids))
    return areas


def _compare_areas(subject: _Subject, areas: _Areas, grouping: Grouping, made: _Found) -> None:
    """The area under the curve by group: of the probability of the outcome, never of the true label."""
    for key, own in areas.risks.items():
        by_group, scores = {}, []
        for group, ids in _ids_by_group(own.ids, grouping).items():
            by_group[group] = area_under_curve(RiskArrays.of(own, ids))
            scores.append(_area_score(subject, group, key, len(ids), by_group[group]))
        made.add(subject, key, scores, _area_limits(by_group))
    for (key, other), shared in areas.shared.items():
        changes = _area_changes(areas.risks[key], areas.risks[other], _ids_by_group(shared, grouping))
        made.interactions += _area_interaction(subject, key, other, changes)


def _ids_by_group(ids: Sequence[str], grouping: Grouping) -> dict[str, tuple[str, ...]]:
    split = grouping.split(dict.fromkeys(ids, 0.0))
    return {group: tuple(members) for group, members in split.items()}


def _area_score(subject: _Subject, group: str, key: EvaluationKey, n: int, area: Estimate) -> GroupScore:
    return GroupScore(
        **subject.names,
        group=group,
        run=key.run,
        epoch=key.epoch,
        n=n,
        value=area.value,
        interval=area.interval,
        undefined=area.undefined,
    )


def _area_limits(areas: Mapping[str, Estimate]) -> _GapInterval:
    def limits(highest: str, lowest: str, level: float) -> Interval | None:
        one, other = areas[highest], areas[lowest]
        if one.value is None or other.value is None or one.interval is None or other.interval is None:
            return None
        error = math.sqrt(float((one.influences**2).sum() + (other.influences**2).sum()))
        return normal_interval(one.value - other.value, error, level=level)

    return limits


_Changes = Mapping[str, tuple[int, Difference]]  # samples, and the difference of the areas, by group


def _area_changes(one: Risks, other: Risks, groups: Mapping[str, tuple[str, ...]]) -> _Changes:
    """The difference of two runs' areas in each group where both are defined."""
    changes = {}
    for group, ids in groups.items():
        areas = [area_under_curve(RiskArrays.of(risks, ids)) for risks in (one, other)] if ids else []
        difference = difference_of(*areas) if areas else None
        if difference is not None and len(ids) >= FEWEST_SAMPLES:
            changes[group] = (len(ids), difference)
    return changes


def _area_interaction(
    subject: _Subject, key: EvaluationKey, other: EvaluationKey, changes: _Changes
) -> Iterator[GroupInteraction]:
    if len(changes) < FEWEST_GROUPS:
        return
    differences = [difference for _, difference in changes.values()]
    test = equal_changes([each.difference for each in differences], [each.variance for each in differences])
    yield GroupInteraction(
        **subject.names,
        run=key.run,
        epoch=key.epoch,
        other=other.run,
        other_epoch=other.epoch,
        n=sum(n for n, _ in changes.values()),
        differences={group: (each.difference, each.interval) for group, (_, each) in changes.items()},
        test=test.name,
        p=test.p,
    )
