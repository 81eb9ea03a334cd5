"""Estimated means, differences, trends and simple effects against statsmodels and SciPy, in designs with gaps."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from statsmodels.formula.api import ols

from support.tables import run_of, table_of
from tunebook.analysis.records import FactorUse, Measure
from tunebook.analysis.statistics.balance import balance_of
from tunebook.analysis.statistics.effects import Effect, estimate_effects
from tunebook.analysis.statistics.measure_results import analyze_measure
from tunebook.analysis.statistics.paired_tests import paired_test
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.analysis.statistics.trends import unit_of
from tunebook.core.measures import Direction
from tunebook.core.plan import RunType

RANK = FactorUse("lora_rank", "LoRA Rank", ("4", "8", "16", "32"))
RATE = FactorUse("lr", "Learning Rate", ("1e-5", "1e-4"))
SEED = FactorUse("seed", "Seed", ("0", "1", "2"), is_seed=True)
FORMULA = "score ~ C(lora_rank, Sum) * C(lr, Sum)"


def with_seeds(*, left_out: int = 0, crossover: bool = False) -> ScoreTable:
    """Ranks × learning rates × seeds; with every n-th run left out, the design is unbalanced."""
    rng = random.Random(11)  # noqa: S311
    values, runs = {}, []
    for number, (rank, rate, seed) in enumerate(product(RANK.levels, RATE.levels, SEED.levels)):
        if left_out and number % left_out == 1:
            continue
        slope = 0.08 if rate == "1e-4" or not crossover else -0.08
        name = f"{rank}_{rate}_{seed}"
        values[name] = [0.3 + slope * math.log2(int(rank)) + rng.gauss(0, 0.03)]
        runs.append(run_of(name, {"lora_rank": rank, "lr": rate, "seed": seed}))
    return table_of(values, runs)


def frame_of(table: ScoreTable) -> Any:
    import pandas as pd

    rows = [{**run.levels, "score": score} for run, score in zip(table.tuned, table.tuned_scores, strict=True)]
    return pd.DataFrame(rows)


def by_label(table: ScoreTable, *factors: FactorUse) -> dict[str, Effect]:
    return {" × ".join(effect.labels): effect for effect in estimate_effects(table, factors)}


def marginal_row(factor: str, level: str) -> Any:
    """The row of statsmodels' design whose product with the coefficients is the marginal mean: the mean of a grid."""
    import pandas as pd

    grid = pd.DataFrame([{"lora_rank": rank, "lr": rate} for rank, rate in product(RANK.levels, RATE.levels)])
    rows = ols(FORMULA, grid.assign(score=0.0)).exog
    return rows[(grid[factor] == level).to_numpy()].mean(axis=0)


def test_unbalanced_means_and_their_intervals_are_those_of_statsmodels_over_a_grid() -> None:
    table = with_seeds(left_out=5)
    fit = ols(FORMULA, frame_of(table)).fit()
    effects = by_label(table, RANK, RATE, SEED)
    assert effects["LoRA Rank"].has_raw_means
    for factor, label in (("lora_rank", "LoRA Rank"), ("lr", "Learning Rate")):
        for item in effects[label].means:
            expected = fit.t_test(marginal_row(factor, item.levels[0]))
            assert item.mean == pytest.approx(float(np.squeeze(expected.effect)))
            assert item.interval is not None
            low, high = np.squeeze(expected.conf_int())
            assert (item.interval.low, item.interval.high) == pytest.approx((low, high))
            own = frame_of(table).query(f"{factor} == {item.levels[0]!r}")
            assert item.runs == len(own)
            assert (item.mean if item.raw_mean is None else item.raw_mean) == pytest.approx(own["score"].mean())


def test_balanced_means_are_those_of_the_runs() -> None:
    effects = by_label(with_seeds(), RANK, RATE, SEED)
    assert not any(effect.has_raw_means for effect in effects.values())


