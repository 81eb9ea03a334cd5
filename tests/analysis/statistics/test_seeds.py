"""Settings over their seeds against their base model."""

from __future__ import annotations

import pytest

from support.tables import run_of, table_of
from tunebook.analysis.records import FactorUse
from tunebook.analysis.statistics.seeds import summarize_seeds

RANK = FactorUse("lora_rank", "LoRA Rank", ("4", "16"))
SEED = FactorUse("seed", "Seed", ("1", "2"), is_seed=True)


def test_only_samples_of_all_seeds_and_of_the_base_model_are_compared() -> None:
    ids = {"a": ("w", "x", "y"), "b": ("x", "y", "z"), "base": ("x", "y", "z", "w")}
    values = {"a": [1.0, 1.0, 1.0], "b": [1.0, 0.0, 0.0], "base": [0.0, 0.0, 0.0, 0.0]}
    runs = [run_of("a", {"seed": "1"}, "base"), run_of("b", {"seed": "2"}, "base"), run_of("base")]
    (group,) = summarize_seeds(table_of(values, runs, ids=ids), (SEED,))
    assert (group.setting, group.runs) == ("identical settings", ("a", "b"))
    assert group.difference == pytest.approx((1.0 + 0.5) / 2)  # x: right twice, y: right once
    assert (group.p, group.p_holm) == (0.5, 0.5)


def test_a_setting_with_one_run_or_without_a_base_model_is_not_tested() -> None:
    runs = [run_of(f"r{rank}s{seed}", {"lora_rank": rank, "seed": seed}) for rank, seed in ("41", "42", "81")]
    table = table_of({run.name: [1.0, 0.0] for run in runs}, runs)
    (group,) = summarize_seeds(table, (RANK, SEED))
    assert (group.setting, group.mean, group.sd) == ("LoRA Rank 4", 0.5, 0.0)
    assert (group.difference, group.p, group.significant) == (None, None, None)
