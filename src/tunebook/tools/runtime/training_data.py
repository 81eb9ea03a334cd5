"""The examples of one split of a data set's file, checked one by one.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["Record", "load_records"]

_SPLITS = {"val": "validation", "valid": "validation", "dev": "validation"}
_SUFFIXES = (".json", ".jsonl", ".parquet")
_FIELDS = {"instruct": ("input", "output"), "text_completion": ("text",)}
_ROLES = ("system", "user", "assistant")

Record = dict[str, Any]


def load_records(path: Path, split: str, dataset_type: str) -> list[Record]:
    """The examples of a split: a JSON file with splits as keys, a directory with a file a split, or a single file.

    A file without splits is all training data: asking it for another split is an error, since validation would be what
    was trained on.

    Raises:
        ValueError: no such file or split, an empty split, or an example that cannot be used; the message names it.
    """
    file = _file_of(path, split)
    records = _read(file)
    if isinstance(records, dict):
        found = {_SPLITS.get(key.lower(), key.lower()): value for key, value in records.items()}
        if split not in found:
            raise ValueError(f"{file} has no split {split}; it has {', '.join(found) or 'none'}")
        records = found[split]
    elif not path.is_dir() and split != "train":
        raise ValueError(f"{file} has no splits, and is all training data: it cannot serve as {split}")
    if not isinstance(records, list) or not records:
        raise ValueError(f"{file}: split {split} holds no list of examples")
    for number, record in enumerate(records):
        _check(record, dataset_type, f"{file}, {split}, example {number}")
    return records


def _file_of(path: Path, split: str) -> Path:
    if path.is_dir():
        names = {split, *(alias for alias, name in _SPLITS.items() if name == split)}
        files = [file for file in sorted(path.iterdir()) if file.suffix in _SUFFIXES and file.stem.lower() in names]
        if len(files) != 1:
            found = ", ".join(file.name for file in files) or "none"
            raise ValueError(f"{path} should hold one file named {split} with {', '.join(_SUFFIXES)}; found {found}")
        return files[0]
    if not path.is_file():
        raise ValueError(f"the data set {path} is not there")
    return path


def _read(file: Path) -> Any:
    try:
        if file.suffix == ".parquet":
            from pyarrow import parquet

            return parquet.read_table(file).to_pylist()
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".jsonl":
            return [json.loads(line) for line in text.split("\n") if line.strip()]  # strings may hold U+2028
        return json.loads(text)
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error


def _check(record: Any, dataset_type: str, place: str) -> None:
    if not isinstance(record, dict):
        raise ValueError(f"{place} is no object")  # noqa: TRY004  all of these are wrong data
    if dataset_type == "chat":
        _check_messages(record.get("messages"), place)
        return
    for field in _FIELDS[dataset_type]:
        if not isinstance(record.get(field), str):
            found = ", ".join(record) or "nothing"
            raise ValueError(f"{place} has no text `{field}`; it has {found}")  # noqa: TRY004
    if dataset_type == "instruct" and not record["output"]:
        raise ValueError(f"{place} has an empty output: there is nothing to learn")


def _check_messages(messages: Any, place: str) -> None:
    if not isinstance(messages, list) or not messages:
        raise ValueError(f"{place} has no list `messages`")
    for message in messages:
        good = isinstance(message, dict) and message.get("role") in _ROLES and isinstance(message.get("content"), str)
        if not good:
            raise ValueError(f"{place}: every message needs a role ({', '.join(_ROLES)}) and a text `content`")
    if not any(message["role"] == "assistant" for message in messages):
        raise ValueError(f"{place} has no message of the assistant: there is nothing to learn")
