"""A training's curve out of what it logged: ``metrics.jsonl``, torchtune's DiskLogger, or a job's output. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tunebook.analysis.records import Curve

__all__ = ["CurveText", "curve_of", "read_job_output", "read_metrics", "read_torchtune_log"]

_NAMES = {
    "tokens_per_second_per_gpu": "tokens_per_second",
    "peak_memory_active": "peak_memory_gb",
    "learning_rate": "lr",
}
_LOGGED_STEP = re.compile(r"Step (\d{1,12}) \| (.*)")
_PAIR = re.compile(r"([A-Za-z_][\w.-]*):\s*(-?(?:\d[\d.]*(?:[eE][+-]?\d+)?|nan|inf))")
_BAR = re.compile(r"(\d{1,6})\|(\d{1,12})\|Loss: (-?(?:\d[\d.]*(?:[eE][+-]?\d+)?|nan|inf))")


@dataclass(frozen=True)
class CurveText:
    """A curve, how many steps were planned, and what could not be used.

    Attributes:
        diverged: how many losses were no finite number.
        unreadable: how many lines could not be read.
        restarts: how often the steps began anew; only the last attempt's steps count.
    """

    curve: Curve = field(default_factory=Curve)
    total_steps: int | None = None
    diverged: int = 0
    unreadable: int = 0
    restarts: int = 0


def read_metrics(text: str) -> CurveText:
    """Reads ``metrics.jsonl`` (the keys are those of ``MetricsLogger``); a torn last line is left out."""
    records: list[dict[str, Any]] = []
    unreadable = 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        record = _json_record(line)
        if record is None:
            unreadable += 1
        else:
            records.append(record)
    return curve_of(records, unreadable=unreadable)


def _json_record(line: str) -> dict[str, Any] | None:
    try:
        document = json.loads(line)
    except ValueError:
        return None
    return document if isinstance(document, dict) and _integer(document.get("step")) is not None else None


def read_torchtune_log(text: str) -> CurveText:
    """Reads torchtune's own ``log_*.txt`` (``Step N | loss:… lr:… ``), which StdoutLogger prints too."""
    records: list[dict[str, Any]] = []
    for match in map(_LOGGED_STEP.match, text.splitlines()):
        if match:
            values = {_NAMES.get(name, name): float(value) for name, value in _PAIR.findall(match[2])}
            records.append({"step": int(match[1]), **values})
    return curve_of(records)


def read_job_output(text: str) -> CurveText:
    """Reads what a job printed: StdoutLogger's lines, else the progress bar (``EPOCH|STEP|Loss: …``, epochs from 1)."""
    logged = read_torchtune_log(text)
    if logged.curve.steps:
        return logged
    seen: dict[int, dict[str, Any]] = {}
    for match in _BAR.finditer(text):
        step = int(match[2])
        if step in seen and next(reversed(seen)) != step:
            seen.clear()  # the bar began anew
        seen[step] = {"step": step, "epoch": int(match[1]) - 1, "loss": float(match[3])}
    return curve_of(list(seen.values()))


def curve_of(records: Sequence[Mapping[str, Any]], *, unreadable: int = 0) -> CurveText:
    """Records of steps, in the order in which they were logged, as columns.

    A training that was taken up again logs steps a second time: what the later attempt logged counts. Validation
    records are those with ``val_loss``.
    """
    kept, restarts = _last_attempt(records)
    steps = [record for record in kept if "val_loss" not in record and _is_training(record)]
    validations = [record for record in kept if "val_loss" in record]
    times = [_time(record.get("time")) for record in steps]
    start = next((time for time in times if time is not None), None)
    curve = Curve(
        steps=tuple(_integer(record["step"]) or 0 for record in steps),
        epochs=tuple(_integer(record.get("epoch")) for record in steps),
        losses=_column(steps, "loss"),
        learning_rates=_column(steps, "lr"),
        tokens_per_second=_column(steps, "tokens_per_second"),
        memory_gb=_column(steps, "peak_memory_gb"),
        seconds=tuple(None if time is None or start is None else round(time - start, 3) for time in times),
        validation_steps=tuple(_integer(record["step"]) or 0 for record in validations),
        validation_losses=_column(validations, "val_loss"),
    )
    totals = [total for record in kept if (total := _integer(record.get("total_steps"))) is not None]
    diverged = sum(1 for record in steps if record.get("diverged") or _is_not_finite(record.get("loss")))
    return CurveText(curve, totals[-1] if totals else None, diverged, unreadable, restarts)


def _is_training(record: Mapping[str, Any]) -> bool:
    return "loss" in record or record.get("diverged") is True


def _last_attempt(records: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], int]:
    """What counts where steps were logged twice, and how often that began."""
    kept: dict[tuple[int, bool], Mapping[str, Any]] = {}
    restarts, last = 0, -1
    for record in records:
        step = _integer(record["step"]) or 0
        if step < last:
            restarts += 1
            kept = {key: value for key, value in kept.items() if key[0] < step}
        last = step
        kept[step, "val_loss" in record] = record
    return list(kept.values()), restarts


def _column(records: Iterable[Mapping[str, Any]], key: str) -> tuple[float | None, ...]:
    return tuple(_finite(record.get(key)) for record in records)


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _integer(value: Any) -> int | None:
    number = _finite(value)
    return int(number) if number is not None and number == int(number) else None


def _time(value: Any) -> float | None:
    """Seconds since the epoch of an ISO 8601 time, or of seconds."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            return None
    return _finite(value)
