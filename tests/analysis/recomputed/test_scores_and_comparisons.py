"""Scores, intervals, paired differences, tests and families of every kind of experiment, recomputed from samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from support.made_logs import Written
from support.recomputation import (
    Limits,
    bootstrap_limits,
    hall_limits,
    holm,
    is_binary,
    mcnemar_p,
    newcombe_limits,
    sign_flip_p,
    wilson_limits,
)
from support.ten_kinds import KINDS

Analyzed = Callable[[str], Written]
every_kind = pytest.mark.parametrize("kind", KINDS)


def epoch_of(row: Any) -> int:
    return -1 if pd.isna(row.epoch) else int(row.epoch)


def assert_limits(row: Any, prefix: str, expected: Limits, drawn_from: pd.Series | None = None) -> None:
    """Drawn limits differ between two sets of draws by about 1 % of their distance, or by a step between two means."""
    allowed = 1e-9
    if drawn_from is not None:
        distances = np.diff(np.sort(drawn_from.unique()))
        step = distances.min() / len(drawn_from)
        allowed = max(0.03 * (expected.high - expected.low), 1.01 * step)
    found = getattr(row, f"{prefix}low"), getattr(row, f"{prefix}high")
    assert found == pytest.approx(tuple(expected), abs=allowed), row


@every_kind
def test_scores_and_their_intervals_are_those_of_the_samples(written: Analyzed, kind: str) -> None:
    report = written(kind)
    rows = report["evaluations"].dropna(subset="score")
    assert len(rows)
    for row in rows.itertuples():
        values = report.scored.of(row.task, row.measure, row.run, row.epoch)
        assert row.score == pytest.approx(values.mean(), abs=1e-12)
        assert row.n == len(values)
        assert row.stderr == pytest.approx(values.sem(), abs=1e-12)
        if is_binary(values):
            assert_limits(row, "", wilson_limits(values))
        else:
            assert_limits(row, "", bootstrap_limits(values), values)


@every_kind
def test_every_log_has_a_score_and_no_other_evaluation_has(written: Analyzed, kind: str) -> None:
    report = written(kind)
    table = report["evaluations"]
    seen = {(row.run, row.task, epoch_of(row)) for row in table.dropna(subset="score").itertuples()}
    assert seen == set(KINDS[kind]().logs)
    lacking = {(row.run, row.task, epoch_of(row)) for row in table[table["score"].isna()].itertuples()}
    assert not lacking & seen


def pairs(report: Written) -> Iterator[tuple[Any, pd.Series, pd.Series]]:
    """Each comparison with the values of its two evaluations on the samples that both have."""
    for row in report["comparisons"].itertuples():
        of = partial(report.scored.of, row.task, row.measure)
        first, second = of(row.run, row.epoch).align(of(row.other, row.other_epoch), join="inner")
        yield row, first, second


@every_kind
def test_paired_differences_and_their_tests_are_those_of_the_samples(written: Analyzed, kind: str) -> None:
    found = list(pairs(written(kind)))
    assert found
    for row, first, second in found:
        assert row.n == len(first)
        assert (row.value, row.other_value) == pytest.approx((first.mean(), second.mean()), abs=1e-12)
        assert row.difference == pytest.approx(first.mean() - second.mean(), abs=1e-12)
        if is_binary(first, second):
            assert row.test == "McNemar, exact"
            assert row.p == pytest.approx(mcnemar_p(first, second), rel=1e-9)
            assert (row.gained, row.lost) == ((first > second).sum(), (first < second).sum())
            assert_limits(row, "difference_", newcombe_limits(first, second))
        else:
            exact = row.test.endswith("exact")
            assert row.p == pytest.approx(sign_flip_p(first - second), rel=1e-6 if exact else 0.05)
            assert_limits(row, "difference_", bootstrap_limits(first - second), first - second)


@every_kind
def test_p_values_are_corrected_within_their_families(written: Analyzed, kind: str) -> None:
    """Against the best one there are as many tests as pairs, because the best one was chosen by the scores."""
    table = written(kind)["comparisons"]
    last = table.groupby(["task", "measure", "run"])["epoch"].transform("max")
    is_final = table["epoch"] == last
    for (_, _, against, _), family in table.groupby(["task", "measure", "against", is_final]):
        size = len(family)
        if against == "best":
            size = size * (size + 1) // 2
        assert (family["family_size"] == size).all()
        assert list(family["p_holm"]) == pytest.approx(holm(list(family["p"]), size), rel=1e-9)
        assert (family["significant"] == (family["p_holm"] < 0.05)).all()
        assert len(set(family["family"])) == 1


@every_kind
def test_simultaneous_intervals_have_the_level_of_their_family(written: Analyzed, kind: str) -> None:
    for row, first, second in pairs(written(kind)):
        level = 1 - 0.05 / row.family_size
        if row.family_size == 1:
            expected = Limits(row.difference_low, row.difference_high)
        elif is_binary(first, second):
            expected = newcombe_limits(first, second, level)
        else:
            expected = hall_limits(first - second, level)
        found = (row.difference_simultaneous_low, row.difference_simultaneous_high)
        assert found == pytest.approx(tuple(expected), abs=1e-6)


@every_kind
def test_decisions_and_simultaneous_intervals_rarely_disagree(written: Analyzed, kind: str) -> None:
    """An interval that leaves out 0 by Bonferroni's inequality goes with a test that Holm's correction finds."""
    table = written(kind)["comparisons"]
    low, high = table["difference_simultaneous_low"], table["difference_simultaneous_high"]
    leaves_out = (low > 0) | (high < 0)
    assert (leaves_out & ~table["significant"].astype(bool)).sum() <= 0.05 * len(table)
