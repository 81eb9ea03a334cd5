"""Effects of factors against a published analysis of variance and against statsmodels; which designs allow a test."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from support.tables import run_of, table_of
from tunebook.analysis.records import FactorUse, Measure
from tunebook.analysis.statistics.balance import balance_of
from tunebook.analysis.statistics.effects import Effect, estimate_effects
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.analysis.statistics.seeds import summarize_seeds
from tunebook.core.measures import Direction

SUPPLEMENT = FactorUse("dataset", "Supplement", ("VC", "OJ"))
DOSE = FactorUse("lr", "Dose", ("0.5", "1", "2"))
SEED = FactorUse("seed", "Seed", tuple(map(str, range(10))), is_seed=True)
TOOTH_GROWTH = {
    ("VC", "0.5"): (4.2, 11.5, 7.3, 5.8, 6.4, 10.0, 11.2, 11.2, 5.2, 7.0),
    ("VC", "1"): (16.5, 16.5, 15.2, 17.3, 22.5, 17.3, 13.6, 14.5, 18.8, 15.5),
    ("VC", "2"): (23.6, 18.5, 33.9, 25.5, 26.4, 32.5, 26.7, 21.5, 23.3, 29.5),
    ("OJ", "0.5"): (15.2, 21.5, 17.6, 9.7, 14.5, 10.0, 8.2, 9.4, 16.5, 9.7),
    ("OJ", "1"): (19.7, 23.3, 23.6, 26.4, 20.0, 25.2, 25.8, 21.2, 14.5, 27.3),
    ("OJ", "2"): (25.5, 26.4, 22.4, 24.5, 24.8, 30.9, 26.4, 27.3, 29.4, 23.0),
}
"""E. W. Crampton (1947), The growth of the odontoblasts of the incisor tooth, The Journal of Nutrition 33:491-504."""


def by_label(effects: Sequence[Effect]) -> dict[str, Effect]:
    return {" × ".join(effect.labels): effect for effect in effects}


def tooth_growth() -> ScoreTable:
    values, runs = {}, []
    for (supplement, dose), lengths in TOOTH_GROWTH.items():
        for seed, length in enumerate(lengths):
            name = f"{supplement}{dose}-{seed}"
            values[name] = [length]
            runs.append(run_of(name, {"dataset": supplement, "lr": dose, "seed": str(seed)}))
    return table_of(values, runs, measure=Measure("length", Direction.HIGHER))


def test_the_analysis_of_variance_is_the_published_one() -> None:
    """R's documentation of ToothGrowth: F = 15.572, 91.999 and 4.107; p = 0.00023, < 2e-16 and 0.02186."""
    effects = by_label(estimate_effects(tooth_growth(), (SUPPLEMENT, DOSE, SEED)))
    expected = {
        "Supplement": (15.572, (1, 54), 0.000231),
        "Dose": (92.000, (2, 54), 4.046e-18),
        "Supplement × Dose": (4.107, (2, 54), 0.021860),
    }
    assert effects.keys() == expected.keys()
    for label, (f, df, p) in expected.items():
        effect = effects[label]
        assert effect.statistic == pytest.approx(f, abs=5e-4)
        assert effect.df == df
        assert effect.p == pytest.approx(p, rel=2e-3)
        assert (effect.generalizes, effect.significant) == ("seeds", True)
    assert [level.mean for level in effects["Dose"].means] == pytest.approx([10.605, 19.735, 26.1])
    assert effects["Supplement"].partial_eta_squared == pytest.approx(205.35 / (205.35 + 712.106), abs=1e-4)
    assert effects["Dose"].p_holm == pytest.approx(3 * (effects["Dose"].p or 0))
    first = effects["Dose"].means[0].interval
    assert first is not None
    assert (first.low, first.high) == pytest.approx((10.605 - 1.628, 10.605 + 1.628), abs=0.001)


def test_it_is_balanced_until_a_run_is_missing() -> None:
    table = tooth_growth()
    assert balance_of(table.tuned, (SUPPLEMENT, DOSE, SEED)).is_balanced
    table = replace(table, runs=table.runs[:-1])
    assert not balance_of(table.tuned, (SUPPLEMENT, DOSE, SEED)).is_balanced
    effects = by_label(estimate_effects(table, (SUPPLEMENT, DOSE, SEED)))
    assert effects["Dose"].df == (2, 53)


def test_unbalanced_runs_are_analyzed_as_statsmodels_type_three() -> None:
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    table = tooth_growth()
    kept = [run for number, run in enumerate(table.runs) if number % 7]
    effects = by_label(estimate_effects(replace(table, runs=kept), (SUPPLEMENT, DOSE, SEED)))
    lengths = {score.evaluation.run: score.value for score in table.scores}
    frame = pd.DataFrame([{**run.levels, "length": lengths[run.name]} for run in kept])
    reference = anova_lm(ols("length ~ C(dataset, Sum) * C(lr, Sum)", frame).fit(), typ=3)
    for label, row in (
        ("Supplement", "C(dataset, Sum)"),
        ("Dose", "C(lr, Sum)"),
        ("Supplement × Dose", "C(dataset, Sum):C(lr, Sum)"),
    ):
        assert effects[label].statistic == pytest.approx(reference.loc[row, "F"])
        assert effects[label].p == pytest.approx(reference.loc[row, "PR(>F)"])


