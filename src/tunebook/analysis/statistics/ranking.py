"""The ranking of settings: each one's mean over its runs, and its difference from the best one.

With replicates (several seeds per setting) the question is which setting to train again, so settings are ranked and
not lucky seeds. The variation between seeds, pooled over all settings, is the error of the means and of the
differences; the tests generalize to retraining, not to new test samples. Without replicates the runs are the settings,
and the tests are those of two runs on the same samples; they generalize to new test samples, not to retraining.

The best of many has a value that is too high, since it was chosen for it: ``corrected`` is a cross-fitted estimate of
the value of a setting that is chosen in this way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from tunebook.analysis.records import Family, Interval, Measure
from tunebook.analysis.statistics.families import AGAINST_BEST, correct_family, family_name, pairs_among
from tunebook.analysis.statistics.intervals import ALPHA, t_interval
from tunebook.analysis.statistics.paired_tests import bonferroni, paired_test
from tunebook.analysis.statistics.pairwise import Comparison, common_samples
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.analysis.statistics.settings import Setting, have_replicates, pooled_spread

__all__ = ["RankedSetting", "cross_fitted_value", "rank_settings"]

_FOLDS = 10


@dataclass(frozen=True)
class RankedSetting:
    """A setting with its value, and its difference from the best one.

    Attributes:
        setting: its label; ``levels`` are the treatments' levels by key, and ``runs`` the names of its runs.
        value: the mean of its runs' final scores, with its ``interval``.
        n: samples that all compared runs have; 0 for the best setting.
        difference: from the best setting, on the same samples; ``None`` for the best setting, without a direction, and
            where no sample is shared. ``simultaneous`` is its interval that holds together with those of the family.
        test: the test's name; ``p`` its two-sided p-value.
        generalizes: ``seeds`` (to retraining) or ``samples`` (to new test samples); empty without a test.
        corrected: the value without its selection effect; only of the best setting among several.
    """

    task: str
    measure: str
    setting: str
    levels: Mapping[str, str]
    runs: tuple[str, ...]
    value: float
    interval: Interval | None
    n: int = 0
    difference: float | None = None
    difference_interval: Interval | None = None
    simultaneous: Interval | None = None
    test: str = ""
    p: float | None = None
    p_holm: float | None = None
    significant: bool | None = None
    family: Family | None = None
    generalizes: str = ""
    corrected: float | None = None


def rank_settings(
    table: ScoreTable, settings: Sequence[Setting], comparisons: Sequence[Comparison]
) -> tuple[RankedSetting, ...]:
    """The settings, the best first; where the direction is unknown the highest first, and without differences.

    Args:
        comparisons: those with the best run, which are the differences where no setting has replicates.
    """
    ranked = [_ranked(table, setting) for setting in settings]
    if have_replicates(settings):
        ranked = _with_pooled_intervals(table, ranked)
    ranked.sort(key=lambda item: table.measure.goodness(item.value), reverse=True)
    if len(ranked) < 2 or not table.measure.has_direction:  # noqa: PLR2004  nothing to compare
        return tuple(ranked)
    best, *others = ranked
    keys = [table.finals[run].evaluation for item in ranked for run in item.runs]
    samples = common_samples(table, keys)
    matrix = _matrix(table, keys, samples)
    if have_replicates(settings):
        others = _over_seeds(table, ranked, matrix) if samples else others
    else:
        found = {item.run: item for item in comparisons if item.against == "best"}
        others = [_from_comparison(item, found.get(item.runs[0])) for item in others]
    corrected = None
    if len(samples) > 1:
        corrected = _corrected(best.value, matrix, _places(ranked), table.measure)
    return (replace(best, corrected=corrected), *others)


def _ranked(table: ScoreTable, setting: Setting) -> RankedSetting:
    """The setting with the interval of its only run."""
    scores = [table.finals[run] for run in setting.runs]
    value = fmean(score.value or 0.0 for score in scores)
    interval = scores[0].interval if len(scores) == 1 else None
    return RankedSetting(table.task, table.measure.name, setting.label, setting.levels, setting.runs, value, interval)


def _places(ranked: Sequence[RankedSetting]) -> list[range]:
    """Each setting's rows in the matrix."""
    places = []
    start = 0
    for item in ranked:
        places.append(range(start, start + len(item.runs)))
        start += len(item.runs)
    return places


def _matrix(table: ScoreTable, keys: Sequence[Any], samples: Sequence[str]) -> Any:
    """Runs × samples."""
    import numpy as np

    rows = []
    for key in keys:
        values = table.values(key)
        rows.append([values[sample] for sample in samples])
    return np.array(rows, dtype=float)


def _with_pooled_intervals(table: ScoreTable, ranked: Sequence[RankedSetting]) -> list[RankedSetting]:
    """Intervals of the means from the spread between seeds; a proportion's are cut at 0 and 1."""
    groups = [[table.finals[run].value or 0.0 for run in item.runs] for item in ranked]
    variance, freedom = pooled_spread(groups)
    if not variance:
        return list(ranked)  # equal scores of all seeds say nothing about other seeds
    found = []
    for item in ranked:
        interval = t_interval(item.value, math.sqrt(variance / len(item.runs)), freedom)
        interval = replace(interval, method="Student t, pooled over settings")
        found.append(replace(item, interval=table.measure.possible_value(interval)))
    return found


