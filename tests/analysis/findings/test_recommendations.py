"""Recommendations for what to do next."""

from __future__ import annotations

import pytest

from tunebook.analysis.findings.recommendations import estimate_samples, recommend
from tunebook.analysis.records import Gap


def test_gaps_come_first_among_the_recommend() -> None:
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
