"""Scores of evaluations, the final score of a run, and the best run."""

from __future__ import annotations

import pytest

from support.tables import run_of, table_of
from tunebook.analysis.records import EvaluationKey, Measure
from tunebook.analysis.statistics.scores import compute_score, sample_values
from tunebook.core.measures import Direction
from tunebook.tools.results import LoggedMetric, Samples

KEY = EvaluationKey("run", "task", 0)


def samples_of(ids: tuple[str, ...], values: tuple[float | None, ...]) -> Samples:
    texts = ("",) * len(ids)
    return Samples(ids, (1,) * len(ids), texts, texts, texts, texts, {"m": values})


def test_a_sample_counts_once_by_the_mean_of_its_repetitions() -> None:
    samples = samples_of(("a", "a", "b", "b", "c"), (1.0, 0.0, 1.0, None, None))
    assert sample_values(samples, "m") == {"a": 0.5, "b": 1.0}
    score = compute_score(KEY, "m", samples, [LoggedMetric("accuracy", 0.7, is_mean=True)])
    assert (score.value, score.n, score.answers, score.is_binary) == (0.75, 2, 3, False)
    assert (score.logged, score.logged_metric) == (0.7, "accuracy")


@pytest.mark.parametrize(
    ("values", "method"), [((1.0, 0.0, 1.0), "Wilson"), ((1.0, 0.5, 1.0), "bootstrap"), ((None, None, None), None)]
)
def test_the_interval_depends_on_the_kind_of_score(values: tuple[float | None, ...], method: str | None) -> None:
    score = compute_score(KEY, "m", samples_of(("a", "b", "c"), values))
    assert (score.interval.method if score.interval else None) == method


def test_the_final_score_is_that_of_the_last_evaluated_epoch_with_a_score() -> None:
    table = table_of({"b": {1: [0.0, 0.0], 0: [1.0, 1.0], 2: [None, None]}, "a": {0: [1.0, 0.0]}})
    assert [(run, score.evaluation.epoch) for run, score in table.finals.items()] == [("b", 1), ("a", 0)]
    assert table.values(table.finals["b"].evaluation) == {"0": 0.0, "1": 0.0}


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ({"a": [1.0, 0.0], "b": [1.0, 1.0], "base": [1.0, 1.0]}, "b"),
        ({"a": [1.0, 0.0], "b": [0.0, 1.0]}, "a"),  # the first in the plan among equals
        ({"a": [0.0, 0.0], "base": [1.0, 1.0]}, "a"),
        ({"a": [None, None], "base": [1.0, 1.0]}, None),
    ],
)
def test_the_best_run_is_not_a_base_model(values: dict[str, list[float | None]], best: str | None) -> None:
    found = table_of(values, [run_of(name) for name in values]).best
    assert (found.evaluation.run if found else None) == best


def test_the_best_run_has_the_lowest_error() -> None:
    values = {"a": [2.0, 4.0], "b": [1.0, 2.0], "c": [9.0, 9.0]}
    best = table_of(values, measure=Measure("mae", Direction.LOWER)).best
    assert best is not None
    assert best.evaluation.run == "b"
    highest = table_of(values, measure=Measure("points", Direction.HIGHER)).best
    assert highest is not None
    assert highest.evaluation.run == "c"


def test_without_a_direction_no_run_is_the_best() -> None:
    assert table_of({"a": [2.0, 4.0], "b": [1.0, 2.0]}, measure=Measure("length")).best is None
