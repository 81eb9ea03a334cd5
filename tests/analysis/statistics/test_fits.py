"""The Wald test over samples keeps its level, and is Hotelling's."""

from __future__ import annotations

import numpy as np
import pytest

from support.tables import run_of
from tunebook.analysis.records import FactorUse
from tunebook.analysis.statistics.fits import SampleFit
from tunebook.analysis.statistics.linear_model import LinearModel, build_model


def test_no_effect_is_found_about_as_often_as_the_level_says() -> None:
    """Under no effect, p is below 0.05 in about 5 % of all data sets."""
    rng = np.random.default_rng(8)
    columns = np.column_stack([np.ones(4), [1, 1, -1, -1], [1, -1, 1, -1]])
    found = 0
    for _ in range(400):
        matrix = (rng.random((4, 60)) < rng.random(60)).astype(float)
        wald = SampleFit(matrix, LinearModel(columns)).test(np.eye(3)[1:2])
        assert wald is not None
        found += wald.p < 0.05
    assert 6 <= found <= 36


def test_many_levels_and_few_samples_are_hotellings_test() -> None:
    """The p-value is T²'s but for statsmodels' (N - 1)/(N - K), and no effect is found in about 5 % of all cases."""
    from scipy.stats import f as f_distribution

    rng = np.random.default_rng(2)
    columns = np.column_stack([np.ones(8), np.vstack([np.eye(7), -np.ones(7)])])
    found = 0
    for _ in range(400):
        matrix = (rng.random((8, 20)) < 0.3 + 0.4 * rng.random(20)).astype(float)
        wald = SampleFit(matrix, LinearModel(columns)).test(np.eye(8)[1:])
        assert wald is not None
        contrasts = (matrix[:-1] - matrix[-1]).T
        squared = 20 * contrasts.mean(axis=0) @ np.linalg.solve(np.cov(contrasts.T), contrasts.mean(axis=0))
        f = squared * 13 / (7 * 19) / (159 / 152)
        assert (wald.statistic, wald.p) == pytest.approx((f, f_distribution.sf(f, 7, 13)))
        found += wald.p < 0.05
    assert found <= 32


def test_runs_at_chance_have_an_effect_in_about_five_percent_of_all_families() -> None:
    """Two factors and their interaction over samples, corrected together: three tests, one of them a paired test."""
    runs = [run_of("", {"lr": rate, "lora_rank": rank}) for rate in ("1", "2") for rank in ("4", "16", "64")]
    factors = (FactorUse("lr", "Rate", ("1", "2")), FactorUse("lora_rank", "Rank", ("4", "16", "64")))
    model = build_model(runs, factors)
    assert model is not None
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(300):
        fit = SampleFit((rng.random((6, 50)) < 0.5).astype(float), model)
        tests = [fit.test(model.restriction(("lr", "lora_rank")))]
        for key, levels in model.codes.items():
            tests.append(fit.test_equal([model.row({key: level}) for level in levels]))
        found += min(test.p for test in tests if test is not None) * len(tests) < 0.05
    assert 3 <= found <= 28
