"""Reads ``metrics.jsonl``, the log of a training: one JSON object per line.

Keys: ``step`` (optimizer steps done, from 1; required), ``epoch`` (from 0), ``total_steps``, ``loss``, ``lr``,
``tokens_per_second`` (of one GPU), ``peak_memory_gb``, ``time`` (ISO 8601, or seconds). A validation is a line with
``val_loss``. A loss that is not a finite number is ``null`` with ``"diverged": true``. Other keys are ignored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tunebook.artifacts.text_files import read_lines, read_tail
from tunebook.artifacts.times import timestamp_s
from tunebook.core.json_text import finite_number, parse_json

__all__ = [
    "MOST_RECORDS",
    "Metrics",
    "MetricsRecord",
    "metrics_record",
    "parse_metrics",
    "read_last_metrics",
    "read_metrics",
]

_LONGEST_LINE = 1 << 16
MOST_RECORDS = 150_000
"""So many records of one log fit in memory, with everything that is made of them."""


class MetricsRecord(NamedTuple):
    """One line; ``None`` for values that the line does not give. A named tuple, since a sweep has millions of them.

    Attributes:
        is_training: whether the line reports the loss of a training step.
        is_validation: whether the line reports a validation.
        diverged: whether the loss was not a finite number.
        time_s: seconds since a moment that the training chose.
    """

    step: int
    epoch: int | None
    total_steps: int | None
    loss: float | None
    val_loss: float | None
    learning_rate: float | None
    tokens_per_second: float | None
    peak_memory_gb: float | None
    time_s: float | None
    is_training: bool
    is_validation: bool
    diverged: bool


@dataclass(frozen=True)
class Metrics:
    """The records of a log in the order of its lines; ``unreadable`` counts the lines that are none, or too many."""

    records: tuple[MetricsRecord, ...] = ()
    unreadable: int = 0


def read_metrics(path: Path, *, most: int = MOST_RECORDS) -> Metrics:
    """Reads the whole log line by line; a log that is missing or cannot be read is empty.

    Args:
        most: lines after so many records are not read and count as unreadable.
    """
    try:
        return parse_metrics(read_lines(path, longest=_LONGEST_LINE), most=most)
    except OSError:
        return Metrics()


def read_last_metrics(path: Path, *, size: int) -> Metrics:
    """Reads the last ``size`` bytes of the log, which may be long and may still be written.

    Raises:
        OSError: the log cannot be read.
    """
    return parse_metrics(read_tail(path, size).split("\n"))


def parse_metrics(lines: Iterable[str], *, most: int = MOST_RECORDS) -> Metrics:
    """Reads the lines of a log; a torn last line counts as unreadable, and so do those behind ``most`` records."""
    records: list[MetricsRecord] = []
    unreadable = 0
    for line in lines:
        if not line.strip():
            continue
        record = _parse_line(line) if len(records) < most else None
        if record is None:
            unreadable += 1
        else:
            records.append(record)
    return Metrics(tuple(records), unreadable)


def _parse_line(line: str) -> MetricsRecord | None:
    try:
        document = parse_json(line)
    except ValueError:
        return None
    return metrics_record(document) if isinstance(document, dict) else None


def metrics_record(values: Mapping[str, Any]) -> MetricsRecord | None:
    """Makes a record from one line's values; ``None`` if they name no step."""
    step = _integer(values.get("step"))
    if step is None:
        return None
    loss = values.get("loss")
    diverged = bool(values.get("diverged")) or (isinstance(loss, float) and not math.isfinite(loss))
    is_validation = "val_loss" in values
    return MetricsRecord(
        step=step,
        epoch=_integer(values.get("epoch")),
        total_steps=_integer(values.get("total_steps")),
        loss=finite_number(loss),
        val_loss=finite_number(values.get("val_loss")),
        learning_rate=finite_number(values.get("lr")),
        tokens_per_second=finite_number(values.get("tokens_per_second")),
        peak_memory_gb=finite_number(values.get("peak_memory_gb")),
        time_s=timestamp_s(values.get("time")),
        is_training=not is_validation and ("loss" in values or diverged),
        is_validation=is_validation,
        diverged=diverged,
    )


def _integer(value: Any) -> int | None:
    number = finite_number(value)
    return int(number) if number is not None and number.is_integer() else None
