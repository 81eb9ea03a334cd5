"""Reads how far a training is from the tail of its ``metrics.jsonl``."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tunebook.artifacts.metrics import MetricsRecord, parse_metrics, read_last_metrics
from tunebook.artifacts.text_files import read_lines, read_tail

__all__ = ["Progress", "read_last_loss", "read_progress"]

_TAIL_BYTES = 1 << 16
_LEAST_TIME_OF_DAY = 1e9  # seconds since 1970: a smaller time is of a clock that the training started itself
_LAST_BYTES = 1 << 9  # a few lines: nearly always one of them has the loss


@dataclass(frozen=True)
class Progress:
    """The latest values that a training logged; ``None`` for values that it does not log.

    Attributes:
        step: optimizer steps done.
        epoch: zero-based.
        seconds_left: at the pace of the steps in the file's tail; ``seconds_per_step`` is that pace.
        timed_steps: how many steps the pace was measured over; steps of an earlier attempt do not count.
        elapsed_s: from the start of the submission to the last line.
        is_resumed: whether an earlier submission did the first steps.
    """

    step: int
    total_steps: int | None = None
    epoch: int | None = None
    loss: float | None = None
    val_loss: float | None = None
    tokens_per_second: float | None = None
    seconds_left: float | None = None
    seconds_per_step: float | None = None
    timed_steps: int = 0
    elapsed_s: float | None = None
    is_resumed: bool = False


def read_progress(path: Path, *, since: datetime | None = None) -> Progress | None:
    """Reads the end of the file only; ``None`` if it logs no step, or was not written after ``since``."""
    begun = None if since is None else since.timestamp()
    try:
        written = path.stat().st_mtime
        if begun is not None and written < math.floor(begun):
            return None
        records = read_last_metrics(path, size=_TAIL_BYTES).records
        first = _first_record(path)
    except OSError:
        return None
    val_loss = None
    for record in records:
        if record.val_loss is not None:
            val_loss = record.val_loss
    with_loss = [record for record in records if record.loss is not None]
    logged = with_loss or records
    steps = _latest_attempt(logged, begun)
    if not steps:
        return None
    last = steps[-1]
    is_of_earlier = _is_of_earlier(last, begun)
    seconds_per_step = None if is_of_earlier else _seconds_per_step(steps[0], last)
    seconds_left = None
    if seconds_per_step is not None and last.total_steps is not None:
        seconds_left = max(0.0, (last.total_steps - last.step) * seconds_per_step)
    return Progress(
        step=last.step,
        total_steps=last.total_steps,
        epoch=last.epoch,
        loss=last.loss,
        val_loss=val_loss,
        tokens_per_second=last.tokens_per_second,
        seconds_left=seconds_left,
        seconds_per_step=seconds_per_step,
        timed_steps=0 if is_of_earlier else last.step - steps[0].step,
        elapsed_s=None if begun is None else max(0.0, written - begun),
        is_resumed=is_of_earlier or len(steps) < len(logged) or _is_before(first, last, begun),
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


def _first_record(path: Path) -> MetricsRecord | None:
    """The first line's record."""
    line = next(read_lines(path, longest=_TAIL_BYTES), "")
    records = parse_metrics([line]).records
    return records[0] if records else None


def _latest_attempt(records: Sequence[MetricsRecord], begun: float | None) -> Sequence[MetricsRecord]:
    """The records after the last place where steps or times start again, and not before the submission began."""
    start = 0
    for index in range(1, len(records)):
        before, record = records[index - 1], records[index]
        is_again = record.step < before.step or _is_earlier(record, before)
        if is_again or (_is_before(before, records[-1], begun) and not _is_before(record, records[-1], begun)):
            start = index
    return records[start:]


def _is_of_earlier(last: MetricsRecord, begun: float | None) -> bool:
    """Whether even the newest line is of an earlier submission, as in a training that has just been resumed."""
    if begun is None or last.time_s is None:
        return False
    return _LEAST_TIME_OF_DAY <= last.time_s < math.floor(begun)


def _is_earlier(record: MetricsRecord, before: MetricsRecord) -> bool:
    return record.time_s is not None and before.time_s is not None and record.time_s < before.time_s


def _is_before(record: MetricsRecord | None, last: MetricsRecord, begun: float | None) -> bool:
    """Whether a line was written before the submission began; ``False`` for a log with a clock of its own.

    Args:
        last: the newest record: one that this submission has written tells whether the log has the time of day.
        begun: in seconds since the epoch.
    """
    if begun is None or record is None or record.time_s is None or last.time_s is None:
        return False
    return record.time_s < math.floor(begun) <= last.time_s


def _seconds_per_step(first: MetricsRecord, last: MetricsRecord) -> float | None:
    steps = last.step - first.step
    if first.time_s is None or last.time_s is None or steps <= 0 or last.time_s < first.time_s:
        return None
    return (last.time_s - first.time_s) / steps
