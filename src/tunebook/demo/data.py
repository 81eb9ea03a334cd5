"""The demo's data: five-letter English words and their capitalized forms."""

from __future__ import annotations

import random
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

__all__ = ["SPLITS", "capitalization_data", "task_source"]

SPLITS: Mapping[str, int] = MappingProxyType({"train": 80, "validation": 40, "test": 80})
"""So few training examples that the runs differ, and enough test samples to show it."""


def capitalization_data(seed: int = 14, splits: Mapping[str, int] = SPLITS) -> dict[str, list[dict[str, str]]]:
    """Splits of records with ``input`` (``house``) and ``output`` (``House``); no word is in two splits."""
    words = (files("tunebook.demo") / "words.txt").read_text(encoding="utf-8").split()
    random.Random(seed).shuffle(words)  # noqa: S311  a shuffle that anyone can repeat
    data: dict[str, list[dict[str, str]]] = {}
    start = 0
    for split, count in splits.items():
        chosen = words[start : start + count]
        data[split] = [{"input": word, "output": word.capitalize()} for word in chosen]
        start += count
    return data


def task_source() -> str:
    """The source of the demo's inspect-ai task."""
    return (files("tunebook.demo") / "files" / "cap_task.py").read_text(encoding="utf-8")
