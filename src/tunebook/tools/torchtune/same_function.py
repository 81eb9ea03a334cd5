"""Builds a shrunk model with Transformers and with torchtune as configured, and compares what they compute.

Runs in the process of the deep checks: torch and both libraries are imported inside the functions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from tunebook.tools.deep.random_model import random_model

__all__ = ["compare", "torchtune_model"]

_SEED = 11
_STD = 0.3  # weights of a size at which caps, windows and scalings show
_SHORT, _LONG = 64, 768


def compare(config: Mapping[str, Any], model: Mapping[str, Any], checkpointer: Mapping[str, Any]) -> dict[str, Any]:
    """The largest difference of the logits, relative to the largest logit, for short, long and distant positions.

    Args:
        config: the shrunk ``config.json``.
        model: the section of the torchtune configuration, with shrunk sizes; so is ``checkpointer``.
    """
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "model"
        original = random_model(config, directory, std=_STD)
        copy = torchtune_model(directory, model, checkpointer).eval()
    longest = min(int(copy.max_seq_len), int(config["max_position_embeddings"]))
    differences = {f"{length} tokens": _dense(original, copy, length) for length in _lengths(longest)}
    if longest > _LONG:
        differences[f"positions up to {longest}"] = _distant(original, copy, longest)
    return {"differences": differences, "longest": longest}


def _lengths(longest: int) -> list[int]:
    return sorted({min(longest, _SHORT), min(longest, _LONG)})


def torchtune_model(directory: Path, model: Mapping[str, Any], checkpointer: Mapping[str, Any]) -> Any:
    """The model that the recipe would build and load from a directory; adapters start without an effect."""
    section = {**checkpointer, "checkpoint_dir": str(directory), "checkpoint_files": ["model.safetensors"]}
    section["output_dir"] = str(directory.with_name("output"))
    weights = _instance(section).load_checkpoint()["model"]
    built = _instance(model)
    missing, unexpected = built.load_state_dict(weights, strict=False)
    others = [name for name in missing if "lora" not in name]
    if others or unexpected:
        raise ValueError(f"the weights do not fit the builder: missing {others[:3]}, unexpected {unexpected[:3]}")
    return built


def _instance(section: Mapping[str, Any]) -> Any:
    module, _, name = str(section["_component_"]).rpartition(".")
    arguments = {key: value for key, value in section.items() if key != "_component_"}
    return getattr(import_module(module), name)(**arguments)


def _dense(original: Any, copy: Any, length: int) -> float:
    import torch

    generator = torch.Generator().manual_seed(_SEED)
    tokens = torch.randint(3, original.config.vocab_size, (1, length), generator=generator)
    with torch.no_grad():
        return _difference(copy(tokens), original(tokens).logits)


def _distant(original: Any, copy: Any, longest: int) -> float:
    """Few tokens at positions all over the range, where a scaled rotary embedding differs from a plain one."""
    import torch

    generator = torch.Generator().manual_seed(_SEED)
    tokens = torch.randint(3, original.config.vocab_size, (1, _SHORT // 4), generator=generator)
    positions = torch.linspace(0, longest - 1, tokens.shape[1]).long()[None]
    with torch.no_grad():
        expected = original(tokens, position_ids=positions, attention_mask=torch.ones_like(tokens)).logits
        return _difference(copy(tokens, input_pos=positions), expected)


def _difference(found: Any, expected: Any) -> float:
    if isinstance(found, list):  # torchtune may give the output in chunks
        import torch

        found = torch.cat(found, dim=1)
    return float((found.float() - expected.float()).abs().max() / expected.abs().max())
