"""What inspect-ai's logs are of, and scorers' values as numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.eval_logs import write_log
from support.evaluation_jobs import evaluate_mock
from tunebook.core.plan import EvaluationTask
from tunebook.tools.inspect.results import INSPECT_VIEWER, InspectResults
from tunebook.tools.inspect.score_values import as_number
from tunebook.tools.results import LoggedMetric, LogHeader, LogSubject


def header(**more: Any) -> LogHeader:
    values = {"model": "hf/r_epoch0", "task": "t", "task_file": "/x/t.py"} | more
    return LogHeader("success", "2026-01-02T10:00:00+00:00", **values)


def test_a_log_is_known_by_script_function_and_epoch() -> None:
    tasks = [EvaluationTask("easy", "/x/t.py", 1, "t"), EvaluationTask("hard", "/x/other.py", 2)]

    def subject(**more: Any) -> LogSubject:
        return InspectResults().subject_of(header(**more), tasks)

    assert subject() == LogSubject("easy", 0)
    assert subject(model="hf/r_epoch1") == LogSubject("easy", 1)
    assert subject(model="openai/run") == LogSubject("easy", None)
    assert subject(task_file="other.py", task="anything") == LogSubject("hard", 0)
    assert subject(task_file="strange.py", task="anything") == LogSubject(None, 0)


def test_logs_have_addresses_whatever_their_names() -> None:
    assert INSPECT_VIEWER.address("a.eval", sample="4/2 #").endswith("/#/logs/a.eval/samples/sample/4%2F2%20%23/1/")
    address = INSPECT_VIEWER.address("rank4/eval/logs/a b{log}.eval")
    assert address == "http://127.0.0.1:7575/#/logs/rank4/eval/logs/a%20b%7Blog%7D.eval"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("C", 1),
        ("I", 0),
        ("P", 0.5),
        ("N", 0),
        (True, 1),
        (0, 0),
        ("0.75", 0.75),
        ("yes", 1),
        ("No", 0),
        ("TRUE", 1),
        ("false", 0),
        ("c", None),
        ("maybe", None),
        (None, None),
    ],
)
def test_scorers_values_are_numbers_or_nothing(value: object, expected: float | None) -> None:
    from inspect_ai.scorer import value_to_float

    assert as_number(value) == expected
    if expected is not None:
        assert value_to_float()(value) == expected  # type: ignore[arg-type]
    assert as_number(float("nan")) is None
    assert as_number([1]) is None


def test_the_only_task_that_fits_a_log_is_its_task_wherever_its_data_set_was() -> None:
    moved = header(dataset="/old/words.json")
    one = EvaluationTask("t", "/x/t.py", 1, "t", dataset="/new/other_words.json")
    assert InspectResults().subject_of(moved, [one]).task == "t"


def test_of_two_tasks_with_one_script_the_data_set_decides() -> None:
    easy = EvaluationTask("easy", "/x/t.py", 1, "t", dataset="/data/easy.json")
    hard = EvaluationTask("hard", "/x/t.py", 2, "t", dataset="/data/hard.json")
    assert InspectResults().subject_of(header(dataset="/moved/hard.json"), [easy, hard]).task == "hard"
    assert InspectResults().subject_of(header(), [easy, hard]).task is None


@pytest.mark.filterwarnings("ignore")  # inspect-ai's and pandas' own
def test_header_and_samples_of_inspects_own_log_are_read(tmp_path: Path) -> None:
    log = write_log(
        tmp_path / "a.eval", model="hf/r_epoch0", values=["C", "I"], commit="abc", arguments={"dataset_path": "/d.json"}
    )
    torn = tmp_path / "torn.eval"
    torn.write_bytes(log.read_bytes()[:200])
    results = InspectResults()
    headers = results.read_headers([log, torn])
    samples = results.read_samples([log])
    assert headers.unreadable.keys() == {torn}
    found = headers.readings[log]
    assert (found.status, found.model, found.task, found.task_file) == (
        "success",
        "hf/r_epoch0",
        "capitalization",
        "cap_task.py",
    )
    assert (found.samples, found.completed, found.commit, found.dataset) == (2, 2, "abc", "/d.json")
    assert found.metrics == {"exactly": (LoggedMetric("accuracy", 0.5, is_mean=True),)}
    assert samples.unreadable == {}
    own = samples.readings[log]
    assert (own.ids, own.values) == (("1", "2"), {"exactly": (1.0, 0.0)})


@pytest.mark.filterwarnings("ignore")  # inspect-ai's and pandas' own
def test_an_answer_that_the_scorer_did_not_log_is_the_models_own_text(tmp_path: Path) -> None:
    """A scorer that finds no answer in a text logs none: that is no empty answer."""
    from inspect_ai.scorer import pattern

    (log,) = evaluate_mock(tmp_path, scorer=pattern(r"answer: (\w+)"), answers=["answer: yes", "who knows"]).glob(
        "*.eval"
    )
    samples = InspectResults().read_samples([log]).readings[log]
    assert set(samples.answers) == {"yes", "who knows"}
