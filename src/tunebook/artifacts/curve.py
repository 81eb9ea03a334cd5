"""A training's curve: what it logged, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tunebook.artifacts.metrics import Metrics, MetricsRecord, read_metrics

__all__ = ["Curve", "TrainingCurve", "curve_of", "read_metrics_curve"]


@dataclass(frozen=True)
class Curve:
    """A training's series, one value per optimizer step that was logged; ``None`` for values that were not logged.

    Attributes:
        steps: from 1; all columns but those of the validation have its length.
        epochs: zero-based.
        learning_rates: as the optimizer used them.
        memory_gb: peak memory so far, of the GPU, or of the process on a machine without one.
        seconds: since the first logged step.
        validation_steps: the steps after which there was a validation, with ``validation_losses``.
    """

    steps: tuple[int, ...] = ()
    epochs: tuple[int | None, ...] = ()
    losses: tuple[float | None, ...] = ()
    learning_rates: tuple[float | None, ...] = ()
    tokens_per_second: tuple[float | None, ...] = ()
    memory_gb: tuple[float | None, ...] = ()
    seconds: tuple[float | None, ...] = ()
    validation_steps: tuple[int, ...] = ()
    validation_losses: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class TrainingCurve:
    """A curve, its source, and counts of the parts of its log that could not be used.

    Attributes:
        source: the file that the curve was read from, for a report, such as ``metrics.jsonl``; empty without a curve.
        total_steps: the number of steps that were planned.
        diverged: the number of losses that are not finite.
        unreadable: the number of lines that could not be read.
    """

    curve: Curve = field(default_factory=Curve)
    source: str = ""
    total_steps: int | None = None
    diverged: int = 0
    unreadable: int = 0


def read_metrics_curve(path: Path) -> TrainingCurve:
    """Reads the curve from a ``metrics.jsonl``; a curve without a source if it logs no training step."""
    found = curve_of(read_metrics(path), source=path.name)
    return found if found.curve.steps else TrainingCurve(unreadable=found.unreadable)


def curve_of(metrics: Metrics, *, source: str) -> TrainingCurve:
    """Turns records, in the order in which they were logged, into columns.

    A training that was resumed logs some steps a second time: the values of the later attempt count.
    """
    kept = _last_attempt(metrics.records)
    total_steps = None
    for record in kept:
        if record.total_steps is not None:
            total_steps = record.total_steps
    steps = [record for record in kept if record.is_training]
    validations = [record for record in kept if record.is_validation]
    return TrainingCurve(
        _columns(steps, validations),
        source,
        total_steps=total_steps,
        diverged=sum(record.diverged for record in steps),
        unreadable=metrics.unreadable,
    )


def _columns(steps: Sequence[MetricsRecord], validations: Sequence[MetricsRecord]) -> Curve:
    return Curve(
        steps=tuple(record.step for record in steps),
        epochs=tuple(record.epoch for record in steps),
        losses=tuple(record.loss for record in steps),
        learning_rates=tuple(record.learning_rate for record in steps),
        tokens_per_second=tuple(record.tokens_per_second for record in steps),
        memory_gb=tuple(record.peak_memory_gb for record in steps),
        seconds=_seconds(steps),
        validation_steps=tuple(record.step for record in validations),
        validation_losses=tuple(record.val_loss for record in validations),
    )


def _last_attempt(records: Sequence[MetricsRecord]) -> list[MetricsRecord]:
    """The records that count where steps were logged twice."""
    kept: dict[tuple[int, bool], MetricsRecord] = {}
    last = -1
    for record in records:
        if record.step < last:
            kept = {key: value for key, value in kept.items() if key[0] < record.step}
        last = record.step
        kept[record.step, record.is_validation] = record
    return list(kept.values())


def _seconds(steps: Sequence[MetricsRecord]) -> tuple[float | None, ...]:
    start = next((record.time_s for record in steps if record.time_s is not None), None)
    seconds: list[float | None] = []
    for record in steps:
        if start is None or record.time_s is None:
            seconds.append(None)
        else:
            seconds.append(round(record.time_s - start, 3))
    return tuple(seconds)
