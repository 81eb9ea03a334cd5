"""Repetitions of a sample are reduced as inspect-ai reduced them: each measure's mean is the log's own metric."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.evaluation_jobs import evaluate_mock
from tunebook.analysis.records import EvaluationKey, Score
from tunebook.analysis.statistics.scores import compute_score
from tunebook.tools.inspect.results import InspectResults
from tunebook.tools.results import LogHeader, Samples

pytestmark = pytest.mark.filterwarnings("ignore")  # inspect-ai's and pandas' own
TRIES = {1: ("C", "I", "C", "C"), 2: ("I", "I", "P", "N")}
NUMBERS = {1: (0.5, 3.0, 1.5, 0.5), 2: (0.25, 0.0, 1.0, 0.0)}


def graded() -> Any:
    from inspect_ai.scorer import Score as Logged
    from inspect_ai.scorer import accuracy, scorer, stderr

    @scorer(metrics=[accuracy(), stderr()])
    def grade() -> Any:
        async def score(state: Any, _: Any) -> Logged:
            return Logged(value=TRIES[state.sample_id][state.epoch - 1], answer=f"answer {state.epoch}")

        return score

    return grade()


def measured() -> Any:
    from inspect_ai.scorer import Score as Logged
    from inspect_ai.scorer import mean, scorer

    @scorer(metrics={"*": [mean()]})
    def size() -> Any:
        async def score(state: Any, _: Any) -> Logged:
            number = NUMBERS[state.sample_id][state.epoch - 1]
            return Logged(value={"length": number, "long": number > 1})

        return score

    return size()


def read(folder: Path, reducer: Any) -> tuple[LogHeader, Samples]:
    from inspect_ai import Epochs

    (log,) = evaluate_mock(folder, scorer=[graded(), measured()], epochs=Epochs(4, reducer)).glob("*.eval")
    results = InspectResults()
    return results.read_headers([log]).readings[log], results.read_samples([log]).readings[log]


def scores_of(header: LogHeader, samples: Samples) -> dict[str, Score]:
    key = EvaluationKey("run", "task")
    scores = {}
    for measure in samples.values:
        scores[measure] = compute_score(key, measure, samples, header.metrics.get(measure, ()))
    return scores


@pytest.mark.parametrize("reducer", ["mean", "max", "mode", "median", "at_least_2", "pass_at_2"])
def test_a_measure_is_the_metric_of_the_logs_reducer(tmp_path: Path, reducer: str) -> None:
    header, samples = read(tmp_path, reducer)
    assert header.reducer == reducer
    scores = scores_of(header, samples)
    assert scores.keys() == {"grade", "size/length", "size/long"}
    for score in scores.values():
        assert (score.n, score.logged_note) == (2, "")
        assert score.logged == pytest.approx(score.value)
    assert samples.answers[0] == "answer 1"
    repeats = (1, 2, 3, 4) if reducer == "mean" else (1,)
    assert samples.repeats == repeats * 2


def test_further_reducers_are_measures_of_their_own(tmp_path: Path) -> None:
    reducers = ["pass_at_2", "mean", "max"]
    header, samples = read(tmp_path, reducers)
    assert header.reducer == "pass_at_2"
    scores = scores_of(header, samples)
    assert list(scores)[:3] == ["grade", "size/length", "size/long"]
    assert scores.keys() == header.metrics.keys()
    for measure, score in scores.items():
        assert score.logged == pytest.approx(score.value), measure
        assert score.logged_note == ""
    assert scores["grade/mean"].value == pytest.approx((0.75 + 0.125) / 2)
    assert samples.values["size/length/max"] == (3.0, 1.0)
