"""Comparisons on the same samples: of each run with its base model and with the best run, and of epochs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from tunebook.analysis.records import EvaluationKey, Family, Interval
from tunebook.analysis.statistics.families import (
    AGAINST_BASE,
    AGAINST_BEST,
    FIRST_AND_LAST_EPOCH,
    INTERMEDIATE_EPOCHS,
    correct_family,
    family_name,
    pairs_among,
)
from tunebook.analysis.statistics.intervals import ALPHA
from tunebook.analysis.statistics.paired_tests import PairedTest, paired_test
from tunebook.analysis.statistics.scores import ScoreTable

__all__ = [
    "Comparison",
    "EpochChange",
    "PairedSamples",
    "common_samples",
    "compare_epochs",
    "compare_runs",
    "pair_samples",
]

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
        simultaneous: an interval of the difference that holds together with those of its whole family.
        gained: samples that only the run got right; ``lost`` only the other; ``None`` unless all are right or wrong.
        test: the test's name; ``p`` its two-sided p-value, ``p_holm`` corrected over its ``family``.
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
    family: Family
    significant: bool
    gained: int | None = None
    lost: int | None = None
    simultaneous: Interval | None = None


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
    our_targets, their_targets = table.targets(one), table.targets(other)
    shared = [sample for sample in ours if sample in theirs]
    same = [sample for sample in shared if our_targets[sample] == their_targets[sample]]
    if len(shared) - len(same) > _MOST_MISMATCHES * len(shared):
        same = []
    unpaired = len(ours.keys() | theirs.keys()) - len(same)
    return PairedSamples(
        tuple(same), tuple(map(ours.__getitem__, same)), tuple(map(theirs.__getitem__, same)), unpaired
    )


def common_samples(table: ScoreTable, keys: Sequence[EvaluationKey]) -> tuple[str, ...]:
    """The ids that all evaluations share with the first, in its order; empty if one has a different data set."""
    if not keys:
        return ()
    common = dict.fromkeys(table.values(keys[0]))
    for key in keys[1:]:
        shared = dict.fromkeys(pair_samples(table, keys[0], key).ids)
        common = dict.fromkeys(filter(shared.__contains__, common))
    return tuple(common)


def compare_runs(table: ScoreTable, *, has_replicates: bool = False) -> tuple[Comparison, ...]:
    """Every epoch of each run against its base model, then the final epochs against the best run.

    Final epochs against the base model, intermediate epochs against it, and final epochs against the best run are three
    families of tests.

    Args:
        has_replicates: whether settings have several runs; then the ranking compares settings, and no run is compared
            with the best one.
    """
    final: list[EvaluationKey] = []
    intermediate: list[EvaluationKey] = []
    for score in table.scores:
        key = score.evaluation
        if key.run in table.bases and score.value is not None:
            keys = final if table.finals[key.run] is score else intermediate
            keys.append(key)
    comparisons: list[Comparison] = []
    for name, keys in ((AGAINST_BASE, final), (INTERMEDIATE_EPOCHS, intermediate)):
        pairs = [(key, table.bases[key.run]) for key in keys]
        comparisons += _compare(table, "base", pairs, name)
    best = table.best
    if best is not None and not has_replicates:
        others = [score.evaluation for score in table.candidates if score is not best]
        comparisons += _compare(table, "best", [(key, best.evaluation) for key in others], AGAINST_BEST)
    return tuple(comparisons)


def _compare(
    table: ScoreTable, against: str, pairs: Iterable[tuple[EvaluationKey, EvaluationKey]], name: str
) -> list[Comparison]:
    """A family of comparisons on the same samples; pairs that share no sample are left out."""
    tests = []
    found = []
    for key, other in pairs:
        shared = pair_samples(table, key, other)
        if shared.ids:
            test = paired_test(shared.ours, shared.theirs)
            tests.append(test)
            found.append(_comparison(against, table, key, other, shared, test))
    size = len(found)
    if against == "best" and found:
        size = pairs_among(len(found) + 1)
    corrected = correct_family(found, family_name(name, table), size)
    return [replace(item, simultaneous=test.simultaneous(size)) for item, test in zip(corrected, tests, strict=True)]


def _comparison(
    against: str, table: ScoreTable, key: EvaluationKey, other: EvaluationKey, pairs: PairedSamples, test: PairedTest
) -> Comparison:
    """The comparison, not corrected yet."""
    return Comparison(
        against=against,
        task=table.task,
        measure=table.measure.name,
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
        family=Family(against),
        significant=False,
        gained=test.gained,
        lost=test.lost,
    )


@dataclass(frozen=True)
class EpochChange:
    """The mean score after the first and after the last evaluated epoch, over the runs that have several.

    Attributes:
        task: and ``measure``, by name.
        epochs: the first and the last epoch; ``None`` if they differ between runs.
        runs: how many runs have several epochs.
        n: samples that all of them have.
        test: of the samples' means over the runs, the last epoch against the first; a family of one test.
    """

    task: str
    measure: str
    epochs: tuple[int, int] | None
    runs: int
    n: int
    before: float
    after: float
    test: PairedTest
    family: Family

    @property
    def significant(self) -> bool:
        """Whether the p-value is below the level of significance."""
        return self.test.p < ALPHA


def compare_epochs(table: ScoreTable) -> EpochChange | None:
    """The change over epochs; ``None`` if no run has several, or if they share no sample."""
    evaluated: dict[str, list[EvaluationKey]] = {}
    for score in table.scores:
        if score.evaluation.epoch >= 0 and score.value is not None:
            evaluated.setdefault(score.evaluation.run, []).append(score.evaluation)
    firsts, lasts, spans = [], [], set()
    for keys in evaluated.values():
        if len(keys) > 1:
            first, last = min(keys), max(keys)  # keys of a run sort by epoch
            firsts.append(first)
            lasts.append(last)
            spans.add((first.epoch, last.epoch))
    samples = common_samples(table, [*firsts, *lasts])
    if not samples:
        return None
    before, after = _sample_means(table, firsts, samples), _sample_means(table, lasts, samples)
    return EpochChange(
        task=table.task,
        measure=table.measure.name,
        epochs=spans.pop() if len(spans) == 1 else None,
        runs=len(firsts),
        n=len(samples),
        before=fmean(before),
        after=fmean(after),
        test=paired_test(after, before),
        family=Family(family_name(FIRST_AND_LAST_EPOCH, table)),
    )


def _sample_means(table: ScoreTable, keys: Sequence[EvaluationKey], samples: Sequence[str]) -> list[float]:
    """Each sample's mean over the evaluations."""
    values = map(table.values, keys)
    columns = [[own[sample] for sample in samples] for own in values]
    return list(map(fmean, zip(*columns, strict=True)))
