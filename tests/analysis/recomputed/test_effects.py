"""Effects of factors, recomputed by statsmodels, from cell means, or from each sample's own contrasts."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from support.made_logs import Written
from support.recomputation import (
    CellMeans,
    bootstrap_limits,
    clustered_f,
    holm,
    hotelling,
    long_form,
    mcnemar_p,
    sign_flip_p,
)
from support.ten_kinds import KINDS

Analyzed = Callable[[str], Written]
FORMULA = "value ~ C(rank, Sum) * C(rate, Sum)"
RANK, RATE, BOTH = "LoRA Rank", "Learning Rate", "LoRA Rank × Learning Rate"
TERMS = {RANK: "C(rank, Sum)", RATE: "C(rate, Sum)", BOTH: "C(rank, Sum):C(rate, Sum)"}
WITH_SEEDS = ["factorial_with_seeds", "two_hundred_runs", "incomplete_and_unbalanced"]
WITHOUT_SEEDS = ["lower_is_better", "all_at_chance", "crossover"]


def levels(kind: str) -> pd.DataFrame:
    """The cells of the plan, one row per run."""
    cells = {run.name: dict(run.cells) for run in KINDS[kind]().runs}
    return pd.DataFrame.from_dict(cells, orient="index").rename(columns={RANK: "rank", RATE: "rate"})


def runs_with_scores(report: Written, kind: str) -> pd.DataFrame:
    scores = report["evaluations"].dropna(subset="score").set_index("run")["score"]
    return levels(kind).join(scores.rename("value"), how="inner")


def matrix(report: Written, kind: str) -> pd.DataFrame:
    """Samples × runs."""
    measure = report["evaluations"]["measure"].iloc[0]
    return report.scored.table("cap", measure, [run.name for run in KINDS[kind]().runs])


def of_level(values: pd.DataFrame, kind: str, column: str) -> pd.DataFrame:
    """Samples × levels: each sample's mean over the runs with a level."""
    return values.T.groupby(levels(kind)[column]).mean().T


def rows_of(report: Written, *kinds: str) -> list[Any]:
    table = report["effects"]
    return list(table[table["kind"].isin(kinds)].itertuples())


def first_rows(report: Written) -> dict[str, Any]:
    """The first row of each main effect and interaction."""
    found: dict[str, Any] = {}
    for row in rows_of(report, "main effect", "interaction"):
        found.setdefault(row.effect, row)
    return found


# --- tests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WITH_SEEDS)
def test_effects_over_seeds_are_those_of_an_analysis_of_variance(written: Analyzed, kind: str) -> None:
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    report = written(kind)
    expected = anova_lm(ols(FORMULA, runs_with_scores(report, kind)).fit(), typ=3)
    residual = expected.loc["Residual"]
    found = first_rows(report)
    for effect, term in TERMS.items():
        row, own = found[effect], expected.loc[term]
        assert (row.f, row.p) == pytest.approx((own["F"], own["PR(>F)"]), rel=1e-6)
        assert (row.df, row.df_error) == (own["df"], residual["df"])
        share = own["sum_sq"] / (own["sum_sq"] + residual["sum_sq"])
        assert row.partial_eta_squared == pytest.approx(share, rel=1e-6)
        assert row.generalizes == "seeds"


@pytest.mark.parametrize("kind", WITHOUT_SEEDS)
def test_effects_over_samples_are_those_of_a_clustered_regression(written: Analyzed, kind: str) -> None:
    """Two levels are compared by the paired test of each sample's means."""
    report = written(kind)
    values = matrix(report, kind)
    rows = long_form(values, levels(kind))
    found = first_rows(report)
    for effect, term in TERMS.items():
        row = found[effect]
        assert row.generalizes == "samples"
        f, p = clustered_f(rows, FORMULA, term)
        if pd.isna(row.f):
            means = of_level(values, kind, {RANK: "rank", RATE: "rate"}[effect])
            assert means.shape[1] == 2
            assert row.p == pytest.approx(sign_flip_p(means.iloc[:, 0] - means.iloc[:, 1]), rel=0.2, abs=3e-4)
        else:
            assert (row.f, row.p) == pytest.approx((f, p), rel=1e-6)


