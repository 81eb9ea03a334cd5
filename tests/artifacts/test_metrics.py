"""The one reader of metrics.jsonl: its curve, its tail, and what it does with torn lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tunebook.artifacts.curve import TrainingCurve, curve_of, read_metrics_curve
from tunebook.artifacts.metrics import Metrics, parse_metrics, read_last_metrics, read_metrics
from tunebook.artifacts.progress import read_last_loss


def parsed(text: str) -> Metrics:
    return parse_metrics(text.split("\n"))


def curve(text: str) -> TrainingCurve:
    return curve_of(parsed(text), source="metrics.jsonl")


def lines(*records: Mapping[str, object]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_a_curve_has_training_and_validation_apart() -> None:
    found = curve(
        lines(
            {"step": 1, "epoch": 0, "total_steps": 2, "loss": 2.0, "lr": 0.1, "time": "2026-01-01T00:00:00+00:00"},
            {"step": 1, "val_loss": 1.9, "time": "2026-01-01T00:00:03+00:00"},
            {"step": 2, "epoch": 0, "total_steps": 2, "loss": 1.0, "lr": 0.2, "time": "2026-01-01T00:00:05.5+00:00"},
        )
    )
    own = found.curve
    assert (own.steps, own.losses, own.learning_rates) == ((1, 2), (2.0, 1.0), (0.1, 0.2))
    assert (own.validation_steps, own.validation_losses) == ((1,), (1.9,))
    assert (own.seconds, found.total_steps) == ((0.0, 5.5), 2)


def test_values_of_a_later_attempt_replace_those_of_an_earlier_one() -> None:
    records: list[dict[str, object]] = [{"step": step, "loss": 9.0} for step in (1, 2, 3, 4)]
    records += [{"step": 3, "loss": 1.0}, {"step": 4, "loss": 0.5}]
    found = curve(lines(*records))
    assert found.curve.losses == (9.0, 9.0, 1.0, 0.5)


def test_torn_lines_are_counted_and_losses_that_are_not_finite_are_missing() -> None:
    text = lines({"step": 1, "loss": None, "diverged": True}, {"step": 2, "loss": 1.0}) + '{"step": 3, "lo'
    found = curve(text)
    assert (found.curve.losses, found.diverged, found.unreadable) == ((None, 1.0), 1, 1)
    assert curve("").curve.steps == ()
    assert curve("[]\nnull\n1\n").unreadable == 3


def test_a_log_without_steps_is_no_source(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert read_metrics_curve(path).source == ""
    path.write_text(lines({"step": 1, "val_loss": 1.0}) + "torn")
    found = read_metrics_curve(path)
    assert (found.source, found.curve.steps, found.unreadable) == ("", (), 1)
    path.write_text(lines({"step": 1, "loss": 1.0}))
    assert read_metrics_curve(path).source == "metrics.jsonl"


def test_only_whole_numbers_are_steps_and_truth_values_are_not_numbers() -> None:
    assert parsed(lines({"step": 1.5, "loss": 1}, {"step": True, "loss": 1}, {"loss": 1})).unreadable == 3
    (record,) = parsed(lines({"step": 2.0, "loss": True, "epoch": 0.5, "time": 12})).records
    assert (record.step, record.loss, record.epoch, record.time_s) == (2, None, None, 12.0)


def test_a_loss_that_json_writes_as_nan_counts_as_diverged() -> None:
    (record,) = parsed('{"step": 1, "loss": NaN}').records
    assert (record.loss, record.diverged, record.is_training) == (None, True, True)


def test_the_tail_of_a_long_log_starts_with_a_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(lines(*({"step": step, "loss": 1.0} for step in range(1, 1001))))
    found = read_last_metrics(path, size=200)
    assert found.unreadable == 0
    assert found.records[-1].step == 1000
    assert 1 < len(found.records) < 10


def test_of_a_log_without_end_only_so_much_is_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(lines(*({"step": step, "loss": 1.0} for step in range(1, 8))) + "x" * 200_000 + "\n")
    found = read_metrics(path, most=5)
    assert [record.step for record in found.records] == [1, 2, 3, 4, 5]
    assert found.unreadable == 3


@pytest.mark.parametrize(
    ("lines", "loss"),
    [
        (['{"step": 1, "loss": 2.0}', '{"step": 2, "loss": 1.5}'], 1.5),
        (['{"step": 1, "loss": 2.0}', '{"step": 1, "val_loss": 1.9}', '{"step": 2, "lo'], 2.0),
        (['{"step": 1, "loss": 2.0}', *['{"step": 1, "val_loss": 1.9}'] * 100], 2.0),
        (['{"step": 1, "val_loss": 1.9}'], None),
        ([], None),
    ],
)
def test_the_last_loss_is_found_from_the_end_of_the_log(tmp_path: Path, lines: list[str], loss: float | None) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join(lines))
    assert read_last_loss(str(path)) == loss
    assert read_last_loss(str(path), since=datetime.now(UTC) + timedelta(hours=1)) is None
