"""The parts that rows of several tables share: bounds of intervals, families of tests, epochs; and frames of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunebook.analysis.records import Family, Interval

__all__ = ["bounds", "epoch_number", "family_parts", "frame_of"]

_Row = dict[str, Any]


def bounds(interval: Interval | None, prefix: str = "") -> _Row:
    """The two ends of an interval; empty without one."""
    ends = (None, None) if interval is None else (interval.low, interval.high)
    return dict(zip((f"{prefix}low", f"{prefix}high"), ends, strict=True))


def family_parts(family: Family | None) -> _Row:
    """The family's name, its size and its correction; empty without a test."""
    if family is None:
        return {"family": None, "family_size": None, "correction": None}
    return {"family": family.name, "family_size": family.size, "correction": family.correction}


def epoch_number(epoch: int) -> int | None:
    """The zero-based epoch; ``None`` for models that were not trained here."""
    return epoch if epoch >= 0 else None


def frame_of(rows: Sequence[_Row] | Mapping[str, Sequence[Any]], columns: list[str]) -> Any:
    """A data frame that has these columns even without a row."""
    import pandas as pd

    frame = pd.DataFrame(rows)
    return pd.DataFrame(columns=columns) if frame.empty else frame.convert_dtypes()
