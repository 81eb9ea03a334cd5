"""Recommendations for what to do next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.tables import run_of, table_of
from tunebook.analysis.findings.recommendations import estimate_samples, recommend
from tunebook.analysis.records import FactorUse, Gap
from tunebook.analysis.statistics.measure_results import MeasureResults, analyze_measure


def test_gaps_come_first_among_the_recommendations() -> None:
    gaps = [
        Gap("x", "missing", "`tunebook run` runs what is not done"),
        Gap("y", "missing", "`tunebook run` runs what is not done"),
    ]
    assert recommend([], gaps) == ("`tunebook run` runs what is not done (2 gaps).",)
    assert recommend([], []) == ()


def test_the_samples_that_are_asked_for_have_a_power_of_four_fifths() -> None:
    from statsmodels.stats.power import NormalIndPower

    n, deviation, difference = 400, 0.6, 0.02
    half = 1.959964 * deviation / n**0.5
    wanted = estimate_samples(n, half, difference)
    power = NormalIndPower(ddof=0).power(difference / deviation, wanted, 0.05, ratio=0)
    assert power == pytest.approx(0.8, abs=0.001)


def results_of(*counts: int, n: int = 40) -> MeasureResults:
    """Runs of different settings; each answers the first ``count`` of the samples correctly."""
    runs = [run_of(name, {"lr": name}) for name in "abcd"[: len(counts)]]
    values = {run.name: [1.0] * count + [0.0] * (n - count) for run, count in zip(runs, counts, strict=True)}
    return analyze_measure(table_of(values, runs), (FactorUse("lr", "Learning Rate", tuple(values)),))


def test_the_nearest_run_that_may_differ_is_to_be_evaluated_on_more_samples() -> None:
    samples, seeds = recommend([results_of(30, 28, 26)], [])
    assert samples == (
        "Evaluate b and a on more samples of task: if the difference (m) is 5.0 points, about 260 samples would "
        "show it in four cases out of five, in a single test."
    )
    assert seeds == (
        "Train the settings that matter with two or three more seeds (a `Seed` column): this separates differences between "
        "settings from chance in training."
    )


@pytest.mark.parametrize("counts", [(30, 30), (40, 2)])
def test_equal_and_clearly_different_runs_need_no_more_samples(counts: tuple[int, int]) -> None:
    assert not any("more samples" in sentence for sentence in recommend([results_of(*counts)], []))


def test_a_number_of_samples_that_nobody_has_is_not_recommended() -> None:
    results = results_of(30, 28)
    alike = tuple(replace(item, difference=-0.0001) for item in results.ranking)
    assert not any("more samples" in sentence for sentence in recommend([replace(results, ranking=alike)], []))


def test_one_run_needs_no_more_seeds() -> None:
    assert recommend([results_of(30)], []) == ()


def test_where_seeds_vary_more_seeds_are_recommended_and_not_more_samples() -> None:
    counts = {"r1s1": 30, "r1s2": 24, "r2s1": 16, "r2s2": 22}
    runs = [run_of(name, {"lr": name[1], "seed": name[3]}) for name in counts]
    values = {name: [1.0] * count + [0.0] * (40 - count) for name, count in counts.items()}
    factors = (FactorUse("lr", "Rate", ("1", "2")), FactorUse("seed", "Seed", ("1", "2"), is_seed=True))
    (sentence,) = recommend([analyze_measure(table_of(values, runs), factors)], [])
    assert sentence.startswith("Train Rate 2 and Rate 1 with more seeds: scores vary between seeds")
