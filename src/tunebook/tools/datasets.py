"""Facts about a data set's file: its splits, their sizes, and whether they overlap."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tunebook.tools.runtime.training_data import SUFFIXES, read_document, split_name

__all__ = ["DatasetFacts", "read_dataset_facts"]

_LARGEST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class DatasetFacts:
    """The facts that could be read of a data set.

    Attributes:
        splits: split to its number of examples; empty if the file was too large to read in passing, or is Parquet.
        overlaps: pairs of splits to the number of inputs that appear in both.
        problem: why the file cannot be trained on; empty if it can.
        unread: why its splits were not counted; empty if they were.
    """

    splits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    overlaps: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    problem: str = ""
    unread: str = ""


def read_dataset_facts(path: Path) -> DatasetFacts | None:
    """The facts, or ``None`` if the path does not exist here (it may exist on compute nodes only)."""
    try:
        if path.is_dir():
            return _facts({split_name(file.stem): file for file in sorted(path.iterdir()) if file.suffix in SUFFIXES})
        if not path.is_file():
            return None
        if path.suffix == ".json" and path.stat().st_size <= _LARGEST_BYTES:
            return _json_facts(read_document(path))
        return _facts({"train": path})
    except (OSError, UnicodeDecodeError) as error:
        return DatasetFacts(problem=f"cannot be read: {error}")
    except ValueError as error:
        return DatasetFacts(problem=f"is not valid JSON: {error}")


def _json_facts(document: Any) -> DatasetFacts:
    if isinstance(document, list):
        return _count({"train": document})
    if not isinstance(document, dict):
        return DatasetFacts(problem="holds neither a list of examples nor splits as top-level keys")
    splits = {split_name(key): value for key, value in document.items() if isinstance(value, list)}
    if not splits:
        return DatasetFacts(problem="has no split: its top-level keys should be train, validation, test")
    return _count(splits)


def _facts(files: Mapping[str, Path]) -> DatasetFacts:
    if not files:
        return DatasetFacts(problem="holds no .json, .jsonl or .parquet file")
    examples: dict[str, list[Any]] = {}
    for split, file in files.items():
        if file.suffix == ".parquet":
            return DatasetFacts(unread="Parquet is counted when training starts")
        if file.stat().st_size > _LARGEST_BYTES:
            return DatasetFacts(unread=f"larger than {_LARGEST_BYTES // 2**20} MiB, counted when training starts")
        document = read_document(file)
        if not isinstance(document, list):
            return DatasetFacts(problem=f"{file.name} holds no list of examples")
        examples[split] = document
    return _count(examples)


def _count(splits: Mapping[str, list[Any]]) -> DatasetFacts:
    counts: dict[str, int] = {}
    inputs: dict[str, set[str]] = {}
    for name, examples in splits.items():
        counts[name] = len(examples)
        inputs[name] = {json.dumps(_identity(example), sort_keys=True) for example in examples}
    overlaps = {}
    for first, second in combinations(splits, 2):
        common = len(inputs[first] & inputs[second])
        if common:
            overlaps[first, second] = common
    return DatasetFacts(counts, overlaps)


def _identity(example: Any) -> Any:
    return example.get("input", example) if isinstance(example, dict) else example
