"""Chooses what is kept of the metadata that logs give with samples and scores, so that many logs fit into memory."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["metadata_columns", "score_metadata_columns"]

_LONGEST_TEXT = 200
_LONGEST_NUMBER = 24
_MOST_TEXTS = 200  # different texts that a column may have: groups have fewer
_FEW_TEXTS = 10  # different texts that a column of any number of samples may have
_MOST_ITEMS = 50  # of a list or a dictionary
_MOST_COLUMNS = 50  # of each kind; further ones are left out

_Column = tuple[str | None, ...]


def metadata_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, _Column]:
    """The samples' own metadata as text by column, for what tells samples apart: groups and numbers.

    Left out are values that are not scalars, columns that are equal for all samples, and texts of which nearly every
    sample has its own: they are not groups.

    Args:
        rows: each sample's metadata.
    """
    columns: dict[str, _Column] = {}
    for name in _names(rows):
        column = tuple(_scalar_text(row.get(name)) for row in rows)
        if _tells_apart(column) and len(columns) < _MOST_COLUMNS:
            columns[name] = column
    return columns


def score_metadata_columns(rows: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, tuple[Any, ...]]:
    """The scores' metadata by ``scorer/key``: numbers, texts, and short lists and dictionaries of them.

    A key that a scorer left empty for every sample is kept: a risk that no answer gives must be counted. Left out are
    keys whose values are all of other kinds.

    Args:
        rows: each sample's metadata by scorer.
    """
    flat: list[dict[str, Any]] = []
    others: set[str] = set()
    for row in rows:
        flat.append({})
        for scorer, metadata in row.items():
            for key, value in metadata.items():
                name, small = f"{scorer}/{key}", _small(value)
                flat[-1][name] = small
                if value is not None and small is None:
                    others.add(name)
    columns: dict[str, tuple[Any, ...]] = {}
    for name in _names(flat):
        column = tuple(values.get(name) for values in flat)
        is_kept = name not in others or any(value is not None for value in column)
        if is_kept and len(columns) < _MOST_COLUMNS:
            columns[name] = column
    return columns


def _names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _scalar_text(value: Any) -> str | None:
    """A scalar as text, in JSON's words for true and false; ``None`` for other values."""
    if isinstance(value, str):
        return sys.intern(value[:_LONGEST_TEXT])  # the same groups are in all logs
    if isinstance(value, bool | int):
        return sys.intern(json.dumps(value))
    if isinstance(value, float) and math.isfinite(value):
        return sys.intern(json.dumps(value))
    return None


def _tells_apart(column: _Column) -> bool:
    different = set(column)
    if len(different) < 2:  # noqa: PLR2004  equal for all samples
        return False
    if all(value is None or _is_short_number(value) for value in different):
        return True
    return len(different) <= _FEW_TEXTS or len(different) <= min(_MOST_TEXTS, len(column) // 2)


def _is_short_number(text: str) -> bool:
    if len(text) > _LONGEST_NUMBER:
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True


def _small(value: Any) -> Any:
    """A scalar, or a short list or dictionary of scalars; ``None`` for other values."""
    if isinstance(value, list | tuple):
        return [_small_scalar(item) for item in value] if 0 < len(value) <= _MOST_ITEMS else None
    if isinstance(value, dict):
        return {str(key): _small_scalar(item) for key, item in value.items()} if len(value) <= _MOST_ITEMS else None
    return _small_scalar(value)


def _small_scalar(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_LONGEST_TEXT]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bool | int | float):
        return value
    return None
