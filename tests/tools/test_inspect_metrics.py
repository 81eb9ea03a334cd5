"""All metrics of a real log of inspect-ai are read, and a mean that counts what is no value is explained."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from support.evaluation_jobs import evaluate_mock
from tunebook.analysis.collect.letters import without_letters
from tunebook.analysis.records import EvaluationKey, Score
from tunebook.analysis.statistics.scores import compute_score
from tunebook.tools.inspect.results import InspectResults
from tunebook.tools.results import LogHeader, Samples

KEY = EvaluationKey("run", "task", 0)
ERRORS = (3.0, "I", 4.0, math.nan)  # of four samples: the second one has no number, the fourth one is unscored


def scorers() -> list[Any]:
    """A scorer of numbers with a metric of its own, and one whose metrics are by group."""
    from inspect_ai.scorer import Score as Logged
    from inspect_ai.scorer import accuracy, grouped, mean, metric, scorer, std, stderr

    @metric
    def rmse() -> Any:
        def compute(scores: list[Any]) -> float:
            numbers = [score.score.as_float() for score in scores]
            return math.sqrt(sum(number**2 for number in numbers) / len(numbers))

        return compute

    @scorer(metrics=[mean(), std(), stderr()])
    def error() -> Any:
        async def score(state: Any, _: Any) -> Logged:
            return Logged(value=ERRORS[state.sample_id - 1])

        return score

    @scorer(metrics=[rmse(), mean()])
    def distance() -> Any:
        async def score(state: Any, _: Any) -> Logged:
            return Logged(value=float(state.sample_id))

        return score

    @scorer(metrics=[accuracy(), grouped(accuracy(), "region")])
    def grade() -> Any:
        async def score(state: Any, _: Any) -> Logged:
            return Logged(value="C" if state.sample_id < 4 else "N")

        return score

    return [error(), distance(), grade()]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[LogHeader, Samples]:
    from inspect_ai.dataset import Sample
    from inspect_ai.model import GenerateConfig

    samples = []
    for number in range(1, 5):
        region = "north" if number % 2 else "south"
        samples.append(Sample(id=number, input="x", target="y", metadata={"region": region}))
    folder = tmp_path_factory.mktemp("logs")
    config = GenerateConfig(max_tokens=1)
    (path,) = evaluate_mock(folder, scorer=scorers(), samples=samples, config=config).glob("*.eval")
    results = InspectResults()
    return results.read_headers([path]).readings[path], results.read_samples([path]).readings[path]


def score_of(log: tuple[LogHeader, Samples], measure: str) -> Score:
    header, samples = log
    return compute_score(KEY, measure, without_letters({KEY: samples})[KEY], header.metrics[measure])


@pytest.mark.filterwarnings("ignore")  # inspect-ai's and pandas' own
def test_letters_and_unscored_samples_among_numbers_are_missing(log: tuple[LogHeader, Samples]) -> None:
    score = score_of(log, "error")
    assert (score.value, score.n, score.missing, score.no_answers) == (3.5, 2, 2, 0)
    assert score.logged == pytest.approx(7 / 3)
    assert score.logged_note == "it counts the letters or texts of 1 answer as numbers"
    assert [metric.name for metric in log[0].metrics["error"]] == ["mean", "std"]


def test_a_metric_that_is_no_mean_is_named_beside_the_mean(log: tuple[LogHeader, Samples]) -> None:
    score = score_of(log, "distance")
    assert (score.value, score.logged_metric) == (2.5, "rmse")
    assert score.logged == pytest.approx(math.sqrt(7.5))
    assert score.logged_note == "it is not a mean over the samples"


def test_metrics_of_groups_are_read_and_not_compared(log: tuple[LogHeader, Samples]) -> None:
    score = score_of(log, "grade")
    assert (score.value, score.logged, score.logged_note, score.no_answers) == (0.75, 0.75, "", 1)
    metrics = {metric.name: (metric.value, metric.is_mean) for metric in log[0].metrics["grade"]}
    assert metrics["accuracy"] == (0.75, True)
    assert metrics["north (grouped)"] == (1.0, False)
    assert metrics["south (grouped)"] == (0.5, False)


def test_an_answer_of_the_only_token_that_was_asked_for_is_not_cut(log: tuple[LogHeader, Samples]) -> None:
    assert log[1].cut == ()


@pytest.mark.filterwarnings("ignore")  # inspect-ai's and pandas' own
def test_an_answer_with_all_its_tokens_may_be_cut(tmp_path: Path) -> None:
    from inspect_ai.model import GenerateConfig
    from inspect_ai.solver import generate

    answers = ["one two three", "one"]
    few = GenerateConfig(max_tokens=3)
    (path,) = evaluate_mock(tmp_path, config=few, answers=answers, solvers=generate()).glob("*.eval")
    assert sorted(InspectResults().read_samples([path]).readings[path].cut) == [False, True]
