"""Settings that were trained with several seeds: mean, spread, and the comparison with the base model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from tunebook.analysis.records import FactorUse, Family, Interval
from tunebook.analysis.statistics.families import SEEDS_AGAINST_BASE, correct_family, family_name
from tunebook.analysis.statistics.paired_tests import PairedTest, paired_test
from tunebook.analysis.statistics.pairwise import pair_samples
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.analysis.statistics.settings import Setting, settings_of

__all__ = ["Replicates", "summarize_seeds"]


@dataclass(frozen=True)
class Replicates:
    """Runs that differ only in their seed: mean and standard deviation (n - 1) over the seeds.

    Its interval is that of the ranking: two seeds alone say next to nothing about their own spread.

    Attributes:
        difference: from the base model, between each sample's mean over the seeds and the base model's value, with
            the interval and p-values of a paired test over the samples, corrected over all settings; ``None`` without
            a base model.
        simultaneous: an interval of the difference that holds together with those of all settings.
    """

    task: str
    measure: str
    setting: str
    runs: tuple[str, ...]
    mean: float
    sd: float | None
    difference: float | None = None
    difference_interval: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    significant: bool | None = None
    family: Family | None = None
    test: str = ""
    simultaneous: Interval | None = None


def summarize_seeds(table: ScoreTable, factors: Sequence[FactorUse]) -> tuple[Replicates, ...]:
    """The settings that at least two runs share, in the plan's order."""
    found = []
    tests = []
    for setting in settings_of(table, factors):
        if len(setting.runs) > 1:
            test = _test_against_base(table, setting.runs)
            found.append(_summarize(table, setting, test))
            tests.append(test)
    corrected = correct_family(found, family_name(SEEDS_AGAINST_BASE, table))
    size = sum(test is not None for test in tests)
    summaries = []
    for item, test in zip(corrected, tests, strict=True):
        simultaneous = None if test is None else test.simultaneous(size)
        summaries.append(replace(item, simultaneous=simultaneous))
    return tuple(summaries)


def _summarize(table: ScoreTable, setting: Setting, test: PairedTest | None) -> Replicates:
    """The setting's summary, not corrected yet."""
    scores = [table.finals[run].value or 0.0 for run in setting.runs]
    summary = Replicates(
        task=table.task,
        measure=table.measure.name,
        setting=setting.label,
        runs=setting.runs,
        mean=fmean(scores),
        sd=stdev(scores),
    )
    if test is None:
        return summary
    return replace(summary, difference=test.difference, difference_interval=test.interval, test=test.name, p=test.p)


def _test_against_base(table: ScoreTable, runs: Sequence[str]) -> PairedTest | None:
    """Each sample's mean over the seeds, against the base model's value of the same sample."""
    base = table.bases.get(runs[0])
    if base is None:
        return None
    values: dict[str, list[float]] = {}
    base_values: dict[str, float] = {}
    for run in runs:
        pairs = pair_samples(table, table.finals[run].evaluation, base)
        base_values |= zip(pairs.ids, pairs.theirs, strict=True)
        for sample, value in zip(pairs.ids, pairs.ours, strict=True):
            values.setdefault(sample, []).append(value)
    shared = [sample for sample, own in values.items() if len(own) == len(runs)]
    if not shared:
        return None
    return paired_test([fmean(values[sample]) for sample in shared], [base_values[sample] for sample in shared])