def test_cells_have_intervals_from_the_same_model() -> None:
    table = with_seeds(left_out=5)
    fit = ols(FORMULA, frame_of(table)).fit()
    cell = by_label(table, RANK, RATE, SEED)["LoRA Rank × Learning Rate"].means[2]
    own = frame_of(table).query(f"lora_rank == {cell.levels[0]!r} and lr == {cell.levels[1]!r}")
    expected = fit.get_prediction(own).summary_frame()
    assert cell.interval is not None
    assert cell.interval.low == pytest.approx(expected["mean_ci_lower"].iloc[0])


def test_the_difference_of_extreme_levels_has_tukeys_interval() -> None:
    from statsmodels.stats.multicomp import pairwise_tukeyhsd

    table = with_seeds()
    one_factor = replace(table, runs=[run for run in table.runs if run.levels["lr"] == "1e-4"])
    difference = by_label(one_factor, RANK, SEED)["LoRA Rank"].difference
    assert difference is not None
    assert difference.interval is not None
    frame = frame_of(one_factor)
    tukey = pairwise_tukeyhsd(frame["score"], frame["lora_rank"])
    assert (difference.high, difference.low) == ("32", "4")
    pairs = [tuple(pair) for pair in np.column_stack(np.triu_indices(4, 1))]
    names = list(tukey.groupsunique)
    place = pairs.index((names.index("32"), names.index("4")))
    assert sorted(abs(tukey.confint[place])) == pytest.approx(
        [difference.interval.low, difference.interval.high], rel=2e-3
    )


def test_levels_over_samples_differ_by_bonferronis_intervals() -> None:
    from scipy.stats import t

    rng = np.random.default_rng(4)
    values = {rank: rng.normal(int(rank) / 40, 1, size=50).tolist() for rank in RANK.levels}
    runs = [run_of(rank, {"lora_rank": rank}) for rank in RANK.levels]
    table = table_of(values, runs, measure=Measure("points", Direction.HIGHER))
    difference = by_label(table, RANK)["LoRA Rank"].difference
    assert difference is not None
    assert difference.interval is not None
    apart = np.subtract(values[difference.high], values[difference.low])
    error = apart.std(ddof=1) / math.sqrt(50) * math.sqrt(199 / 196)  # N - 1 and N - K of clustered errors
    half = t.ppf(1 - 0.025 / 6, 49) * error
    ends = (apart.mean() - half, apart.mean() + half)
    assert (difference.interval.low, difference.interval.high) == pytest.approx(ends)


def test_two_levels_of_one_run_each_are_mcnemars_test_of_the_two_runs() -> None:
    from scipy.stats import binomtest

    values = {"low": [1.0] * 4 + [0.0] * 26, "high": [0.0] + [1.0] * 15 + [0.0] * 14}
    runs = [run_of("low", {"lr": "1e-5"}), run_of("high", {"lr": "1e-4"})]
    results = analyze_measure(table_of(values, runs), (RATE,))
    (effect,) = results.effects
    assert effect.p == pytest.approx(binomtest(12, 13, 0.5).pvalue)
    assert effect.test == "McNemar, exact"
    assert effect.same_as == ("low", "high")
    (comparison,) = results.comparisons
    assert (effect.p, effect.significant) == (comparison.p, comparison.significant)
    assert effect.difference is not None
    assert effect.difference.interval == comparison.interval or comparison.difference < 0


def test_one_contrast_has_one_verdict() -> None:
    """By itself p would be significant; as one of the four comparisons with the best run it is not."""
    base = [0.0] * 30
    values = {"low": base, "high": [1.0] * 6 + [0.0] * 24}
    values |= {name: [1.0] * 3 + [0.0] * 27 for name in ("other", "another", "third")}
    runs = [run_of("low", {"lr": "1e-5"}), run_of("high", {"lr": "1e-4"})]
    runs += [replace(run_of(name), type=RunType.EVAL_ONLY) for name in ("other", "another", "third")]
    results = analyze_measure(table_of(values, runs), (RATE,))
    (effect,) = results.effects
    found = {frozenset((item.run, item.other)): item for item in results.comparisons}
    comparison = found[frozenset(("low", "high"))]
    assert effect.p == comparison.p == pytest.approx(2**-5)
    assert (effect.p_holm, effect.significant) == (comparison.p_holm, comparison.significant)
    assert effect.significant is False
    assert effect.family == comparison.family


