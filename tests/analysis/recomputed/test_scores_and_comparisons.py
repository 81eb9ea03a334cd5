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
            exact = sign_flip_p(first - second)
            assert row.p == pytest.approx(exact, rel=0.2, abs=2e-4)
            assert_limits(row, "difference_", bootstrap_limits(first - second), first - second)


@every_kind
def test_p_values_are_corrected_within_their_families(written: Analyzed, kind: str) -> None:
    table = written(kind)["comparisons"]
    for _, family in table.groupby(["task", "measure", "against"]):
        assert list(family["p_holm"]) == pytest.approx(holm(list(family["p"])), rel=1e-9)
        assert (family["significant"] == (family["p_holm"] < 0.05)).all()
        assert (family["family"] == len(family)).all()