def test_two_runs_of_two_levels_are_compared_once(written: Analyzed) -> None:
    """The effect of a factor with one run for each of two levels is the comparison of the two runs."""
    report = written("risk")
    (effect,) = first_rows(report).values()
    table = report["comparisons"]
    (same,) = table[(table["against"] == "best") & (table["measure"] == effect.measure)].itertuples()
    assert (effect.p, effect.p_holm, effect.significant) == (same.p, same.p_holm, same.significant)
    assert effect.family == same.family


@pytest.mark.parametrize("kind", WITH_SEEDS + WITHOUT_SEEDS)
def test_effects_trends_and_simple_effects_are_corrected_in_own_families(written: Analyzed, kind: str) -> None:
    table = (
        written(kind)["effects"].dropna(subset="p").drop_duplicates(["kind", "effect", "p", "test", "levels_compared"])
    )
    groups = {"main effect": "e", "interaction": "e", "trend": "t", "departure": "t", "simple effect": "s"}
    for _, family in table.groupby(table["kind"].map(groups)):
        corrected = holm(list(family["p"]))
        assert list(family["p_holm"]) == pytest.approx(corrected, rel=1e-9)
        assert list(family["significant"]) == list(np.array(corrected) < 0.05)
        assert len(set(family["family"])) == 1
        assert (family["family_size"] == len(family)).all()


# --- means -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WITH_SEEDS + WITHOUT_SEEDS)
def test_means_of_levels_have_equal_weight_beside_those_of_the_runs(written: Analyzed, kind: str) -> None:
    report = written(kind)
    data = runs_with_scores(report, kind)
    cells = data.groupby(["rank", "rate"])["value"].mean()
    keys = {RANK: ["rank"], RATE: ["rate"], BOTH: ["rank", "rate"]}
    seen = 0
    for row in rows_of(report, "main effect", "interaction"):
        names = keys[row.effect]
        level = row.level.split(" × ")
        own = data[(data[names] == level).all(axis=1)]["value"]
        assert row.raw_mean == pytest.approx(own.mean(), abs=1e-12)
        assert row.runs == len(own)
        estimated = cells.xs(tuple(level), level=tuple(names)).mean() if len(names) == 1 else cells[tuple(level)]
        assert row.estimated_mean == pytest.approx(estimated, abs=1e-9)
        seen += 1
    assert seen == data["rank"].nunique() + data["rate"].nunique() + len(cells)


@pytest.mark.parametrize("kind", WITH_SEEDS)
def test_intervals_of_means_over_seeds_are_from_the_residual_variance(written: Analyzed, kind: str) -> None:
    report = written(kind)
    cells = CellMeans(runs_with_scores(report, kind))
    for row in rows_of(report, "main effect"):
        weights = cells.weights(**{"rank" if row.effect == RANK else "rate": row.level})
        assert (row.low, row.high) == pytest.approx(tuple(cells.limits(weights)), rel=1e-6)


@pytest.mark.parametrize("kind", WITH_SEEDS)
def test_the_largest_difference_over_seeds_has_tukeys_interval(written: Analyzed, kind: str) -> None:
    report = written(kind)
    cells = CellMeans(runs_with_scores(report, kind))
    for effect, key, names in ((RANK, "rank", cells.ranks), (RATE, "rate", cells.rates)):
        row = first_rows(report)[effect]
        means = {name: cells.estimate(cells.weights(**{key: name}))[0] for name in names}
        high, low = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
        assert row.levels_compared == f"{high} − {low}"
        contrast = cells.weights(**{key: high}) - cells.weights(**{key: low})
        quantile = stats.studentized_range.ppf(0.95, len(names), cells.df) / np.sqrt(2)
        expected = cells.limits(contrast, quantile)
        assert row.difference == pytest.approx(means[high] - means[low], rel=1e-9)
        assert (row.difference_low, row.difference_high) == pytest.approx(tuple(expected), rel=2e-3)


