"""The hostile corpus, ``hostile.json``: texts, long repetitions, and values of JSON."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ["json_fragments", "long_texts", "texts"]

_CORPUS = Path(__file__).with_name("hostile.json")


@lru_cache
def _corpus() -> dict[str, Any]:
    corpus: dict[str, Any] = json.loads(_CORPUS.read_text(encoding="utf-8"))
    return corpus


@lru_cache
def texts() -> tuple[str, ...]:
    """Texts of moderate length."""
    return tuple(_corpus()["texts"])


@lru_cache
def long_texts() -> tuple[str, ...]:
    """Texts of hundreds to thousands of characters."""
    return tuple(piece * times for piece, times in _corpus()["repeated"])


@lru_cache
def json_fragments() -> tuple[str, ...]:
    """Values as they may be written in a JSON file; some are beyond range, and ``@x*3`` is ``xxx``."""
    plain = [json.dumps(value) for value in _corpus()["json"]]
    for fragment in _corpus()["raw_json"]:
        piece, _, times = fragment.removeprefix("@").rpartition("*")
        plain.append(piece * int(times) if fragment.startswith("@") else fragment)
    return tuple(plain)
