"""Reads how far a training is from the tail of its ``metrics.jsonl``."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tunebook.artifacts.metrics import MetricsRecord, parse_metrics, read_last_metrics
from tunebook.artifacts.text_files import read_tail

__all__ = ["Progress", "read_last_loss", "read_progress"]

_TAIL_BYTES = 1 << 16
_LAST_BYTES = 1 << 9  # a few lines: nearly always one of them has the loss


@dataclass(frozen=True)
class Progress:
    """The latest values that a training logged; ``None`` for values that it does not log.

    Attributes:
        step: optimizer steps done.
        epoch: zero-based.
        seconds_left: at the pace of the steps in the file's tail.
    """

    step: int
    total_steps: int | None = None
    epoch: int | None = None
    loss: float | None = None
    val_loss: float | None = None
    tokens_per_second: float | None = None
    seconds_left: float | None = None


def read_progress(path: Path, *, since: datetime | None = None) -> Progress | None:
    """Reads the end of the file only; ``None`` if it logs no step, or was not written after ``since``."""
    try:
        if since is not None and path.stat().st_mtime < math.floor(since.timestamp()):
            return None
        records = read_last_metrics(path, size=_TAIL_BYTES).records
    except OSError:
        return None
    val_loss = None
    for record in records:
        if record.val_loss is not None:
            val_loss = record.val_loss
    with_loss = [record for record in records if record.loss is not None]
    steps = _latest_attempt(with_loss or records)
    if not steps:
        return None
    last = steps[-1]
    return Progress(
        step=last.step,
        total_steps=last.total_steps,
        epoch=last.epoch,
        loss=last.loss,
        val_loss=val_loss,
        tokens_per_second=last.tokens_per_second,
        seconds_left=_seconds_left(steps[0], last),
    )


def read_last_loss(path: str, *, since: datetime | None = None) -> float | None:
    """Reads the last loss of a training that has ended, as :func:`read_progress` does but from a few lines."""
    try:
        status = os.stat(path)  # noqa: PTH116  a sweep has thousands
        if since is not None and status.st_mtime < math.floor(since.timestamp()):
            return None
        for size in (_LAST_BYTES, _TAIL_BYTES):
            for line in reversed(read_tail(path, size).split("\n")):
                for record in parse_metrics([line]).records:
                    if record.loss is not None:
                        return record.loss
            if size >= status.st_size:
                break
    except OSError:
        return None
    return None


def _latest_attempt(records: Sequence[MetricsRecord]) -> Sequence[MetricsRecord]:
    """The records after the last place where the steps start again."""
    start = 0
    for index in range(1, len(records)):
        if records[index].step < records[index - 1].step:
            start = index
    return records[start:]


def _seconds_left(first: MetricsRecord, last: MetricsRecord) -> float | None:
    steps = last.step - first.step
    if last.total_steps is None or first.time_s is None or last.time_s is None:
        return None
    if steps <= 0 or last.time_s < first.time_s:
        return None
    seconds_per_step = (last.time_s - first.time_s) / steps
    return max(0.0, (last.total_steps - last.step) * seconds_per_step)