def one_run_per_cell(samples: int, effect: float = 0.3) -> ScoreTable:
    rng = random.Random(5)  # noqa: S311
    ease = [rng.random() for _ in range(samples)]
    values, runs = {}, []
    for rank in ("4", "16", "64"):
        for lr in ("1e-5", "1e-4"):
            lift = effect if lr == "1e-4" else 0.0
            name = f"rank{rank}_lr{lr}"
            values[name] = [float(rng.random() < min(1.0, one * 0.6 + lift)) for one in ease]
            runs.append(run_of(name, {"lora_rank": rank, "lr": lr}))
    return table_of(values, runs)


RANK = FactorUse("lora_rank", "LoRA Rank", ("4", "16", "64"))
RATE = FactorUse("lr", "Learning Rate", ("1e-5", "1e-4"))


def test_without_seeds_it_is_statsmodels_clustered_by_sample() -> None:
    import pandas as pd
    from statsmodels.formula.api import ols

    table = one_run_per_cell(120)
    effects = by_label(estimate_effects(table, (RANK, RATE)))
    rows = [
        {"rank": run.levels["lora_rank"], "lr": run.levels["lr"], "sample": int(sample), "right": value}
        for run in table.runs
        for sample, value in table.values(table.finals[run.name].evaluation).items()
    ]
    frame = pd.DataFrame(rows)
    fit = ols("right ~ C(rank, Sum) * C(lr, Sum)", frame).fit(
        cov_type="cluster", cov_kwds={"groups": frame["sample"]}, use_t=True
    )
    reference = fit.wald_test_terms(scalar=True).table
    for label, row in (
        ("LoRA Rank", "C(rank, Sum)"),
        ("LoRA Rank × Learning Rate", "C(rank, Sum):C(lr, Sum)"),
    ):
        effect = effects[label]
        tested = int(reference.loc[row, "df_constraint"])
        assert effect.df == (tested, 120 - tested)
        assert effect.statistic == pytest.approx(reference.loc[row, "statistic"] * (120 - tested) / 119)
        assert effect.generalizes == "samples"
    assert effects["Learning Rate"].significant is True
    assert effects["LoRA Rank"].significant is False


def test_effects_that_the_design_cannot_separate_are_reported() -> None:
    values = {"a": [0.0, 1.0, 1.0, 0.0], "b": [1.0, 1.0, 0.0, 0.0], "c": [1.0, 0.0, 1.0, 1.0]}
    runs = [
        run_of("a", {"lora_rank": "4", "lr": "1e-5"}),
        run_of("b", {"lora_rank": "16", "lr": "1e-4"}),
        run_of("c", {"lora_rank": "16", "lr": "1e-4"}),
    ]
    effects = estimate_effects(table_of(values, runs), (RANK, RATE))
    assert {effect.note for effect in effects} == {
        "the factors were varied together, so their effects cannot be separated"
    }
    assert all(effect.p is None and effect.significant is None for effect in effects)


def test_equal_scores_and_missing_samples_give_no_test_and_no_error() -> None:
    runs = [run_of("a", {"lr": "1e-5"}), run_of("b", {"lr": "1e-4"})]
    (alike,) = estimate_effects(table_of({"a": [1.0] * 9, "b": [1.0] * 9}, runs), (RATE,))
    assert (alike.p, alike.note) == (None, "every run has the same score on every sample")
    apart = table_of({"a": [1.0, 0.0], "b": [1.0, 1.0]}, runs, ids={"a": ("1", "2"), "b": ("3", "4")})
    (nothing,) = estimate_effects(apart, (RATE,))
    assert (nothing.p, nothing.note) == (None, "no sample was answered by every run")
    assert estimate_effects(table_of({"a": [1.0]}, runs[:1]), (RATE,)) == ()
    assert estimate_effects(table_of({}), (RATE,)) == ()


def test_seeds_that_score_exactly_alike_leave_no_variance() -> None:
    runs = [run_of(f"{lr}-{seed}", {"lr": lr, "seed": str(seed)}) for lr in ("1e-5", "1e-4") for seed in (0, 1)]
    table = table_of({run.name: [1.0, float(run.levels["lr"] == "1e-4")] for run in runs}, runs)
    (effect,) = estimate_effects(table, (RATE, SEED))
    assert effect.p is None
    assert "identical scores" in effect.note


def test_seeds_are_repetitions_with_mean_and_deviation() -> None:
    groups = {item.setting: item for item in summarize_seeds(tooth_growth(), (SUPPLEMENT, DOSE, SEED))}
    item = groups["Supplement VC, Dose 0.5"]
    assert len(item.runs) == 10
    assert item.mean == pytest.approx(7.98)
    assert item.sd == pytest.approx(2.7466, abs=1e-4)


def test_a_factor_with_scores_at_one_level_only_is_not_tested_for_that_reason() -> None:
    """The runs with the other rank have no scores yet; the learning rate is tested all the same."""
    rng = random.Random(3)  # noqa: S311
    values = {rate: [float(rng.random() < share) for _ in range(60)] for rate, share in (("1e-5", 0.3), ("1e-4", 0.9))}
    runs = [run_of(rate, {"lora_rank": "4", "lr": rate}) for rate in values]
    effects = by_label(estimate_effects(table_of(values, runs), (RANK, RATE)))
    assert effects["LoRA Rank"].note == "only one of its levels has scores"
    assert effects["LoRA Rank"].p is None
    assert effects["Learning Rate"].note == ""
    assert effects["Learning Rate"].significant is True