def _from_comparison(item: RankedSetting, comparison: Comparison | None) -> RankedSetting:
    """The setting with the comparison of its only run with the best run."""
    if comparison is None:
        return item
    return replace(
        item,
        n=comparison.n,
        difference=comparison.difference,
        difference_interval=comparison.interval,
        simultaneous=comparison.simultaneous,
        test=comparison.test,
        p=comparison.p,
        p_holm=comparison.p_holm,
        significant=comparison.significant,
        family=comparison.family,
        generalizes="samples",
    )


def _over_seeds(table: ScoreTable, ranked: Sequence[RankedSetting], matrix: Any) -> list[RankedSetting]:
    """All settings but the first, tested against it by the spread between seeds, corrected together.

    Two means of r₁ and r₂ runs differ by chance with the standard error s √(1/r₁ + 1/r₂), where s² is the variance
    between seeds pooled over all settings: Student's t test with pooled variance, which for two settings is the
    analysis of variance of their runs. If seeds give identical scores, the samples are the unit instead: each one's
    mean over the seeds, in a paired test.

    The family is that of all pairs, since the best setting was chosen for its value.
    """
    places = _places(ranked)
    means = matrix.mean(axis=1)
    variance, freedom = pooled_spread([[float(means[place]) for place in rows] for rows in places])
    tests = pairs_among(len(ranked))
    found = []
    for item, rows in zip(ranked[1:], places[1:], strict=True):
        if variance:
            spread = 1 / len(rows) + 1 / len(places[0])
            difference = float(means[rows].mean() - means[places[0]].mean())
            tested = _by_seeds(item, difference, math.sqrt(variance * spread), freedom, tests)
        else:
            tested = _by_samples(item, matrix[rows].mean(axis=0), matrix[places[0]].mean(axis=0), tests)
        possible = table.measure.possible_difference
        tested = replace(
            tested,
            difference_interval=possible(tested.difference_interval),
            simultaneous=possible(tested.simultaneous),
        )
        found.append(replace(tested, n=matrix.shape[1]))
    return correct_family(found, family_name(AGAINST_BEST, table), tests)


def _by_seeds(item: RankedSetting, difference: float, standard_error: float, freedom: int, tests: int) -> RankedSetting:
    from scipy.special import stdtr

    interval = t_interval(difference, standard_error, freedom)
    simultaneous: Interval | None = interval
    if tests > 1:
        simultaneous = bonferroni(t_interval(difference, standard_error, freedom, ALPHA / tests))
    return replace(
        item,
        difference=difference,
        difference_interval=interval,
        simultaneous=simultaneous,
        test="Student t, pooled between seeds",
        p=2 * float(stdtr(freedom, -abs(difference) / standard_error)),
        generalizes="seeds",
    )


def _by_samples(item: RankedSetting, own: Any, best: Any, tests: int) -> RankedSetting:
    test = paired_test(own.tolist(), best.tolist())
    return replace(
        item,
        difference=test.difference,
        difference_interval=test.interval,
        simultaneous=test.simultaneous(tests),
        test=test.name,
        p=test.p,
        generalizes="samples",
    )


def _corrected(value: float, matrix: Any, places: Sequence[range], measure: Measure) -> float:
    """The best value less its selection effect, which is estimated on the samples that all runs have."""
    means = [float(matrix[rows].mean()) for rows in places]
    naive = max(means, key=measure.goodness)
    return value - (naive - cross_fitted_value(matrix, places, measure))


def cross_fitted_value(matrix: Any, places: Sequence[Sequence[int]], measure: Measure) -> float:
    """The value of the best setting, chosen on some of the samples (and seeds) and scored on the others.

    Each tenth of the samples is held out once: the setting that is best on the other nine tenths is scored on it. Of a
    setting with several runs, each run is held out too: chosen by the other runs, scored by this one. The luck of a
    single run remains. The result is the mean of all held-out scores; where one setting is the best
    everywhere, it is that setting's value.

    Simulated with 100 samples, right or wrong, 1,000 times (benchmarks/simulate_ranking.py), the mean error of the best
    setting's value, in points:

    =================================================  ====  =========
    settings                                           raw   corrected
    =================================================  ====  =========
    10 equal, one run each                             +6.3       −0.1
    50 equal, one run each                             +9.4        0.0
    10, one better by 9 points                         +3.5       −0.2
    10, one better by 25 points                         0.0        0.0
    6 equal, three seeds each                          +4.1        0.0
    6, three seeds each, one better by 9 points        +1.0       −0.6
    6, three seeds each, one better by 25 points        0.0        0.0
    =================================================  ====  =========

    Args:
        matrix: runs × samples.
        places: each setting's rows.
    """
    import numpy as np

    samples = matrix.shape[1]
    folds = np.arange(samples) % min(_FOLDS, samples)
    indicator = (folds[:, None] == np.arange(folds.max() + 1)).astype(float)
    sizes = indicator.sum(axis=0)
    sums = matrix @ indicator  # runs × folds
    sign = measure.goodness(1.0)
    splits = max(map(len, places))
    total = 0.0
    for split in range(splits):
        chosen_by, scored_by = [], []
        for rows in places:
            held_out = rows[split % len(rows)]
            others = [row for row in rows if row != held_out] or [held_out]
            chosen_by.append(sums[others].mean(axis=0))
            scored_by.append(sums[held_out])
        seen = np.array(chosen_by)
        rest = (seen.sum(axis=1, keepdims=True) - seen) / (samples - sizes)
        best = np.argmax(sign * rest, axis=0)
        total += float(np.array(scored_by)[best, np.arange(len(sizes))].sum()) / samples
    return total / splits