@pytest.mark.parametrize("kind", WITHOUT_SEEDS)
def test_the_largest_difference_over_samples_has_an_interval_for_all_pairs(written: Analyzed, kind: str) -> None:
    report = written(kind)
    values = matrix(report, kind)
    runs = values.shape[1]
    for effect, key in ((RANK, "rank"), (RATE, "rate")):
        row = first_rows(report)[effect]
        means = of_level(values, kind, key)
        high, low = means.mean().idxmax(), means.mean().idxmin()
        assert row.levels_compared == f"{high} − {low}"
        difference = means[high] - means[low]
        assert row.difference == pytest.approx(difference.mean(), rel=1e-9)
        found = (row.difference_low, row.difference_high)
        if means.shape[1] == 2:
            expected = bootstrap_limits(difference)
            allowed = 0.04 * (expected.high - expected.low) + 1 / len(difference) / runs
            assert found == pytest.approx(tuple(expected), abs=allowed)
        else:
            pairs = len(list(combinations(means, 2)))
            factor = (values.size - 1) / (values.size - runs)
            error = np.sqrt(factor * difference.var(ddof=1) / len(difference))
            width = stats.t.ppf(1 - 0.025 / pairs, len(difference) - 1) * error
            assert found == pytest.approx((difference.mean() - width, difference.mean() + width), rel=1e-6)


# --- trends ----------------------------------------------------------------------------------------------------------


def slopes(names: list[str], base: float) -> Any:
    """The weights of the levels in the slope per ``base``-fold increase."""
    places = np.log([float(name) for name in names]) / np.log(base)
    centred = places - places.mean()
    return centred / (centred @ centred)


def curvatures(names: list[str]) -> list[Any]:
    """Contrasts of three neighbouring levels that a straight line over the logarithm makes 0."""
    places = np.log([float(name) for name in names])
    found = []
    for index, (before, after) in enumerate(pairwise(np.diff(places))):
        row = np.zeros(len(names))
        row[index : index + 3] = (1 / before, -1 / before - 1 / after, 1 / after)
        found.append(row)
    return found


@pytest.mark.parametrize("kind", WITH_SEEDS)
def test_trends_over_seeds_are_contrasts_of_means(written: Analyzed, kind: str) -> None:
    report = written(kind)
    cells = CellMeans(runs_with_scores(report, kind))
    found = {(row.kind, row.effect): row for row in rows_of(report, "trend", "departure")}
    for effect, key, names, base in ((RANK, "rank", cells.ranks, 2), (RATE, "rate", cells.rates, 10)):
        if len(names) < 3:
            assert ("trend", effect) not in found
            continue
        own = [cells.weights(**{key: name}) for name in names]
        contrast = sum(weight * part for weight, part in zip(slopes(names, base), own, strict=True))
        row = found["trend", effect]
        assert row.levels_compared == {2: "doubling", 10: "tenfold increase"}[base]
        assert row.difference == pytest.approx(cells.estimate(contrast)[0], rel=1e-6)
        assert (row.difference_low, row.difference_high) == pytest.approx(tuple(cells.limits(contrast)), rel=1e-6)
        assert (row.f, row.p) == pytest.approx(cells.f_test([contrast]), rel=1e-6)
        bends = [sum(w * part for w, part in zip(bend, own, strict=True)) for bend in curvatures(names)]
        bend = found["departure", effect]
        assert (bend.f, bend.p) == pytest.approx(cells.f_test(bends), rel=1e-6)


