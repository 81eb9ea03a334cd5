"""The configuration of a small model that computes as a large one does: with fewer layers, heads and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ShrunkConfig", "shrunk_config"]

_LAYERS = 4
_INTERMEDIATE = 96
_VOCABULARY = 320
_HEAD = 32
_KV_HEADS = 2
_WIDTH = 64
_WINDOW = 16


@dataclass(frozen=True)
class ShrunkConfig:
    """A small ``config.json``.

    Attributes:
        sizes: field to its value before and after: where a builder's argument has the value before, it gets the one
            after; any other value is another function, and stays.
    """

    config: Mapping[str, Any]
    sizes: Mapping[str, tuple[int, int]]


def shrunk_config(config: Mapping[str, Any], *, shrinks_window: bool = True) -> ShrunkConfig:
    """The shrunk copy of a model's ``config.json``: rotary settings, activations, caps and biases stay as they are.

    The ratio of query heads to key-value heads stays.

    Args:
        shrinks_window: whether a sliding window becomes one that a short text passes.

    Raises:
        KeyError: a dimension is missing.
    """
    heads = int(config["num_attention_heads"])
    kv_heads = int(config.get("num_key_value_heads") or heads)
    head = int(config.get("head_dim") or int(config["hidden_size"]) // heads)
    small_kv = min(kv_heads, _KV_HEADS)
    small_heads = small_kv * (heads // kv_heads)
    small_head = min(head, _HEAD)
    width = small_heads * small_head
    if heads * head != int(config["hidden_size"]):
        width = min(int(config["hidden_size"]), _WIDTH)
    after = {
        "num_hidden_layers": min(int(config["num_hidden_layers"]), _LAYERS),
        "num_attention_heads": small_heads,
        "num_key_value_heads": small_kv,
        "hidden_size": width,
        "intermediate_size": min(int(config["intermediate_size"]), _INTERMEDIATE),
        "vocab_size": min(int(config["vocab_size"]), _VOCABULARY),
    }
    if config.get("head_dim"):
        after["head_dim"] = small_head
    window = config.get("sliding_window")
    if window and shrinks_window:
        after["sliding_window"] = min(int(window), _WINDOW)
    after = {key: value for key, value in after.items() if key in config}
    sizes = {key: (int(config[key]), value) for key, value in after.items()}
    small = {**config, **after, **_tokens(after["vocab_size"]), "dtype": "float32", "torch_dtype": "float32"}
    for key, value in config.items():
        if isinstance(value, list) and len(value) == int(config["num_hidden_layers"]):
            small[key] = value[: after["num_hidden_layers"]]  # one entry per layer, such as layer_types
    return ShrunkConfig(small, sizes)


def _tokens(vocabulary: int) -> dict[str, int]:
    """Special tokens inside of the small vocabulary; they do not change the logits."""
    return {"pad_token_id": 0, "bos_token_id": min(1, vocabulary - 1), "eos_token_id": min(2, vocabulary - 1)}
