"""What a data set's file holds: its splits, their sizes, and whether they overlap."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

__all__ = ["DatasetFacts", "read_dataset_facts"]

_LARGEST_BYTES = 64 * 2**20
_ALIASES = {"val": "validation", "valid": "validation", "dev": "validation"}
_SUFFIXES = (".json", ".jsonl", ".parquet")


@dataclass(frozen=True)
class DatasetFacts:
    """What could be read of a data set.

    Attributes:
        splits: split to its number of examples; empty if the file was too large to read in passing, or is Parquet.
        overlaps: pairs of splits to the number of inputs that stand in both.
        problem: why the file cannot be trained on; empty if it can.
        unread: why its splits were not counted; empty if they were.
    """

    splits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    overlaps: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    problem: str = ""
    unread: str = ""


def read_dataset_facts(path: Path) -> DatasetFacts | None:
    """The facts, or ``None`` if nothing is there (it may exist on compute nodes only)."""
    try:
        if path.is_dir():
            return _facts({_split_of(file): file for file in sorted(path.iterdir()) if file.suffix in _SUFFIXES})
        if not path.is_file():
            return None
        if path.suffix == ".json" and path.stat().st_size <= _LARGEST_BYTES:
            return _json_facts(json.loads(path.read_text(encoding="utf-8")))
        return _facts({"train": path})
    except (OSError, UnicodeDecodeError) as error:
        return DatasetFacts(problem=f"cannot be read: {error}")
    except ValueError as error:
        return DatasetFacts(problem=f"is not valid JSON: {error}")


def _split_of(file: Path) -> str:
    return _ALIASES.get(file.stem.lower(), file.stem.lower())


def _json_facts(document: Any) -> DatasetFacts:
    if isinstance(document, list):
        return _count({"train": document})
    if not isinstance(document, dict):
        return DatasetFacts(problem="holds neither a list of examples nor splits as top-level keys")
    splits = {_ALIASES.get(key.lower(), key.lower()): value for key, value in document.items()}
    lists = {key: value for key, value in splits.items() if isinstance(value, list)}
    if not lists:
        return DatasetFacts(problem="has no split: its top-level keys should be train, validation, test")
    return _count(lists)


def _facts(files: Mapping[str, Path]) -> DatasetFacts:
    examples: dict[str, list[Any]] = {}
    if not files:
        return DatasetFacts(problem="holds no .json, .jsonl or .parquet file")
    for split, file in files.items():
        if file.suffix == ".parquet":
            return DatasetFacts(unread="Parquet is counted when training starts")
        if file.stat().st_size > _LARGEST_BYTES:
            return DatasetFacts(unread=f"larger than {_LARGEST_BYTES // 2**20} MiB, counted when training starts")
        text = file.read_text(encoding="utf-8")
        document = [json.loads(line) for line in text.splitlines() if line.strip()] if file.suffix == ".jsonl" else None
        examples[split] = json.loads(text) if document is None else document
        if not isinstance(examples[split], list):
            return DatasetFacts(problem=f"{file.name} holds no list of examples")
    return _count(examples)


def _count(splits: Mapping[str, list[Any]]) -> DatasetFacts:
    keys = {name: {json.dumps(_identity(item), sort_keys=True) for item in items} for name, items in splits.items()}
    names = list(splits)
    overlaps = {
        (first, second): len(keys[first] & keys[second])
        for index, first in enumerate(names)
        for second in names[index + 1 :]
        if keys[first] & keys[second]
    }
    return DatasetFacts({name: len(items) for name, items in splits.items()}, overlaps)


def _identity(example: Any) -> Any:
    return example.get("input", example) if isinstance(example, dict) else example
