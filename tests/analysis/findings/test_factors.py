"""From tests of factors and from seeds to sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from support.tables import run_of, table_of
from tunebook.analysis.findings.factors import state_balance, state_effects
from tunebook.analysis.findings.seeds import state_seeds
from tunebook.analysis.records import FactorUse, Family, Interval, Measure
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.statistics.fits import FactorTest
from tunebook.analysis.statistics.marginal_means import GroupMean, LevelDifference
from tunebook.analysis.statistics.measure_results import MeasureResults, analyze_measure
from tunebook.analysis.statistics.seeds import Replicates
from tunebook.analysis.statistics.simple_effects import Reversal, SimpleEffect
from tunebook.analysis.statistics.trends import Trend, Unit
from tunebook.core.measures import Direction

M = Measure("m", Direction.HIGHER, is_share=True)
LEVEL_MEANS = (GroupMean(("4",), 2, 0.25), GroupMean(("16",), 2, 0.5))
TESTED: dict[str, Any] = {"test": "a test", "statistic": 4.128, "df": (1.0, 38.0), "p": 0.01, "p_holm": 0.0204}
MAIN = Effect("task", "m", ("lora_rank",), ("LoRA Rank",), means=LEVEL_MEANS)
BOTH = Effect("task", "m", ("lora_rank", "lr"), ("LoRA Rank", "Learning Rate"))
MEANS = "mean 25.0 % at 4, 50.0 % at 16"
SAMPLES = "tested over samples: generalizes to new test samples, not to retraining."
SEEDS = "tested against the variation between seeds: generalizes to retraining, not to new test samples."


def results_with(measure: Measure = M, **changes: Any) -> MeasureResults:
    return replace(analyze_measure(table_of({"a": [1.0, 0.0]}, measure=measure), ()), **changes)


@pytest.mark.parametrize(
    ("effect", "kind", "text"),
    [
        (
            replace(MAIN, **TESTED, significant=True, generalizes="samples"),
            "effect",
            f"LoRA Rank makes a difference on task (m): {MEANS}; F(1, 38) = 4.13, p = 0.020, {SAMPLES}",
        ),
        (
            replace(MAIN, **TESTED | {"p_holm": 0.3}, significant=False, generalizes="seeds"),
            "effect",
            f"No effect of LoRA Rank on task (m) was detected: {MEANS}; F(1, 38) = 4.13, p = 0.300, {SEEDS}",
        ),
        (
            replace(MAIN, note="too few samples"),
            "effect",
            f"LoRA Rank on task (m): {MEANS}; not tested: too few samples.",
        ),
        (
            replace(BOTH, **TESTED, significant=True, generalizes="seeds"),
            "interaction",
            "The effects of LoRA Rank and Learning Rate on task (m) depend on each other: F(1, 38) = 4.13, p = 0.020, "
            + SEEDS,
        ),
        (
            replace(BOTH, **TESTED, significant=False, generalizes="samples"),
            "interaction",
            "No interaction of LoRA Rank and Learning Rate on task (m) was detected: F(1, 38) = 4.13, p = 0.020, "
            + SAMPLES,
        ),
    ],
)
def test_an_effect_is_stated_with_its_test_and_scope(effect: Effect, kind: str, text: str) -> None:
    (finding,) = state_effects(results_with(effects=(effect,)))
    assert (finding.kind, finding.text, finding.significant) == (kind, text, effect.significant)


def test_an_estimated_mean_stands_beside_the_mean_of_its_runs() -> None:
    effect = replace(MAIN, means=(GroupMean(("4",), 2, 0.25, raw_mean=0.3), GroupMean(("16",), 1, 0.5)), note="n")
    (finding,) = state_effects(results_with(effects=(effect,)))
    assert finding.text == (
        "LoRA Rank on task (m): estimated mean 25.0 % at 4 (mean of its 2 runs 30.0 %), 50.0 % at 16; not tested: n."
    )


@pytest.mark.parametrize(
    ("direction", "words"),
    [
        (Direction.HIGHER, "best at 16, worst at 4"),
        (Direction.LOWER, "best at 4, worst at 16"),
        (Direction.UNKNOWN, "highest at 16, lowest at 4"),
    ],
)
def test_levels_are_best_only_with_a_known_direction(direction: Direction, words: str) -> None:
    difference = LevelDifference("16", "4", 0.25, Interval(0.1, 0.4, "Tukey"))
    effect = replace(MAIN, **TESTED, significant=True, difference=difference)
    (finding,) = state_effects(results_with(Measure("nll", direction), effects=(effect,)))
    assert f"; {words}, a difference of 0.25 (95 % interval 0.1 to 0.4); F(1, 38)" in finding.text
    missed = replace(effect, significant=False)
    (finding,) = state_effects(results_with(Measure("nll", direction), effects=(missed,)))
    assert "; the largest difference, between 16 and 4, is 0.25 (95 % interval 0.1 to 0.4); F(1, 38)" in finding.text


def test_differences_of_three_levels_are_simultaneous_and_tests_name_their_family() -> None:
    means = (*LEVEL_MEANS, GroupMean(("64",), 2, 0.6))
    difference = LevelDifference("64", "4", 0.35, Interval(0.1, 0.6, "Tukey"))
    tested = TESTED | {"family": Family("f", 3, "Holm"), "generalizes": "seeds", "partial_eta_squared": 0.25}
    effect = replace(MAIN, **tested, means=means, difference=difference, significant=True)
    (finding,) = state_effects(results_with(effects=(effect,)))
    assert finding.text.endswith(
        "; best at 64, worst at 4, a difference of 35.0 points (95 % interval 10.0 to 60.0, simultaneous over the 3 "
        "pairs of levels); F(1, 38) = 4.13, p = 0.020, Holm's correction over 3 tests, partial η² = 0.25 of the "
        f"variance between runs that the other effects leave, {SEEDS}"
    )


def simple(level: str, *, significant: bool) -> SimpleEffect:
    test = FactorTest("t", 0.01, 4.0, (1.0, 9.0), 0.02, significant, Family("simple", 2, "Holm"))
    return SimpleEffect("lora_rank", "LoRA Rank", "lr", "Learning Rate", level, "16", "4", 0.1, test)


def test_a_significant_interaction_comes_first_and_main_effects_are_averages() -> None:
    reversal = Reversal("LoRA Rank", "Learning Rate", "16", "4", "1e-4", "1e-5", (0.1, -0.2), is_significant=True)
    parts = (simple("1e-5", significant=False), simple("1e-4", significant=True))
    both = replace(BOTH, **TESTED, significant=True, simple_effects=parts, reversal=reversal)
    found = replace(MAIN, **TESTED, significant=True, depends_on=("Learning Rate",))
    missed = replace(found, significant=False)
    first, second, third = state_effects(results_with(effects=(found, missed, both)))
    assert first.kind == "interaction"
    assert first.text.startswith(
        "The effects of LoRA Rank and Learning Rate on task (m) depend on each other: F(1, 38)"
    )
    assert first.text.endswith(
        "The order of levels reverses: LoRA Rank 16 is better than 4 by 10.0 points at Learning Rate 1e-4, and worse by "
        "20.0 points at 1e-5, each significant by Bonferroni's correction. An effect of LoRA Rank was detected at 1 of 2 "
        "levels of Learning Rate: 1e-4 (Holm's correction over 2 tests)."
    )
    average = "Averaged over the levels of Learning Rate, on which its effect depends, "
    assert second.text.startswith(f"{average}LoRA Rank makes a difference on task (m): mean 25.0 % at 4")
    assert third.text.startswith(f"{average}no effect of LoRA Rank on task (m) was detected: mean 25.0 % at 4")


def test_a_reversal_that_could_be_chance_is_called_so() -> None:
    reversal = Reversal("LoRA Rank", "Learning Rate", "16", "4", "1e-4", "1e-5", (0.1, -0.2), is_significant=False)
    both = replace(BOTH, **TESTED, significant=True, reversal=reversal)
    (finding,) = state_effects(results_with(Measure("x"), effects=(both,)))
    assert finding.text.endswith(
        "In these means the order of levels reverses, which could be chance: LoRA Rank 16 is higher than 4 by 0.1 at "
        "Learning Rate 1e-4, and lower by 0.2 at 1e-5."
    )


def test_a_trend_is_stated_with_its_step_and_its_departure() -> None:
    family = Family("trends", 2, "Holm")
    slope = FactorTest("t", 0.01, 9.0, (1.0, 38.0), 0.02, significant=True, family=family)
    departure = FactorTest("t", 0.3, 1.0, (2.0, 38.0), 0.3, significant=False, family=family)
    unit = Unit("doubling", 1.0, is_logarithmic=True)
    trend = Trend("lora_rank", "LoRA Rank", unit, -0.05, Interval(-0.09, -0.01, "Student t"), slope, departure)
    effect = replace(MAIN, **TESTED, significant=True, generalizes="samples", trend=trend)
    _, finding = state_effects(results_with(effects=(effect,)))
    assert (finding.kind, finding.significant) == ("trend", True)
    assert finding.text == (
        "Scores on task (m) fall with LoRA Rank: −5.0 points per doubling (95 % interval −9.0 to −1.0); F(1, 38) = "
        f"9.00, p = 0.020, Holm's correction over 2 tests, {SAMPLES} No departure from a straight line over log LoRA "
        "Rank was detected: F(2, 38) = 1.00, p = 0.300."
    )
    missed = replace(
        trend, test=replace(slope, significant=False), departure=replace(departure, p_holm=0.01, significant=True)
    )
    _, finding = state_effects(results_with(effects=(replace(effect, trend=missed, depends_on=("Data",)),)))
    assert finding.text.startswith(
        "No trend of the scores on task (m) over LoRA Rank was detected: −5.0 points per doubling (95 % interval −9.0 to "
        "−1.0), averaged over the levels of Data; "
    )
    assert finding.text.endswith(
        "The means depart from a straight line over log LoRA Rank: F(2, 38) = 1.00, p = 0.010."
    )


def test_the_comparison_of_the_only_two_runs_is_stated_once() -> None:
    rate = FactorUse("lr", "Learning Rate", ("1e-5", "1e-4"))
    runs = [run_of("a", {"lr": "1e-5"}), run_of("b", {"lr": "1e-4"})]
    values = {"a": [1.0, 0.0] * 20, "b": [1.0] * 40}
    assert list(state_effects(analyze_measure(table_of(values, runs), (rate,)))) == []
    unknown = analyze_measure(table_of(values, runs, measure=Measure("m")), (rate,))
    (finding,) = state_effects(unknown)
    assert finding.text.startswith("Learning Rate makes a difference on task (m): mean 0.5 at 1e-5, 1 at 1e-4; highest")


def test_an_unbalanced_design_is_a_caution_with_counts() -> None:
    factors = (
        FactorUse("lora_rank", "LoRA Rank", ("4", "16")),
        FactorUse("lr", "Learning Rate", ("1e-5", "1e-4")),
        FactorUse("seed", "Seed", ("0", "1"), is_seed=True),
    )
    cells = [("4", "1e-5", "0"), ("4", "1e-5", "1"), ("16", "1e-5", "0"), ("4", "1e-4", "0"), ("4", "1e-4", "1")]
    keys = [factor.key for factor in factors]
    runs = [run_of("".join(cell), dict(zip(keys, cell, strict=True))) for cell in cells]
    table = table_of({run.name: [1.0, 0.0] for run in runs}, runs)
    (finding,) = state_balance(analyze_measure(table, factors))
    assert finding.kind == "caution"
    assert finding.text == (
        "The design is unbalanced on task: no run has a score in 1 of 4 combinations of LoRA Rank and Learning Rate (16 "
        "× 1e-4) and 1 of the others have fewer scored runs than 2 (16 × 1e-5: 1); estimated means give each level of a "
        "factor the same weight, however many runs it has."
    )
    assert list(state_balance(analyze_measure(replace(table, runs=runs[:2]), factors[2:]))) == []


def test_an_interaction_that_was_not_tested_is_not_stated() -> None:
    assert list(state_effects(results_with(effects=(replace(BOTH, note="too few samples"),)))) == []


def test_a_long_level_is_cut() -> None:
    effect = replace(MAIN, means=(GroupMean(("x" * 60,), 1, 0.5),), note="n")
    (finding,) = state_effects(results_with(effects=(effect,)))
    assert f"50.0 % at {'x' * 39}…;" in finding.text


def setting(name: str, mean: float, difference: float | None, *, significant: bool | None) -> Replicates:
    p = None if difference is None else 0.04
    return Replicates(
        "task",
        "m",
        name,
        ("a", "b", "c"),
        mean,
        0.05,
        difference,
        None,
        p,
        p,
        significant,
        Family("f", 2, "Holm"),
    )


def test_a_few_settings_are_stated_one_by_one() -> None:
    groups = (setting("Rank 4", 0.5, 0.1, significant=False), setting("Rank 16", 0.7, 0.3, significant=True))
    summary, first, second = state_seeds(results_with(replicates=groups))
    assert summary.text == (
        "Averaged over their seeds, 1 of 2 settings score significantly better on task (m) than their base model and 0 "
        "significantly worse (paired tests of each sample's mean over the seeds, Holm's correction over 2 tests: "
        "generalizes to new test samples, not to retraining)."
    )
    assert first.text == (
        "Rank 4: mean 50.0 % (3 seeds) on task (m), standard deviation between seeds 5.0 "
        "points; difference from the base model +10.0 points, p = 0.040 after Holm's correction over 2 tests. "
        "This difference could be chance."
    )
    assert second.text.endswith("+30.0 points, p = 0.040 after Holm's correction over 2 tests.")


def test_many_settings_are_summarized() -> None:
    groups = tuple(setting(f"Rank {rank}", rank / 10, None, significant=None) for rank in range(1, 6))
    (finding,) = state_seeds(results_with(replicates=groups))
    assert finding.text == (
        "Scores on task (m) vary between seeds: the standard deviations of 5 settings are 5.0 points to 5.0 points."
    )


def test_without_seeds_there_is_nothing_to_state() -> None:
    rank = FactorUse("lora_rank", "LoRA Rank", ("4", "16"))
    runs = [run_of("a", {"lora_rank": "4"}), run_of("b", {"lora_rank": "16"})]
    results = analyze_measure(table_of({"a": [1.0, 0.0], "b": [0.0, 0.0]}, runs), (rank,))
    assert list(state_seeds(results)) == []
