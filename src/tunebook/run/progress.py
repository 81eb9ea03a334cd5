"""How far a training is: the tail of its ``metrics.jsonl``, which may be long and may be torn."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

__all__ = ["Progress", "read_progress", "read_tail"]

_TAIL_BYTES = 1 << 16


@dataclass(frozen=True)
class Progress:
    """The latest of what a training says of itself; ``None`` for what it does not say.

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
    """Reads the end of the file only; ``None`` if there is nothing, or nothing newer than ``since``."""
    try:
        if since is not None and path.stat().st_mtime < math.floor(since.timestamp()):
            return None
        text = read_tail(path, _TAIL_BYTES)
    except OSError:
        return None
    records = [record for line in text.split("\n") if (record := _record(line)) is not None]
    steps = _latest_attempt([record for record in records if _number(record, "loss") is not None] or records)
    if not steps:
        return None
    last = steps[-1]
    step, total = round(last["step"]), _number(last, "total_steps")
    epoch, loss, speed = (_number(last, key) for key in ("epoch", "loss", "tokens_per_second"))
    val_losses = [value for record in records if (value := _number(record, "val_loss")) is not None]
    left = None if total is None else _seconds_left(steps, total)
    return Progress(
        step,
        None if total is None else round(total),
        None if epoch is None else int(epoch),
        loss,
        val_losses[-1] if val_losses else None,
        speed,
        left,
    )


def read_tail(path: Path, size: int) -> str:
    """The last ``size`` bytes of a file as text, without the line that they cut in two.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        start = max(0, stream.seek(0, os.SEEK_END) - size)
        stream.seek(start)
        data = stream.read(size)
    if start > 0:
        data = data.partition(b"\n")[2] or data
    return data.decode(errors="replace")


def _record(line: str) -> dict[str, Any] | None:
    """One line with a step; a torn one is none."""
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) and _number(document, "step") is not None else None


def _number(record: dict[str, Any], key: str) -> float | None:
    value = record.get(key)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _latest_attempt(records: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """The records behind the last place where the steps begin anew."""
    start = 0
    for index in range(1, len(records)):
        if records[index]["step"] < records[index - 1]["step"]:
            start = index
    return records[start:]


def _seconds_left(records: Sequence[dict[str, Any]], total: float) -> float | None:
    first, last = records[0], records[-1]
    begun, now = _time(first), _time(last)
    steps = last["step"] - first["step"]
    if begun is None or now is None or steps <= 0 or now < begun:
        return None
    return max(0.0, (total - float(last["step"])) * (now - begun) / float(steps))


def _time(record: dict[str, Any]) -> float | None:
    """Seconds since whatever the training counts from, or an ISO 8601 time."""
    value = record.get("time")
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            return None
    return _number(record, "time")
