"""The samples of a log as one row of a table, with a list for each of their columns, and back."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from tunebook.core.json_text import parse_json
from tunebook.tools.results import Samples

__all__ = ["row_of", "samples_of"]

_COLUMNS = ("ids", "repeats", "prompts", "targets", "answers", "errors", "cut")


def row_of(samples: Samples) -> dict[str, Any]:
    """The row of a log's samples; the metadata of scores, which may be anything, as JSON."""
    row: dict[str, Any] = {name: list(getattr(samples, name)) for name in _COLUMNS}
    score_metadata = [json.dumps(column, ensure_ascii=False) for column in samples.score_metadata.values()]
    return row | {
        "measures": list(samples.values),
        "values": list(map(list, samples.values.values())),
        "letter_names": list(samples.letters),
        "letters": list(samples.letters.values()),
        "metadata_names": list(samples.metadata),
        "metadata": list(map(list, samples.metadata.values())),
        "score_metadata_names": list(samples.score_metadata),
        "score_metadata": score_metadata,
        "tokens": samples.tokens,
    }


def samples_of(row: Mapping[str, Any]) -> Samples:
    """The samples that a row holds.

    Raises:
        KeyError: a column is missing; a wrong one raises TypeError or ValueError.
    """
    columns: dict[str, Any] = {name: tuple(row[name]) for name in _COLUMNS}
    metadata = {}
    for name, column in zip(row["metadata_names"], row["metadata"], strict=True):
        metadata[name] = tuple(value if value is None else sys.intern(value) for value in column)
    score_metadata = {}
    for name, text in zip(row["score_metadata_names"], row["score_metadata"], strict=True):
        score_metadata[name] = tuple(parse_json(text))
    return Samples(
        **columns,
        values=dict(zip(row["measures"], map(tuple, row["values"]), strict=True)),
        letters=dict(zip(row["letter_names"], row["letters"], strict=True)),
        tokens=row["tokens"],
        metadata=metadata,
        score_metadata=score_metadata,
    )
