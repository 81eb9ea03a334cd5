"""Every run against its base model and against the best run, on the samples that both have. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from tunebook.analysis.collect.records import EvaluationKey, RunRecord, Score
from tunebook.analysis.inference import Comparison
from tunebook.analysis.intervals import LEVEL
from tunebook.analysis.paired import holm, paired_test
from tunebook.analysis.scoring import by_sample
from tunebook.core.plan import RunType
from tunebook.tools.results import Samples

__all__ = ["Table", "best_of", "common_samples", "compare_all", "final_scores", "shared_samples"]

_MISMATCH = 0.2  # of shared ids: beyond it, the ids are of two different data sets


@dataclass(frozen=True)
class Table:
    """All scores of one measure of one task, and the samples behind them.

    Attributes:
        scores: in the page's order; a run may have several epochs.
    """

    task: str
    measure: str
    scores: tuple[Score, ...]
    samples: Mapping[EvaluationKey, Samples]

    def values(self, key: EvaluationKey) -> Mapping[str, float]:
        """Sample id to value."""
        return by_sample(self.samples[key], self.measure)


def final_scores(table: Table, runs: Sequence[RunRecord]) -> tuple[Score, ...]:
    """Each run's score after its last evaluated epoch, in the page's order; runs without one are left out."""
    last: dict[str, Score] = {}
    for score in table.scores:
        before = last.get(score.evaluation.run)
        if score.value is not None and (before is None or before.evaluation.epoch < score.evaluation.epoch):
            last[score.evaluation.run] = score
    return tuple(last[run.name] for run in runs if run.name in last)


def best_of(table: Table, runs: Sequence[RunRecord]) -> Score | None:
    """The highest final score of what was not merely a control; the first on the page among equals."""
    names = {run.name for run in runs if run.type is not RunType.CONTROL}
    scores = [score for score in final_scores(table, runs) if score.evaluation.run in names]
    return max(scores, key=lambda score: score.value or 0.0, default=None)


def compare_all(table: Table, runs: Sequence[RunRecord], *, level: float = LEVEL) -> tuple[Comparison, ...]:
    """Against the base model (every epoch), then against the best run (final epochs); each a family for Holm."""
    base = _family(_against_base(table, runs, level), level)
    best = _family(_against_best(table, runs, level), level)
    return (*base, *best)


def _family(comparisons: Iterable[Comparison], level: float) -> tuple[Comparison, ...]:
    found = list(comparisons)
    corrected = holm([comparison.p for comparison in found])
    return tuple(
        replace(comparison, p_holm=p, family=len(found), significant=p < 1 - level)
        for comparison, p in zip(found, corrected, strict=True)
    )


def _against_base(table: Table, runs: Sequence[RunRecord], level: float) -> Iterable[Comparison]:
    base_of = {run.name: run.base for run in runs}
    finals = {score.evaluation.run: score for score in final_scores(table, runs)}
    for score in table.scores:
        base = finals.get(base_of.get(score.evaluation.run) or "")
        if base is not None and score.value is not None:
            yield from _compare("base", table, score, base, level)


def _against_best(table: Table, runs: Sequence[RunRecord], level: float) -> Iterable[Comparison]:
    best = best_of(table, runs)
    controls = {run.name for run in runs if run.type is RunType.CONTROL}
    for score in final_scores(table, runs):
        if best is not None and score is not best and score.evaluation.run not in controls:
            yield from _compare("best", table, score, best, level)


def _compare(against: str, table: Table, score: Score, other: Score, level: float) -> Iterable[Comparison]:
    one, two = score.evaluation, other.evaluation
    first, second = table.values(one), table.values(two)
    shared = shared_samples(table.samples[one], table.samples[two], first, second)
    if not shared:
        return
    ours, theirs = [first[sample] for sample in shared], [second[sample] for sample in shared]
    test = paired_test(ours, theirs, level=level)
    yield Comparison(
        against=against,
        task=table.task,
        measure=table.measure,
        run=one.run,
        epoch=one.epoch,
        other=two.run,
        other_epoch=two.epoch,
        n=len(shared),
        unpaired=len(first.keys() | second.keys()) - len(shared),
        value=fmean(ours),
        other_value=fmean(theirs),
        difference=test.difference,
        interval=test.interval,
        test=test.name,
        p=test.p,
        p_holm=test.p,
        family=1,
        significant=False,
        gained=test.gained,
        lost=test.lost,
    )


def shared_samples(
    first: Samples, second: Samples, ours: Mapping[str, float], theirs: Mapping[str, float]
) -> tuple[str, ...]:
    """The ids that both have a value for, in the first's order; none if they are ids of different samples.

    An id with two different targets is of two different samples; if that is so of more than a fifth of the ids, the
    two evaluations have different data sets, and equal ids mean nothing.
    """
    both = [sample for sample in ours if sample in theirs]
    left = dict(zip(first.ids, first.targets, strict=True))
    right = dict(zip(second.ids, second.targets, strict=True))
    same = tuple(sample for sample in both if left.get(sample) == right.get(sample))
    return same if len(both) - len(same) <= _MISMATCH * len(both) else ()


def common_samples(table: Table, keys: Sequence[EvaluationKey]) -> tuple[str, ...]:
    """The ids that all of these evaluations have a value for, in the first's order; none if two have other data."""
    values = [table.values(key) for key in keys]
    pairs = [
        frozenset(shared_samples(table.samples[keys[0]], table.samples[key], values[0], own))
        for key, own in zip(keys, values, strict=True)
    ]
    return tuple(sample for sample in values[0] if all(sample in shared for shared in pairs)) if pairs else ()
