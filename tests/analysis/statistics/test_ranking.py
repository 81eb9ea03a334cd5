"""Settings are ranked by their mean over seeds, with the spread between seeds, and without the luck of the best one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from support.tables import run_of, table_of
from tunebook.analysis.records import FactorUse, Measure
from tunebook.analysis.statistics.pairwise import compare_runs
from tunebook.analysis.statistics.ranking import RankedSetting, cross_fitted_value, rank_settings
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.analysis.statistics.settings import have_replicates, settings_of
from tunebook.core.measures import Direction

RATE = FactorUse("lr", "Learning Rate", ("1", "2", "3"))
SEED = FactorUse("seed", "Seed", ("1", "2"), is_seed=True)
HIGHER = Measure("m", Direction.HIGHER, is_share=True)
LOWER = Measure("mae", Direction.LOWER)
UNKNOWN = Measure("length")


def ranked(table: ScoreTable) -> tuple[RankedSetting, ...]:
    settings = settings_of(table, (RATE, SEED))
    comparisons = compare_runs(table, has_replicates=have_replicates(settings))
    return rank_settings(table, settings, comparisons)


def seeds_of(values: dict[str, list[list[float]]], measure: Measure = HIGHER) -> ScoreTable:
    """Each learning rate's runs, one per seed."""
    runs, scores = [], {}
    for rate, own in values.items():
        for seed, sample_values in enumerate(own):
            name = f"lr{rate}s{seed}"
            runs.append(run_of(name, {"lr": rate, "seed": str(seed)}))
            scores[name] = sample_values
    return table_of(scores, runs, measure=measure)


def right(count: int, n: int = 20) -> list[float]:
    return [1.0] * count + [0.0] * (n - count)


def test_a_lucky_seed_does_not_make_its_setting_the_best() -> None:
    best, other = ranked(seeds_of({"1": [right(20), right(2)], "2": [right(14), right(16)]}))
    assert (best.setting, best.runs, best.value) == ("Learning Rate 2", ("lr2s0", "lr2s1"), 0.75)
    assert (other.setting, other.value) == ("Learning Rate 1", 0.55)


def test_the_test_against_the_best_is_students_with_the_variance_of_all_settings() -> None:
    """For two settings it is the t test with pooled variance, which is the analysis of variance of their runs."""
    from scipy.stats import ttest_ind

    one, two = [right(12), right(14), right(13)], [right(17), right(16), right(19)]
    best, other = ranked(seeds_of({"1": one, "2": two}))
    reference = ttest_ind([0.60, 0.70, 0.65], [0.85, 0.80, 0.95])
    assert other.p == pytest.approx(reference.pvalue)
    assert other.difference == pytest.approx(0.65 - 0.8666667)
    limits = reference.confidence_interval()
    assert other.difference_interval is not None
    assert (other.difference_interval.low, other.difference_interval.high) == pytest.approx((limits.low, limits.high))
    assert (other.generalizes, other.n, best.p) == ("seeds", 20, None)
    assert best.interval is not None
    assert best.interval.high <= 1


def test_tests_against_the_best_are_corrected_over_all_pairs() -> None:
    *_, last = ranked(seeds_of({"1": [right(1), right(2)], "2": [right(18), right(19)], "3": [right(17), right(18)]}))
    assert last.family is not None
    assert (last.family.name, last.family.size) == ("against the best setting", 3)
    assert last.p is not None
    assert last.p_holm == pytest.approx(3 * last.p)
    assert last.simultaneous is not None
    assert last.difference_interval is not None
    assert last.simultaneous.low < last.difference_interval.low


def test_without_replicates_the_runs_are_ranked_by_their_comparisons() -> None:
    table = seeds_of({"1": [right(5)], "2": [right(15)]})
    best, other = ranked(table)
    (comparison,) = compare_runs(table)
    assert (best.setting, other.setting, other.generalizes) == ("lr2s0", "lr1s0", "samples")
    assert (other.p, other.difference, other.family) == (comparison.p, comparison.difference, comparison.family)


def test_the_best_of_an_error_is_the_lowest_and_nothing_is_best_without_a_direction() -> None:
    values = {"1": [[0.5, 0.7, 0.9]], "2": [[0.1, 0.3, 0.2]]}
    assert [item.setting for item in ranked(seeds_of(values, LOWER))] == ["lr2s0", "lr1s0"]
    unknown = ranked(seeds_of(values, UNKNOWN))
    assert [(item.setting, item.difference, item.corrected) for item in unknown] == [
        ("lr1s0", None, None),
        ("lr2s0", None, None),
    ]


def test_seeds_with_identical_scores_are_tested_over_samples() -> None:
    _, other = ranked(seeds_of({"1": [right(5), right(5)], "2": [right(15), right(15)]}))
    assert (other.generalizes, other.test) == ("samples", "McNemar, exact")


def errors(settings: int, seeds: int, gain: float, repetitions: int = 150) -> tuple[float, float]:
    """The mean errors of the best value and of the corrected one, right or wrong on 60 samples."""
    rng = np.random.default_rng(7)
    found: list[Any] = []
    places = [range(first, first + seeds) for first in range(0, settings * seeds, seeds)]
    for _ in range(repetitions):
        chances = np.full(settings * seeds, 0.5)
        chances[:seeds] += gain
        if seeds > 1:
            chances += 0.05 * rng.normal(size=len(chances))
        matrix = (rng.random((len(chances), 60)) < chances[:, None]).astype(float)
        values = [float(matrix[rows].mean()) for rows in places]
        best = int(np.argmax(values))
        true_value = 0.5 + (gain if best == 0 else 0.0)
        found.append((values[best] - true_value, cross_fitted_value(matrix, places, HIGHER) - true_value))
    raw, corrected = np.mean(found, axis=0)
    return float(raw), float(corrected)


@pytest.mark.parametrize(("settings", "seeds"), [(10, 1), (6, 3)])
def test_the_best_of_equals_is_too_good_and_corrected_it_is_not(settings: int, seeds: int) -> None:
    """The large simulation is benchmarks/simulate_ranking.py; its figures are in the function's docstring."""
    raw, corrected = errors(settings, seeds, 0.0)
    assert raw > 0.04
    assert abs(corrected) < 0.02


def test_one_that_is_clearly_better_needs_no_correction() -> None:
    raw, corrected = errors(10, 1, 0.4)
    assert corrected == pytest.approx(raw)
    assert abs(raw) < 0.02
