"""Settings that were trained with several seeds: mean, spread, and the comparison with the base model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from tunebook.analysis.records import FactorUse, Interval, RunRecord
from tunebook.analysis.statistics.intervals import student_interval
from tunebook.analysis.statistics.paired_tests import PairedTest, correct_by_holm, paired_test
from tunebook.analysis.statistics.pairwise import pair_samples
from tunebook.analysis.statistics.scores import ScoreTable

__all__ = ["Replicates", "summarize_seeds"]


@dataclass(frozen=True)
class Replicates:
    """Runs that differ only in their seed: mean, standard deviation (n - 1) and Student's t interval over the seeds.

    Attributes:
        difference: from the base model, between each sample's mean over the seeds and the base model's value, with
            the interval and p-values of a paired test over the samples, corrected over all settings; ``None`` without
            a base model.
    """

    task: str
    measure: str
    setting: str
    runs: tuple[str, ...]
    mean: float
    sd: float | None
    interval: Interval | None
    difference: float | None = None
    difference_interval: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    significant: bool | None = None


def summarize_seeds(table: ScoreTable, factors: Sequence[FactorUse]) -> tuple[Replicates, ...]:
    """The settings that at least two runs share, in the plan's order."""
    treatments = [factor for factor in factors if not factor.is_seed]
    settings: dict[tuple[str, ...], list[RunRecord]] = {}
    for run in table.tuned:
        levels = tuple(run.levels.get(factor.key, "") for factor in treatments)
        settings.setdefault(levels, []).append(run)
    found = []
    for levels, runs in settings.items():
        if len(runs) > 1:
            parts = [f"{factor.label} {level}" for factor, level in zip(treatments, levels, strict=True)]
            found.append(_summarize(table, ", ".join(parts) or "identical settings", runs))
    return tuple(correct_by_holm(found))


def _summarize(table: ScoreTable, setting: str, runs: Sequence[RunRecord]) -> Replicates:
    scores = [table.finals[run.name].value or 0.0 for run in runs]
    test = _test_against_base(table, runs)
    return Replicates(
        task=table.task,
        measure=table.measure,
        setting=setting,
        runs=tuple(run.name for run in runs),
        mean=fmean(scores),
        sd=stdev(scores),
        interval=student_interval(scores),
        difference=test.difference if test else None,
        difference_interval=test.interval if test else None,
        p=test.p if test else None,
    )


def _test_against_base(table: ScoreTable, runs: Sequence[RunRecord]) -> PairedTest | None:
    """Each sample's mean over the seeds, against the base model's value of the same sample."""
    base = table.finals.get(runs[0].base or "")
    if base is None:
        return None
    pairs = [pair_samples(table, table.finals[run.name].evaluation, base.evaluation) for run in runs]
    values = [dict(zip(pair.ids, pair.ours, strict=True)) for pair in pairs]
    means, base_values = [], []
    for sample, base_value in zip(pairs[0].ids, pairs[0].theirs, strict=True):
        if all(sample in own for own in values):
            means.append(fmean(own[sample] for own in values))
            base_values.append(base_value)
    return paired_test(means, base_values) if means else None