def test_two_levels_of_several_runs_are_the_paired_test_of_each_samples_means() -> None:
    rng = np.random.default_rng(7)
    ranks = RANK.levels
    values = {f"{rank}_{rate}": rng.integers(0, 2, 40).astype(float).tolist() for rank in ranks for rate in RATE.levels}
    runs = [run_of(name, {"lora_rank": name.split("_")[0], "lr": name.split("_")[1]}) for name in values]
    effect = by_label(table_of(values, runs), RANK, RATE)["Learning Rate"]
    means = [np.mean([values[f"{rank}_{rate}"] for rank in ranks], axis=0).tolist() for rate in RATE.levels]
    expected = paired_test(*means)
    assert effect.p == pytest.approx(expected.p)
    assert (effect.test, effect.same_as) == (expected.name, None)


def test_a_crossover_has_simple_effects_and_a_reversal() -> None:
    table = with_seeds(crossover=True)
    effects = by_label(table, RANK, RATE, SEED)
    interaction = effects["LoRA Rank × Learning Rate"]
    assert interaction.significant is True
    assert effects["LoRA Rank"].depends_on == ("Learning Rate",)
    assert effects["Learning Rate"].depends_on == ("LoRA Rank",)
    fit = ols("score ~ 0 + C(lora_rank):C(lr)", frame_of(table)).fit()
    found = {(item.label, item.level): item for item in interaction.simple_effects}
    assert len(found) == 4 + 2
    names = [f"C(lora_rank)[{rank}]:C(lr)[1e-5]" for rank in RANK.levels]
    expected = fit.f_test(", ".join(f"{name} = {names[-1]}" for name in names[:-1]))
    item = found["LoRA Rank", "1e-5"]
    assert item.test is not None
    assert item.test.p == pytest.approx(expected.pvalue)
    assert item.test.statistic == pytest.approx(expected.fvalue)
    assert item.test.family is not None
    assert (item.test.family.size, item.test.family.correction) == (6, "Holm")
    assert (item.high, item.low) == ("4", "32")
    assert interaction.reversal is not None
    assert {interaction.reversal.first, interaction.reversal.second} == {"4", "32"}
    assert interaction.reversal.is_significant


@pytest.mark.parametrize("sign", [1, -1])
def test_effects_that_only_differ_in_size_do_not_reverse(sign: int) -> None:
    values = {}
    for rank, rate, seed in product(RANK.levels, RATE.levels, SEED.levels):
        steep = 3 if rate == "1e-4" else 1
        values[f"{rank}_{rate}_{seed}"] = [sign * steep * math.log2(int(rank)) + 0.01 * int(seed)]
    runs = [run_of(name, dict(zip(("lora_rank", "lr", "seed"), name.split("_"), strict=True))) for name in values]
    interaction = by_label(table_of(values, runs), RANK, RATE, SEED)["LoRA Rank × Learning Rate"]
    assert interaction.significant is True
    assert interaction.reversal is None
    assert len(interaction.simple_effects) == 6


def test_a_trend_over_doublings_and_its_departure_are_statsmodels_contrasts() -> None:
    from statsmodels.stats.anova import anova_lm

    table = with_seeds()
    one_factor = replace(table, runs=[run for run in table.runs if run.levels["lr"] == "1e-4"])
    effect = by_label(one_factor, RANK, SEED)["LoRA Rank"]
    trend = effect.trend
    assert trend is not None
    assert trend.unit.name == "doubling"
    frame = frame_of(one_factor)
    frame["doublings"] = np.log2(frame["lora_rank"].astype(float))
    line, levels = ols("score ~ doublings", frame).fit(), ols("score ~ C(lora_rank)", frame).fit()
    assert trend.slope == pytest.approx(line.params["doublings"])
    lack_of_fit = anova_lm(line, levels)
    assert trend.departure is not None
    assert trend.departure.statistic == pytest.approx(lack_of_fit["F"][1])
    assert trend.departure.p == pytest.approx(lack_of_fit["Pr(>F)"][1])
    explained = line.ess / levels.mse_resid
    assert trend.test.statistic == pytest.approx(explained)
    assert trend.test.family is not None
    assert (trend.test.family.size, trend.test.significant) == (2, True)
    assert effect.family is not None
    assert effect.family.size == 1


