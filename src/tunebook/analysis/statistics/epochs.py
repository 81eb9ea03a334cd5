"""The change of scores from the first evaluated epoch to the last."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from tunebook.analysis.records import EvaluationKey, Score
from tunebook.analysis.statistics.paired_tests import PairedTest, paired_test
from tunebook.analysis.statistics.pairwise import common_samples
from tunebook.analysis.statistics.scores import ScoreTable

__all__ = ["EpochChange", "compare_epochs"]


@dataclass(frozen=True)
class EpochChange:
    """The mean score after the first and after the last evaluated epoch, over the runs that have several.

    Attributes:
        epochs: the first and the last epoch; ``None`` if they differ between runs.
        runs: how many runs have several epochs.
        n: samples that all of them have.
        test: of the samples' means over the runs, the last epoch against the first.
    """

    epochs: tuple[int, int] | None
    runs: int
    n: int
    before: float
    after: float
    test: PairedTest


def compare_epochs(table: ScoreTable) -> EpochChange | None:
    """The change over epochs; ``None`` if no run has several, or if they share no sample."""
    by_run: dict[str, list[Score]] = {}
    for score in table.scores:
        if score.evaluation.epoch >= 0 and score.value is not None:
            by_run.setdefault(score.evaluation.run, []).append(score)
    ends: list[tuple[EvaluationKey, EvaluationKey]] = []
    for scores in by_run.values():
        keys = [score.evaluation for score in scores]
        if len(keys) > 1:
            ends.append((min(keys), max(keys)))  # of one run and task: ordered by epoch
    samples = common_samples(table, [key for pair in ends for key in pair])
    if not samples:
        return None
    firsts = [table.values(first) for first, _ in ends]
    lasts = [table.values(last) for _, last in ends]
    before = [fmean(values[sample] for values in firsts) for sample in samples]
    after = [fmean(values[sample] for values in lasts) for sample in samples]
    spans = {(first.epoch, last.epoch) for first, last in ends}
    return EpochChange(
        epochs=spans.pop() if len(spans) == 1 else None,
        runs=len(ends),
        n=len(samples),
        before=fmean(before),
        after=fmean(after),
        test=paired_test(after, before),
    )
