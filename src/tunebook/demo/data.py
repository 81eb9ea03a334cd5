"""The demo's data: five-letter English words and their capitalized forms."""

from __future__ import annotations

import random
from importlib.resources import files

__all__ = ["SPLITS", "capitalization_data", "task_source"]

SPLITS = {"train": 320, "validation": 40, "test": 40}


def capitalization_data(seed: int = 14) -> dict[str, list[dict[str, str]]]:
    """Splits of records with ``input`` (``house``) and ``output`` (``House``); no word is in two splits."""
    words = (files("tunebook.demo") / "words.txt").read_text(encoding="utf-8").split()
    random.Random(seed).shuffle(words)  # noqa: S311  a shuffle that anyone can repeat
    splits: dict[str, list[dict[str, str]]] = {}
    start = 0
    for split, count in SPLITS.items():
        chosen = words[start : start + count]
        splits[split] = [{"input": word, "output": word.capitalize()} for word in chosen]
        start += count
    return splits


def task_source() -> str:
    """The source of the demo's inspect-ai task."""
    return (files("tunebook.demo") / "files" / "cap_task.py").read_text(encoding="utf-8")
