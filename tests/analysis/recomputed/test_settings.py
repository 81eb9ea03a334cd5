"""The ranking of settings and their means over seeds, recomputed from the scores of their runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from support.made_logs import Written
from support.recomputation import holm
from support.ten_kinds import KINDS

Analyzed = Callable[[str], Written]
WITH_SEEDS = ["factorial_with_seeds", "two_hundred_runs", "incomplete_and_unbalanced"]
WITHOUT_SEEDS = ["lower_is_better", "all_at_chance", "crossover"]
RANKED = [*WITH_SEEDS, *WITHOUT_SEEDS, "scorers_and_reducers"]


def headline(report: Written) -> str:
    return str(report["evaluations"]["measure"].dropna().iloc[0])


def ranking(report: Written) -> list[Any]:
    return [item for item in report.analysis.ranking if item.measure == headline(report)]


def scores(report: Written) -> pd.Series:
    """Run to its score, of the fine-tuned runs."""
    table = report["evaluations"]
    own = table[(table["measure"] == headline(report)) & table["epoch"].notna()]
    return own.set_index("run")["score"].astype(float)


def settings(kind: str) -> dict[str, tuple[str, ...]]:
    """Run to the levels of its setting: all cells of the plan but the seed."""
    cells = {run.name: run.cells for run in KINDS[kind]().runs}
    return {name: tuple(level for column, level in own.items() if column != "Seed") for name, own in cells.items()}


def pooled(values: pd.Series, kind: str) -> tuple[float, int]:
    """The variance within settings and its degrees of freedom."""
    groups = values.groupby(values.index.map(settings(kind).__getitem__))
    squares = ((values - groups.transform("mean")) ** 2).sum()
    freedom = len(values) - groups.ngroups
    return float(squares / freedom), freedom


@pytest.mark.parametrize("kind", RANKED)
def test_settings_are_ranked_by_their_means_in_the_direction_of_the_measure(written: Analyzed, kind: str) -> None:
    report = written(kind)
    own = scores(report)
    means = own.groupby(own.index.map(settings(kind).__getitem__)).mean()
    found = ranking(report)
    lower = kind == "lower_is_better"
    assert [item.value for item in found] == pytest.approx(sorted(means, reverse=not lower))
    for item in found:
        assert item.value == pytest.approx(own[list(item.runs)].mean())
        assert len({settings(kind)[run] for run in item.runs}) == 1
    assert sum(len(item.runs) for item in found) == len(own)


@pytest.mark.parametrize("kind", WITH_SEEDS)
def test_settings_with_seeds_are_compared_by_the_pooled_spread_between_seeds(written: Analyzed, kind: str) -> None:
    report = written(kind)
    best, *others = ranking(report)
    variance, freedom = pooled(scores(report), kind)
    for item in (best, *others):
        width = stats.t.ppf(0.975, freedom) * np.sqrt(variance / len(item.runs))
        limits = max(0.0, item.value - width), min(1.0, item.value + width)
        assert (item.interval.low, item.interval.high) == pytest.approx(limits)
    runs = [run for item in (best, *others) for run in item.runs]
    shared = report.scored.table("cap", "exactly", runs).mean()
    variance, freedom = pooled(shared, kind)
    p_values = []
    tests = len(others) * (len(others) + 1) // 2
    for item in others:
        difference = shared[list(item.runs)].mean() - shared[list(best.runs)].mean()
        error = np.sqrt(variance * (1 / len(item.runs) + 1 / len(best.runs)))
        assert item.difference == pytest.approx(difference, abs=1e-12)
        assert item.p == pytest.approx(2 * stats.t.sf(abs(difference) / error, freedom), rel=1e-6)
        for interval, alpha in ((item.difference_interval, 0.05), (item.simultaneous, 0.05 / tests)):
            width = stats.t.ppf(1 - alpha / 2, freedom) * error
            assert (interval.low, interval.high) == pytest.approx((difference - width, difference + width))
        p_values.append(item.p)
        assert item.generalizes == "seeds"
    assert [item.p_holm for item in others] == pytest.approx(holm(p_values, tests))
    assert [item.significant for item in others] == [p < 0.05 for p in holm(p_values, tests)]


@pytest.mark.parametrize("kind", RANKED)
def test_the_written_ranking_is_that_of_the_report(written: Analyzed, kind: str) -> None:
    report = written(kind)
    table = report["ranking"]
    rows = list(table[table["measure"] == headline(report)].itertuples())
    found = ranking(report)
    assert [(row.setting, row.runs) for row in rows] == [(item.setting, len(item.runs)) for item in found]
    for row, item in zip(rows, found, strict=True):
        assert (row.value, row.low, row.high) == pytest.approx((item.value, item.interval.low, item.interval.high))
        if item.difference is not None:
            assert (row.difference, row.p, row.p_holm) == pytest.approx((item.difference, item.p, item.p_holm))
            assert row.significant == item.significant


@pytest.mark.parametrize("kind", WITHOUT_SEEDS)
def test_runs_without_seeds_are_ranked_by_their_comparisons(written: Analyzed, kind: str) -> None:
    report = written(kind)
    best, *others = ranking(report)
    table = report["comparisons"]
    own = table[(table["against"] == "best") & (table["measure"] == headline(report))].set_index("run")
    assert set(own["other"]) == set(best.runs)
    for item in others:
        row = own.loc[item.runs[0]]
        assert (item.difference, item.p, item.p_holm) == pytest.approx((row.difference, row.p, row.p_holm))
        assert item.significant == row.significant
        assert item.generalizes == "samples"


@pytest.mark.parametrize("kind", RANKED)
def test_the_best_value_without_its_selection_effect_is_not_better(written: Analyzed, kind: str) -> None:
    """Chosen on nine tenths of the samples and scored on the other tenth, in turn."""
    report = written(kind)
    best, *others = ranking(report)
    lower = kind == "lower_is_better"
    gain = (best.corrected - best.value) * (-1 if lower else 1)
    assert gain <= 1e-9
    if kind in WITH_SEEDS:
        return  # each seed is held out too, which the next line leaves out
    measure = headline(report)
    table = report.scored.table("cap", measure, [item.runs[0] for item in (best, *others)])
    # The folds are those of the order of the samples.
    values, fold = table.to_numpy() * (-1 if lower else 1), np.arange(len(table)) % 10
    kept = 0.0
    for number in range(10):
        chosen = values[fold != number].mean(axis=0).argmax()
        kept += values[fold == number, chosen].sum()
    cross_fitted = kept / len(table)
    shared_best = values.mean(axis=0).max()
    assert gain == pytest.approx(cross_fitted - shared_best, abs=1e-9)


@pytest.mark.parametrize("kind", WITH_SEEDS)
def test_means_over_seeds_have_their_standard_deviation_and_difference(written: Analyzed, kind: str) -> None:
    report = written(kind)
    own = scores(report)
    found = report.analysis.replicates
    assert found
    for item in found:
        values = own[list(item.runs)]
        assert (item.mean, item.sd) == pytest.approx((values.mean(), values.std(ddof=1)))
        base = report.scored.of("cap", "exactly", "tiny_base", -1)
        mean = report.scored.table("cap", "exactly", item.runs).mean(axis=1)
        difference = (mean - base).dropna()
        assert item.difference == pytest.approx(difference.mean(), abs=1e-12)
    p_values = [item.p for item in found if item.p is not None]
    assert [item.p_holm for item in found] == pytest.approx(holm(p_values))
