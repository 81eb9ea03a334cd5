"""Facts about a model's directory: its configuration and its weight files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ModelFacts", "parameters_b", "read_chat_template", "read_model_facts"]

_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_PATTERNS = ("*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True)
class ModelFacts:
    """A model's directory.

    Attributes:
        config: ``config.json``; ``None`` if it is missing or not JSON.
        weight_files: the files that the index names, or otherwise those in the directory.
        missing_files: those of them that do not exist.
    """

    config: Mapping[str, Any] | None
    weight_files: tuple[str, ...] = ()
    missing_files: tuple[str, ...] = ()


def read_model_facts(path: Path) -> ModelFacts | None:
    """The facts, or ``None`` if the directory does not exist here (it may exist on compute nodes only)."""
    if not path.is_dir():
        return None
    files = _indexed_files(path) or _found_files(path)
    missing = tuple(file for file in files if not (path / file).is_file())
    return ModelFacts(_json(path / "config.json"), files, missing)


def _indexed_files(path: Path) -> tuple[str, ...]:
    for name in _INDEXES:
        index = _json(path / name) or {}
        if isinstance(index.get("weight_map"), dict):
            return tuple(sorted({str(file) for file in index["weight_map"].values()}))
    return ()


def _found_files(path: Path) -> tuple[str, ...]:
    for pattern in _PATTERNS:
        names = sorted(file.name for file in path.glob(pattern))
        weights = tuple(name for name in names if not name.startswith(("adapter_", "consolidated")))
        if weights:
            return weights
    return ()


def read_chat_template(path: Path) -> str | None:
    """The tokenizer's chat template: a file of its own, or part of its configuration; ``None`` if it has none."""
    own = path / "chat_template.jinja"
    if own.is_file():
        return own.read_text(encoding="utf-8", errors="replace")
    for name in ("chat_template.json", "tokenizer_config.json"):
        template = (_json(path / name) or {}).get("chat_template")
        if template:
            return template if isinstance(template, str) else json.dumps(template)
    return None


def parameters_b(config: Mapping[str, Any]) -> float:
    """Billions of weights of a decoder: embeddings, and per layer those of attention and the three MLP matrices.

    Raises:
        KeyError: its ``config.json`` lacks a dimension.
    """
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    head = int(config.get("head_dim") or hidden // heads)
    kv = int(config.get("num_key_value_heads") or heads)
    attention = hidden * head * (2 * heads + 2 * kv)
    layer = attention + 3 * hidden * int(config["intermediate_size"])
    embeddings = hidden * int(config["vocab_size"]) * (1 if config.get("tie_word_embeddings") else 2)
    return (int(config["num_hidden_layers"]) * layer + embeddings) / 1e9


def _json(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
