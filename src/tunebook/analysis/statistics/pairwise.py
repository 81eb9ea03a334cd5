"""Comparisons of each run with its base model and with the best run, on the samples that both have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from tunebook.analysis.records import EvaluationKey, Interval, Score
from tunebook.analysis.statistics.corrections import holm
from tunebook.analysis.statistics.intervals import ALPHA
from tunebook.analysis.statistics.paired_tests import paired_test
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.core.plan import RunType

__all__ = ["Comparison", "PairedSamples", "common_samples", "compare_runs", "pair_samples"]

_MOST_MISMATCHES = 0.2  # of the shared ids: beyond it, the ids belong to two different data sets


@dataclass(frozen=True)
class Comparison:
    """Two evaluations of one task on the same samples.

    Attributes:
        against: ``base`` or ``best``.
        run: the run; ``other`` is the base model or the best run.
        epoch: of the run's evaluation, -1 for runs that were not trained here; ``other_epoch`` likewise.
        n: samples that both have; ``unpaired`` samples are in one of them only, and are left out.
        value: the run's mean over these samples; ``other_value`` the other's.
        difference: ``value - other_value``, with its ``interval``.
        gained: samples that only the run got right; ``lost`` only the other; ``None`` unless all are right or wrong.
        test: the test's name; ``p`` its two-sided p-value, ``p_holm`` corrected over its family of ``family`` tests.
        significant: whether ``p_holm`` is below the level of significance.
    """

    against: str
    task: str
    measure: str
    run: str
    epoch: int
    other: str
    other_epoch: int
    n: int
    unpaired: int
    value: float
    other_value: float
    difference: float
    interval: Interval | None
    test: str
    p: float
    p_holm: float
    family: int
    significant: bool
    gained: int | None = None
    lost: int | None = None


@dataclass(frozen=True)
class PairedSamples:
    """The samples that two evaluations share: their ids, and the values of each in the order of the ids.

    Attributes:
        unpaired: how many samples have a value in one of the two only, or different data in the two.
    """

    ids: tuple[str, ...]
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    unpaired: int


def pair_samples(table: ScoreTable, one: EvaluationKey, other: EvaluationKey) -> PairedSamples:
    """Pairs the samples of two evaluations by id and target; no pairs if the two have different data sets.

    One id with two different targets belongs to two different samples. If that is so for more than a fifth of the
    ids, the two evaluations have different data sets, and equal ids mean nothing.
    """
    ours, theirs = table.values(one), table.values(other)
    our_targets, their_targets = _targets(table, one), _targets(table, other)
    shared = [sample for sample in ours if sample in theirs]
    same = tuple(sample for sample in shared if our_targets[sample] == their_targets[sample])
    if len(shared) - len(same) > _MOST_MISMATCHES * len(shared):
        same = ()
    return PairedSamples(
        ids=same,
        ours=tuple(ours[sample] for sample in same),
        theirs=tuple(theirs[sample] for sample in same),
        unpaired=len(ours.keys() | theirs.keys()) - len(same),
    )


def _targets(table: ScoreTable, key: EvaluationKey) -> dict[str, str]:
    samples = table.samples[key]
    return dict(zip(samples.ids, samples.targets, strict=True))


def common_samples(table: ScoreTable, keys: Sequence[EvaluationKey]) -> tuple[str, ...]:
    """The ids that all evaluations share with the first, in its order; none if one of them has a different data set."""
    if not keys:
        return ()
    common = tuple(table.values(keys[0]))
    for key in keys[1:]:
        shared = set(pair_samples(table, keys[0], key).ids)
        common = tuple(sample for sample in common if sample in shared)
    return common


def compare_runs(table: ScoreTable) -> tuple[Comparison, ...]:
    """Every epoch of each run against its base model, then its final epoch against the best run.

    Each of the two is a family of tests for Holm's correction.
    """
    base_of = {run.name: run.base for run in table.runs}
    with_base = []
    for score in table.scores:
        base = table.finals.get(base_of.get(score.evaluation.run) or "")
        if base is not None and score.value is not None:
            with_base.append((score, base))
    best = table.best
    with_best = []
    for run in table.runs:
        final = table.finals.get(run.name)
        if best is not None and final is not None and final is not best and run.type is not RunType.CONTROL:
            with_best.append((final, best))
    return (*_compare_family("base", table, with_base), *_compare_family("best", table, with_best))


def _compare_family(against: str, table: ScoreTable, scores: Sequence[tuple[Score, Score]]) -> list[Comparison]:
    compared = [_compare(against, table, score.evaluation, other.evaluation) for score, other in scores]
    family = [comparison for comparison in compared if comparison is not None]
    corrected = holm([comparison.p for comparison in family])
    return [
        replace(comparison, p_holm=p, family=len(family), significant=p < ALPHA)
        for comparison, p in zip(family, corrected, strict=True)
    ]


def _compare(against: str, table: ScoreTable, key: EvaluationKey, other: EvaluationKey) -> Comparison | None:
    """The comparison as a family of its own; ``None`` if the two share no sample."""
    pairs = pair_samples(table, key, other)
    if not pairs.ids:
        return None
    test = paired_test(pairs.ours, pairs.theirs)
    return Comparison(
        against=against,
        task=table.task,
        measure=table.measure,
        run=key.run,
        epoch=key.epoch,
        other=other.run,
        other_epoch=other.epoch,
        n=len(pairs.ids),
        unpaired=pairs.unpaired,
        value=fmean(pairs.ours),
        other_value=fmean(pairs.theirs),
        difference=test.difference,
        interval=test.interval,
        test=test.name,
        p=test.p,
        p_holm=test.p,
        family=1,
        significant=test.p < ALPHA,
        gained=test.gained,
        lost=test.lost,
    )
