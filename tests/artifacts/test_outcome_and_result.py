"""Outcome files, result files and times of jobs, readable or torn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunebook.artifacts.checkpoints import missing_checkpoints
from tunebook.artifacts.outcome import read_outcome
from tunebook.artifacts.output import error_lines, last_lines
from tunebook.artifacts.result import read_result
from tunebook.artifacts.times import elapsed_s, timestamp_s

OUTCOME = {"exit_code": 0, "started": "2026-01-02T10:00:00Z", "ended": "2026-01-02T10:01:00Z", "host": "node1"}
RESULT = {"log": "/logs/a.eval", "status": "success", "samples": 4, "completed": 4}


@pytest.mark.parametrize(
    ("started", "ended", "seconds"),
    [
        ("2026-01-02T10:04:00Z", "2026-01-02T10:05:00Z", 60),
        ("2026-01-02T11:04:00+01:00", "2026-01-02T10:05:00Z", 60),
        ("2026-01-02T10:06:00Z", "2026-01-02T10:05:00Z", None),  # a clock went backwards
        ("", "2026-01-02T10:05:00Z", None),
        ("2026-01-02T10:04:00Z", "soon", None),
    ],
)
def test_elapsed_time_is_known_only_between_two_times_in_order(started: str, ended: str, seconds: float | None) -> None:
    assert elapsed_s(started, ended) == seconds


def test_numbers_are_times_and_truth_values_are_not() -> None:
    assert (timestamp_s(3), timestamp_s(True), timestamp_s(float("inf")), timestamp_s(None)) == (3.0, None, None, None)


def test_an_outcome_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "job.outcome.json"
    assert read_outcome(path) is None
    path.write_text(json.dumps(OUTCOME))
    outcome = read_outcome(path)
    assert outcome is not None
    assert (outcome.exit_code, outcome.host, outcome.tag, outcome.elapsed_s) == (0, "node1", "", 60)
    for torn in ('{"exit_code": 0', "[]", '{"exit_code": 0}', "null"):
        path.write_text(torn)
        assert read_outcome(path) is None


def test_the_headline_score_is_the_first_that_is_not_a_spread(tmp_path: Path) -> None:
    path = tmp_path / "job.result.json"
    scores = [
        {"scorer": "exact", "metric": "stderr", "value": 0.1},
        {"scorer": "exact", "metric": "accuracy", "value": 0.75},
    ]
    path.write_text(json.dumps(RESULT | {"scores": scores}))
    result = read_result(path)
    assert result is not None
    assert (result.score, result.metric("stderr"), result.metric("mean")) == (0.75, 0.1, None)
    assert result.log == "/logs/a.eval"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"samples": 4}', '{"status": "success", "scores": [1]}'])
def test_a_result_that_cannot_be_read_is_missing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "job.result.json"
    assert read_result(path) is None
    path.write_text(text)
    assert read_result(path) is None


def test_counts_that_are_not_numbers_are_unknown(tmp_path: Path) -> None:
    path = tmp_path / "job.result.json"
    path.write_text(json.dumps(RESULT | {"samples": "four", "completed": None, "scores": None}))
    result = read_result(path)
    assert result is not None
    assert (result.samples, result.completed, result.score) == (None, None, None)


def test_checkpoints_that_are_not_directories_are_missing(tmp_path: Path) -> None:
    (tmp_path / "epoch_0").mkdir()
    (tmp_path / "epoch_1").touch()
    paths = [str(tmp_path / f"epoch_{epoch}") for epoch in range(3)]
    assert missing_checkpoints(paths, tmp_path) == tuple(paths[1:])


def test_the_end_of_an_output_has_no_colours_no_bars_and_no_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "job.out"
    path.write_text("one\n\n\x1b[31mValueError: two\x1b[0m\n 10%|# | 1/10\rkept\n 50%|### | 5/10\n", newline="")
    lines = last_lines(str(path))
    assert lines == ["one", "ValueError: two", "kept"]
    assert error_lines(lines) == ("ValueError: two",)
    assert error_lines(["nothing wrong"]) == ("nothing wrong",)
    assert last_lines(str(tmp_path / "missing")) == []