@pytest.mark.parametrize("kind", ["lower_is_better", "all_at_chance"])
def test_trends_over_samples_are_each_samples_own_slope(written: Analyzed, kind: str) -> None:
    report = written(kind)
    values = matrix(report, kind)
    names = sorted(set(levels(kind)["rank"]), key=float)
    means = of_level(values, kind, "rank")[names]
    slope = means @ slopes(names, 2)
    found = {row.kind: row for row in rows_of(report, "trend", "departure") if row.effect == RANK}
    assert found["trend"].difference == pytest.approx(slope.mean(), rel=1e-6)
    expected = hotelling(slope.to_frame(), values.shape[1])
    assert (found["trend"].f, found["trend"].p) == pytest.approx(expected, rel=1e-6)
    bends = pd.DataFrame({number: means @ row for number, row in enumerate(curvatures(names))})
    expected = hotelling(bends, values.shape[1])
    assert (found["departure"].f, found["departure"].p) == pytest.approx(expected, rel=1e-6)


# --- interactions ----------------------------------------------------------------------------------------------------


def test_simple_effects_over_seeds_are_contrasts_of_cells(written: Analyzed) -> None:
    report = written("two_hundred_runs")
    assert first_rows(report)[BOTH].significant
    cells = CellMeans(runs_with_scores(report, "two_hundred_runs"))
    rows = rows_of(report, "simple effect")
    assert len(rows) == len(cells.ranks) + len(cells.rates)
    for row in rows:
        label, level = row.level.rsplit(" ", 1)
        if label == RANK:
            own = [cells.weights(rank=level, rate=rate) for rate in cells.rates]
        else:
            own = [cells.weights(rank=rank, rate=level) for rank in cells.ranks]
        expected = cells.f_test([part - own[0] for part in own[1:]])
        assert (row.f, row.p) == pytest.approx(expected, rel=1e-6)
        means = [cells.estimate(part)[0] for part in own]
        assert row.difference == pytest.approx(max(means) - min(means), rel=1e-9)


def test_simple_effects_of_a_crossover_are_paired_tests_of_its_runs(written: Analyzed) -> None:
    report = written("crossover")
    values = matrix(report, "crossover")
    rows = rows_of(report, "simple effect")
    assert len(rows) == 4
    for row in rows:
        label, level = row.level.rsplit(" ", 1)
        first, second = levels("crossover").query(f"{'rank' if label == RANK else 'rate'} == '{level}'").index
        assert row.p == pytest.approx(mcnemar_p(values[first], values[second]), rel=1e-9)
        assert row.difference == pytest.approx(abs(values[first].mean() - values[second].mean()), abs=1e-9)


def test_a_crossover_is_stated_before_its_main_effects_and_with_both_directions(written: Analyzed) -> None:
    report = written("crossover")
    kinds = [item.kind for item in report.analysis.findings]
    assert kinds.index("interaction") < kinds.index("effect")
    text = report.sentence("interaction", "depend on each other", "each significant by Bonferroni's correction")
    pattern = (
        r"(LoRA Rank|Learning Rate) (\S+) is (better|worse) than (\S+) by ([\d.]+) points at "
        r"(?:LoRA Rank|Learning Rate) (\S+), and (better|worse) by ([\d.]+) points at (\S+),"
    )
    found = re.search(pattern, text)
    assert found is not None
    label, first, here_word, second, here_size, here, there_word, there_size, there = found.groups()
    table = runs_with_scores(report, "crossover").set_index(["rank", "rate"])["value"]
    if label == RATE:
        table = table.swaplevel()
    for level, word, size in ((here, here_word, here_size), (there, there_word, there_size)):
        difference = table[first, level] - table[second, level]
        assert word == ("better" if difference > 0 else "worse")
        assert float(size) == pytest.approx(100 * abs(difference), abs=0.051)
    for label, other in ((RANK, RATE), (RATE, RANK)):
        beginning = f"Averaged over the levels of {other}, on which its effect depends, no effect of {label} on cap"
        report.sentence("effect", beginning)
