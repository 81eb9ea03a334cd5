"""Well-known models by name, for plans that are scaffolded where the model's own files cannot be read.

Dimensions as the models' ``config.json`` on the Hugging Face Hub gives them; a test builds each with torchtune.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from tunebook.errors import PlanError

__all__ = ["KNOWN_MODELS", "KnownModel", "known_model", "unknown_model"]


@dataclass(frozen=True)
class KnownModel:
    """One model: the fields of its ``config.json`` that decide, and how many weight files it has."""

    names: tuple[str, ...]
    config: Mapping[str, Any]
    files: int


def _config(kind: str, **values: Any) -> dict[str, Any]:
    common = {"hidden_act": "silu", "rms_norm_eps": 1e-5, "tie_word_embeddings": False}
    return {"model_type": kind, **common, **values}


def _sizes(hidden: int, inter: int, layers: int, heads: int, kv: int, vocab: int) -> dict[str, int]:
    return {
        "hidden_size": hidden,
        "intermediate_size": inter,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "vocab_size": vocab,
    }


_LLAMA_VOCABULARY = 128_256
_SCALED: dict[str, Any] = {
    "rope_type": "llama3",
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def _llama(sizes: dict[str, int], context: int, factor: float | None, *, tied: bool = False) -> dict[str, Any]:
    scaling = {**_SCALED, "factor": factor} if factor else None
    return _config(
        "llama",
        **sizes,
        max_position_embeddings=context,
        rope_theta=500_000.0,
        rope_scaling=scaling,
        tie_word_embeddings=tied,
    )


def _qwen(sizes: dict[str, int], *, tied: bool = False, eps: float = 1e-6, context: int = 32_768) -> dict[str, Any]:
    return _config(
        "qwen2",
        **sizes,
        max_position_embeddings=context,
        rope_theta=1_000_000.0,
        rms_norm_eps=eps,
        tie_word_embeddings=tied,
    )


def _mistral(vocab: int, theta: float, window: int | None) -> dict[str, Any]:
    sizes = _sizes(4096, 14_336, 32, 32, 8, vocab)
    return _config("mistral", **sizes, max_position_embeddings=32_768, rope_theta=theta, sliding_window=window)


def _gemma(sizes: dict[str, int], head_dim: int, scalar: int) -> dict[str, Any]:
    return _config(
        "gemma2",
        **sizes,
        head_dim=head_dim,
        query_pre_attn_scalar=scalar,
        max_position_embeddings=8192,
        rope_theta=10_000.0,
        rms_norm_eps=1e-6,
        hidden_act="gelu_pytorch_tanh",
        attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0,
        sliding_window=4096,
        tie_word_embeddings=True,
    )


_L8 = _sizes(4096, 14_336, 32, 32, 8, _LLAMA_VOCABULARY)
_L70 = _sizes(8192, 28_672, 80, 64, 8, _LLAMA_VOCABULARY)
_L1 = _sizes(2048, 8192, 16, 32, 8, _LLAMA_VOCABULARY)
_L3 = _sizes(3072, 8192, 28, 24, 8, _LLAMA_VOCABULARY)
_Q1_5 = _sizes(1536, 8960, 28, 12, 2, 151_936)
_Q7 = _sizes(3584, 18_944, 28, 28, 4, 152_064)
_Q14 = _sizes(5120, 13_824, 48, 40, 8, 152_064)
_Q32 = _sizes(5120, 27_648, 64, 40, 8, 152_064)
_Q72 = _sizes(8192, 29_568, 80, 64, 8, 152_064)
_LONG = 131_072

KNOWN_MODELS = (
    KnownModel(("Meta-Llama-3-8B", "Meta-Llama-3-8B-Instruct", "Llama-3-8B-Instruct"), _llama(_L8, 8192, None), 4),
    KnownModel(("Meta-Llama-3-70B", "Meta-Llama-3-70B-Instruct"), _llama(_L70, 8192, None), 30),
    KnownModel(
        ("Llama-3.1-8B", "Llama-3.1-8B-Instruct", "Meta-Llama-3.1-8B", "Meta-Llama-3.1-8B-Instruct"),
        _llama(_L8, _LONG, 8.0),
        4,
    ),
    KnownModel(
        ("Llama-3.1-70B", "Llama-3.1-70B-Instruct", "Meta-Llama-3.1-70B", "Meta-Llama-3.1-70B-Instruct"),
        _llama(_L70, _LONG, 8.0),
        30,
    ),
    KnownModel(("Llama-3.2-1B", "Llama-3.2-1B-Instruct"), _llama(_L1, _LONG, 32.0, tied=True), 1),
    KnownModel(("Llama-3.2-3B", "Llama-3.2-3B-Instruct"), _llama(_L3, _LONG, 32.0, tied=True), 2),
    KnownModel(("Llama-3.3-70B-Instruct",), _llama(_L70, _LONG, 8.0), 30),
    KnownModel(("Qwen2.5-0.5B", "Qwen2.5-0.5B-Instruct"), _qwen(_sizes(896, 4864, 24, 14, 2, 151_936), tied=True), 1),
    KnownModel(("Qwen2.5-1.5B",), _qwen(_Q1_5, tied=True, context=_LONG), 1),
    KnownModel(("Qwen2.5-1.5B-Instruct",), _qwen(_Q1_5, tied=True), 1),
    KnownModel(("Qwen2.5-3B", "Qwen2.5-3B-Instruct"), _qwen(_sizes(2048, 11_008, 36, 16, 2, 151_936), tied=True), 2),
    KnownModel(("Qwen2.5-7B",), _qwen(_Q7, context=_LONG), 4),
    KnownModel(("Qwen2.5-7B-Instruct",), _qwen(_Q7), 4),
    KnownModel(("Qwen2.5-14B",), _qwen(_Q14, eps=1e-5, context=_LONG), 8),
    KnownModel(("Qwen2.5-14B-Instruct",), _qwen(_Q14), 8),
    KnownModel(("Qwen2.5-32B",), _qwen(_Q32, eps=1e-5, context=_LONG), 17),
    KnownModel(("Qwen2.5-32B-Instruct",), _qwen(_Q32), 17),
    KnownModel(("Qwen2.5-72B",), _qwen(_Q72, eps=1e-5, context=_LONG), 37),
    KnownModel(("Qwen2.5-72B-Instruct",), _qwen(_Q72), 37),
    KnownModel(("Mistral-7B-v0.1", "Mistral-7B-Instruct-v0.1"), _mistral(32_000, 10_000.0, 4096), 2),
    KnownModel(("Mistral-7B-Instruct-v0.2",), _mistral(32_000, 1_000_000.0, None), 3),
    KnownModel(("Mistral-7B-v0.3", "Mistral-7B-Instruct-v0.3"), _mistral(32_768, 1_000_000.0, None), 3),
    KnownModel(("gemma-2-2b",), _gemma(_sizes(2304, 9216, 26, 8, 4, 256_000), 256, 256), 3),
    KnownModel(("gemma-2-2b-it",), _gemma(_sizes(2304, 9216, 26, 8, 4, 256_000), 256, 256), 2),
    KnownModel(("gemma-2-9b",), _gemma(_sizes(3584, 14_336, 42, 16, 8, 256_000), 256, 256), 8),
    KnownModel(("gemma-2-9b-it",), _gemma(_sizes(3584, 14_336, 42, 16, 8, 256_000), 256, 256), 4),
    KnownModel(("gemma-2-27b",), _gemma(_sizes(4608, 36_864, 46, 32, 16, 256_000), 128, 144), 24),
    KnownModel(("gemma-2-27b-it",), _gemma(_sizes(4608, 36_864, 46, 32, 16, 256_000), 128, 144), 12),
    KnownModel(
        ("Phi-3-mini-4k-instruct",),
        _config(
            "phi3",
            **_sizes(3072, 8192, 32, 32, 32, 32_064),
            max_position_embeddings=4096,
            rope_theta=10_000.0,
            sliding_window=2047,
        ),
        2,
    ),
    KnownModel(
        ("phi-4",),
        _config(
            "phi3", **_sizes(5120, 17_920, 40, 40, 10, 100_352), max_position_embeddings=16_384, rope_theta=250_000.0
        ),
        6,
    ),
)


def known_model(name: str) -> KnownModel | None:
    """The model of this name, the last part of a path or a Hub name, without regard to case."""
    wanted = name.rsplit("/", 1)[-1].lower()
    return next((model for model in KNOWN_MODELS if wanted in (known.lower() for known in model.names)), None)


def unknown_model(name: str) -> PlanError:
    """The error for a model whose architecture nothing here tells."""
    names = {known.lower(): known for model in KNOWN_MODELS for known in model.names}
    message = f"model {name} is not a well-known one, and its config.json could not be read"
    near = get_close_matches(name.rsplit("/", 1)[-1].lower(), names, n=3, cutoff=0.5)
    if near:
        message += "; similar names: " + ", ".join(names[item] for item in near)
    hint = "correct the model's path: a directory with a config.json that can be read here; or use a known name"
    return PlanError(message, hint=hint)
