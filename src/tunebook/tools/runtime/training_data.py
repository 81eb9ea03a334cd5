"""Reads the examples of one split of a data set as its training does.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

from pathlib import Path

from tunebook.tools.runtime.data_files import DataReader
from tunebook.tools.runtime.data_formats import FormatReader, Record

__all__ = ["load_records", "split_problem"]


def load_records(path: Path, split: str, dataset_type: str) -> list[Record]:
    """The examples of a split.

    Raises:
        ValueError: the data set or the split is missing or empty, or an example cannot be used; the message names it.
    """
    data, reader = DataReader(path), FormatReader(dataset_type)
    records = [reader.read(example) for example in data.examples(only=split)]
    problem = split_problem(path, split, data)
    if problem:
        raise ValueError(problem)
    return records


def split_problem(path: Path, split: str, data: DataReader) -> str:
    """Why a split of a data set that was read cannot be used; empty if it can.

    A file without splits serves training only: validation would be on examples that were trained on.
    """
    if data.counts.get(split):
        return ""
    if split in data.counts:
        return f"{path}: the {split} split is empty"
    if not data.has_splits:
        return f"{path} has no splits, so all of it is training data: it cannot serve as {split}"
    message = f"{path} has no {split} split; it has: {', '.join(data.keys) or 'none'}"
    if len(data.keys) == 1 and split == "train":
        message += f"; name it `train` instead of `{data.keys[0]}` if it is the training data"
    return message
