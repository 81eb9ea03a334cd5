"""Runs are compared on the samples that both have, and never on samples of different data."""

from __future__ import annotations

import pytest

from support.tables import run_of, table_of
from tunebook.analysis.records import EvaluationKey, Family
from tunebook.analysis.statistics.pairwise import common_samples, compare_epochs, compare_runs, pair_samples
from tunebook.analysis.statistics.scores import ScoreTable

A, B, C = (EvaluationKey(name, "task", 0) for name in "abc")


def with_other_targets(count: int, n: int = 10) -> ScoreTable:
    """Two runs with the same ids; the first samples of ``b`` have targets of their own."""
    names = [f"target {index}" for index in range(n)]
    others = [f"another {index}" for index in range(count)]
    values = {"a": [1.0] * n, "b": [0.0] * n}
    return table_of(values, targets={"a": names, "b": [*others, *names[count:]]})


@pytest.mark.parametrize(("other_targets", "paired"), [(0, 10), (1, 9), (2, 8), (3, 0), (10, 0)])
def test_ids_with_other_targets_are_not_paired(other_targets: int, paired: int) -> None:
    """Up to a fifth of the ids, their samples are left out; beyond it the data sets differ, and no id counts."""
    table = with_other_targets(other_targets)
    pairs = pair_samples(table, A, B)
    assert (len(pairs.ids), pairs.unpaired) == (paired, 10 - paired)
    assert pairs.ids == tuple(map(str, range(10 - paired, 10)))
    assert (set(pairs.ours), set(pairs.theirs)) == (({1.0}, {0.0}) if paired else (set(), set()))
    assert common_samples(table, [A, B]) == pairs.ids
    assert [item.n for item in compare_runs(table)] == ([paired] if paired else [])


def test_values_are_paired_by_id_whatever_their_order() -> None:
    table = table_of({"a": [1.0, 0.0, 0.5], "b": [0.25, 1.0]}, ids={"a": ("x", "y", "z"), "b": ("y", "x")})
    pairs = pair_samples(table, A, B)
    assert (pairs.ids, pairs.ours, pairs.theirs, pairs.unpaired) == (("x", "y"), (1.0, 0.0), (1.0, 0.25), 1)


def test_common_samples_are_those_of_all() -> None:
    ids = {"a": ("x", "y", "z"), "b": ("y", "x"), "c": ("z", "y")}
    table = table_of({run: [1.0] * len(own) for run, own in ids.items()}, ids=ids)
    assert common_samples(table, [A, B, C]) == ("y",)
    assert common_samples(table, []) == ()


def test_each_family_is_corrected_by_itself() -> None:
    """Against the base model: final epochs, and intermediate ones; against the best: the final epochs of the others."""
    low, high = [0.0] * 9 + [1.0] * 3, [0.0] * 3 + [1.0] * 9
    runs = [run_of("a", base="base"), run_of("b", base="base"), run_of("base")]
    table = table_of({"a": {0: low, 1: high}, "b": {0: low}, "base": {-1: [0.0] * 12}}, runs)
    found = compare_runs(table)
    assert [(item.against, item.run, item.epoch, item.other, item.family) for item in found] == [
        ("base", "a", 1, "base", Family("final epoch against the base model", 2, "Holm")),
        ("base", "b", 0, "base", Family("final epoch against the base model", 2, "Holm")),
        ("base", "a", 0, "base", Family("intermediate epochs against the base model")),
        ("best", "b", 0, "a", Family("against the best setting")),
    ]
    final, _, _, best = found
    assert final.p_holm == pytest.approx(2 * final.p)
    assert (final.gained, final.lost, final.difference, final.significant) == (9, 0, 0.75, True)
    assert (best.p_holm, best.difference) == (best.p, -0.5)


def test_epochs_are_compared_over_all_runs_that_have_several() -> None:
    table = table_of({"a": {0: [0.0, 0.0], 2: [1.0, 1.0]}, "b": {0: [0.0, 1.0], 1: [1.0, 1.0]}, "c": {0: [0.0, 0.0]}})
    change = compare_epochs(table)
    assert change is not None
    assert (change.epochs, change.runs, change.n, change.before, change.after) == (None, 2, 2, 0.25, 1.0)
    assert change.test.difference == 0.75