def test_a_trend_over_samples_is_the_t_test_of_each_samples_slope() -> None:
    from scipy.stats import ttest_1samp

    rng = np.random.default_rng(9)
    values = {rank: rng.normal(math.log2(int(rank)) / 5, 1, size=60).tolist() for rank in RANK.levels}
    table = table_of(values, [run_of(rank, {"lora_rank": rank}) for rank in RANK.levels])
    trend = by_label(table, RANK)["LoRA Rank"].trend
    assert trend is not None
    slopes = np.polyfit([2, 3, 4, 5], np.array([values[rank] for rank in RANK.levels]), 1)[0]
    expected = ttest_1samp(slopes, 0)
    assert trend.slope == pytest.approx(slopes.mean())
    assert trend.test.statistic == pytest.approx(float(expected.statistic) ** 2 * (240 - 4) / (240 - 1))
    assert trend.interval is not None
    assert trend.interval.low < trend.slope < trend.interval.high


@pytest.mark.parametrize(
    ("levels", "name"),
    [
        ((4, 16, 64), "doubling"),
        ((1e-5, 3e-5, 1e-4, 3e-4), "tenfold increase"),
        ((1e-5, 5e-5, 1e-4, 3e-4), "tenfold increase"),
        ((2, 3, 4.5), "doubling"),
        ((1, 2, 3), "increase by 1"),
        ((100, 200, 300, 400), "increase by 100"),
        ((100, 200, 300, 500), "doubling"),
        ((0, 0.1, 0.2), "increase by 0.1"),
        ((-1, 0, 1), "increase by 1"),
    ],
)
def test_geometric_levels_are_on_a_logarithmic_scale(levels: tuple[float, ...], name: str) -> None:
    unit = unit_of(levels)
    assert unit.name == name
    assert unit.is_logarithmic == ("increase by" not in name)


def test_two_levels_or_names_have_no_trend() -> None:
    effects = by_label(with_seeds(), RANK, RATE, SEED)
    assert effects["Learning Rate"].trend is None
    named = FactorUse("dataset", "Data", ("a", "b", "c"))
    values = {level: [float(number), 1.0, 0.0] for number, level in enumerate(named.levels)}
    table = table_of(values, [run_of(level, {"dataset": level}) for level in named.levels])
    assert by_label(table, named)["Data"].trend is None


def test_balance_is_that_of_scored_runs() -> None:
    table = with_seeds()
    scored = replace(table, scores=table.scores[1:])
    assert balance_of(scored.tuned, (RANK, RATE, SEED)).is_balanced is False
    assert balance_of(scored.runs, (RANK, RATE, SEED)).is_balanced is True
    results = analyze_measure(replace(table, scores=table.scores[3:]), (RANK, RATE, SEED))
    assert (results.balance.missing, results.balance.cells) == (1, 8)
    assert results.balance.missing_cells(4) == [("4", "1e-5")]


def test_hundreds_of_runs_have_every_effect() -> None:
    seeds = FactorUse("seed", "Seed", tuple(map(str, range(5))), is_seed=True)
    alpha = FactorUse("lora_alpha", "LoRA Alpha", ("8", "16", "32", "64", "128"))
    rng = np.random.default_rng(1)
    values, runs = {}, []
    for levels in product(RANK.levels, RATE.levels, alpha.levels, seeds.levels):
        values["_".join(levels)] = rng.integers(0, 2, 30).astype(float).tolist()
        runs.append(run_of("_".join(levels), dict(zip(("lora_rank", "lr", "lora_alpha", "seed"), levels, strict=True))))
    effects = estimate_effects(table_of(values, runs), (RANK, RATE, alpha, seeds))
    assert [effect.family.size for effect in effects if effect.family] == [6] * 6
    assert all(effect.generalizes == "seeds" for effect in effects)
