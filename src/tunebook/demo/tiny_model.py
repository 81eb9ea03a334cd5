"""A model that is small enough for examples: made in a second, without torch, with random weights.

It is a Llama with a tokenizer and a chat template of its own, in the format of Hugging Face. Everything that works with
a real model works with it, but it knows nothing.
"""

from __future__ import annotations

import json
import math
import random
import struct
from pathlib import Path
from typing import Any

from tunebook.disk.atomic import write_bytes, write_text

__all__ = ["write_tiny_model"]

_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_HEAD_SIZE = 16
_STD, _STD_OF_EMBEDDINGS = 0.1, 0.2  # so large that adapters can make any token probable
_PRINTED = [  # bytes that a byte-level tokenizer writes as the character with their number
    *range(ord("!"), ord("~") + 1),
    *range(ord("¡"), ord("¬") + 1),
    *range(ord("®"), ord("ÿ") + 1),
]

Shape = tuple[int, ...]


def write_tiny_model(directory: Path, *, layers: int = 2, width: int = 64, seed: int = 7) -> Path:
    """Writes configuration, tokenizer and weights; returns the directory.

    Args:
        width: the width of the hidden states, a multiple of 32.
    """
    if width % (2 * _HEAD_SIZE):
        raise ValueError(f"the width of a tiny model is a multiple of {2 * _HEAD_SIZE}, not {width}")
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    config = _config(layers, width, vocabulary=len(tokenizer["model"]["vocab"]))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": config["max_position_embeddings"],
        "clean_up_tokenization_spaces": False,
        "chat_template": _CHAT_TEMPLATE,
    }
    generation = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    documents = {
        "config.json": config,
        "generation_config.json": generation,
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": settings,
    }
    for name, content in documents.items():
        write_text(directory / name, json.dumps(content, indent=2) + "\n", within=None)
    write_bytes(directory / "model.safetensors", _weights(config, seed), within=None)
    return directory


def _config(layers: int, width: int, vocabulary: int) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // _HEAD_SIZE,
        "num_key_value_heads": width // (2 * _HEAD_SIZE),
        "vocab_size": vocabulary,
        "max_position_embeddings": 1024,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }


def _tokenizer() -> dict[str, Any]:
    """A byte-level tokenizer: one token per byte."""
    vocabulary = {token: number for number, token in enumerate((*_SPECIAL, *_byte_characters()))}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    special = [
        {"id": number, "content": text, "special": True}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        for number, text in enumerate(_SPECIAL)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    }


def _byte_characters() -> list[str]:
    """The character that stands for each byte in a byte-level tokenizer: itself where it can be printed."""
    others = iter(range(256, 512))
    return [chr(byte) if byte in _PRINTED else chr(next(others)) for byte in range(256)]


def _shapes(config: dict[str, Any]) -> dict[str, Shape]:
    width, inner = config["hidden_size"], config["intermediate_size"]
    keys = config["num_key_value_heads"] * _HEAD_SIZE
    shapes: dict[str, Shape] = {"model.embed_tokens.weight": (config["vocab_size"], width)}
    for layer in range(config["num_hidden_layers"]):
        inside = {
            "self_attn.q_proj": (width, width),
            "self_attn.k_proj": (keys, width),
            "self_attn.v_proj": (keys, width),
            "self_attn.o_proj": (width, width),
            "mlp.gate_proj": (inner, width),
            "mlp.up_proj": (inner, width),
            "mlp.down_proj": (width, inner),
            "input_layernorm": (width,),
            "post_attention_layernorm": (width,),
        }
        shapes |= {f"model.layers.{layer}.{name}.weight": shape for name, shape in inside.items()}
    return {**shapes, "model.norm.weight": (width,)}


def _weights(config: dict[str, Any], seed: int) -> bytes:
    """A safetensors file: norms are 1, all other weights are drawn from a normal distribution."""
    draw = random.Random(seed)  # noqa: S311  weights that anyone can repeat
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = bytearray()
    for name, shape in _shapes(config).items():
        count = math.prod(shape)
        std = _STD_OF_EMBEDDINGS if "embed" in name else _STD
        values = [1.0] * count if len(shape) == 1 else [draw.gauss(0.0, std) for _ in range(count)]
        start = len(body)
        body += struct.pack(f"<{count}f", *values)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, len(body)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(body)
