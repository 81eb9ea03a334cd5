"""From tests of factors and from seeds to sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from support.tables import run_of, table_of
from tunebook.analysis.findings.factors import state_effects
from tunebook.analysis.findings.seeds import state_seeds
from tunebook.analysis.records import FactorUse, Family, Interval
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.statistics.marginal_means import GroupMean
from tunebook.analysis.statistics.measure_results import MeasureResults, analyze_measure
from tunebook.analysis.statistics.seeds import Replicates

LEVEL_MEANS = (GroupMean(("4",), 2, 0.25), GroupMean(("16",), 2, 0.5))
TESTED: dict[str, Any] = {"test": "a test", "statistic": 4.128, "df": (1.0, 38.0), "p": 0.01, "p_holm": 0.0204}
MAIN = Effect("task", "m", ("lora_rank",), ("LoRA Rank",), means=LEVEL_MEANS)
BOTH = Effect("task", "m", ("lora_rank", "lr"), ("LoRA Rank", "Learning Rate"))
MEANS = "mean 25.0 % at 4, 50.0 % at 16"
SAMPLES = "tested over samples: generalizes to new test samples, not to retraining."
SEEDS = "tested against the variation between seeds: generalizes to retraining, not to new test samples."


def results_with(**changes: Any) -> MeasureResults:
    return replace(analyze_measure(table_of({"a": [1.0, 0.0]}), ()), **changes)


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


def test_an_interaction_that_was_not_tested_is_not_stated() -> None:
    assert list(state_effects(results_with(effects=(replace(BOTH, note="too few samples"),)))) == []


def test_a_long_level_is_cut() -> None:
    effect = replace(MAIN, means=(GroupMean(("x" * 60,), 1, 0.5),), note="n")
    (finding,) = state_effects(results_with(effects=(effect,)))
    assert f"50.0 % at {'x' * 39}…;" in finding.text


def setting(name: str, mean: float, difference: float | None, *, significant: bool | None) -> Replicates:
    interval = Interval(mean - 0.1, mean + 0.1, "Student t")
    p = None if difference is None else 0.04
    return Replicates(
        "task",
        "m",
        name,
        ("a", "b", "c"),
        mean,
        0.05,
        interval,
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
        "Rank 4: mean 50.0 % (3 seeds, 95 % interval 40.0 to 60.0 %) on task (m), standard deviation between seeds 5.0 "
        "points; difference from the base model +10.0 points, p = 0.040. This difference could be chance."
    )
    assert second.text.endswith("+30.0 points, p = 0.040.")


def test_many_settings_are_summarized() -> None:
    groups = tuple(setting(f"Rank {rank}", rank / 10, None, significant=None) for rank in range(1, 6))
    (finding,) = state_seeds(results_with(replicates=groups))
    assert finding.text == (
        "Scores on task (m) vary between seeds: the standard deviations of 5 settings are 5.0 points to 5.0 points. "
        "Rank 5 has the best mean, 50.0 % (3 seeds, 95 % interval 40.0 to 60.0 %); next is Rank 4, 40.0 % (3 seeds, "
        "95 % interval 30.0 to 50.0 %)."
    )


def test_without_seeds_there_is_nothing_to_state() -> None:
    rank = FactorUse("lora_rank", "LoRA Rank", ("4", "16"))
    runs = [run_of("a", {"lora_rank": "4"}), run_of("b", {"lora_rank": "16"})]
    results = analyze_measure(table_of({"a": [1.0, 0.0], "b": [0.0, 0.0]}, runs), (rank,))
    assert list(state_seeds(results)) == []
