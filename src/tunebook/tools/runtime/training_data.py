"""Reads the examples of one split of a data set, and checks each one.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["SUFFIXES", "Record", "load_records", "read_document", "split_name"]

_SPLITS = {"val": "validation", "valid": "validation", "dev": "validation"}
SUFFIXES = (".json", ".jsonl", ".parquet")
_FIELDS = {"instruct": ("input", "output"), "text_completion": ("text",)}
_ROLES = ("system", "user", "assistant")

Record = dict[str, Any]


def load_records(path: Path, split: str, dataset_type: str) -> list[Record]:
    """The examples of a split: a JSON file with splits as keys, a directory with one file per split, or a single file.

    All of a file without splits is training data. Another split of it is an error, since validation would be on
    examples that were trained on.

    Raises:
        ValueError: the file or the split is missing or empty, or an example cannot be used; the message names it.
    """
    file = _file_of(path, split)
    try:
        records = read_document(file)
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    if isinstance(records, dict):
        found = {split_name(key): value for key, value in records.items()}
        if split not in found:
            raise ValueError(f"{file} has no split {split}; its splits are: {', '.join(found) or 'none'}")
        records = found[split]
    elif not path.is_dir() and split != "train":
        raise ValueError(f"{file} has no splits, so all of it is training data: it cannot serve as {split}")
    if not isinstance(records, list) or not records:
        raise ValueError(f"{file}: split {split} must be a list of examples, and not empty")
    for number, record in enumerate(records):
        _check(record, dataset_type, f"{file}, {split}, example {number}")
    return records


def split_name(name: str) -> str:
    """The split that a key or a file's stem names, in one spelling."""
    return _SPLITS.get(name.lower(), name.lower())


def _file_of(path: Path, split: str) -> Path:
    if path.is_dir():
        known = (file for file in sorted(path.iterdir()) if file.suffix in SUFFIXES)
        files = [file for file in known if split_name(file.stem) == split]
        if len(files) != 1:
            found = ", ".join(file.name for file in files) or "none"
            raise ValueError(f"{path} must hold one file named {split} ({', '.join(SUFFIXES)}); found: {found}")
        return files[0]
    if not path.is_file():
        raise ValueError(f"the data set {path} was not found")
    return path


def read_document(file: Path) -> Any:
    """Reads a file by its suffix; the lines of ``.jsonl`` become a list."""
    if file.suffix == ".parquet":
        from pyarrow import parquet

        return parquet.read_table(file).to_pylist()
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".jsonl":
        # Not splitlines(): JSON strings may hold U+2028 and other characters that Python takes for line ends.
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    return json.loads(text)


def _check(record: Any, dataset_type: str, place: str) -> None:
    if not isinstance(record, dict):
        raise ValueError(f"{place} is not an object")  # noqa: TRY004  all of these are wrong data
    if dataset_type == "chat":
        _check_messages(record.get("messages"), place)
        return
    for field in _FIELDS[dataset_type]:
        if not isinstance(record.get(field), str):
            found = ", ".join(record) or "none"
            raise ValueError(f"{place} has no text `{field}`; its fields are: {found}")  # noqa: TRY004
    if dataset_type == "instruct" and not record["output"]:
        raise ValueError(f"{place} has an empty output, so that there is nothing to learn")


def _check_messages(messages: Any, place: str) -> None:
    if not isinstance(messages, list) or not messages:
        raise ValueError(f"{place} has no list `messages`, or an empty one")
    for message in messages:
        good = isinstance(message, dict) and message.get("role") in _ROLES and isinstance(message.get("content"), str)
        if not good:
            raise ValueError(f"{place}: every message needs a role ({', '.join(_ROLES)}) and a text `content`")
    if not any(message["role"] == "assistant" for message in messages):
        raise ValueError(f"{place} has no message of the assistant, so that there is nothing to learn")
