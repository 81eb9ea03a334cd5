"""Finds the torchtune builder for exactly the model that a ``config.json`` describes, or refuses the model.

A wrong architecture trains without any error. A model that no builder of torchtune 0.6.1 can represent is therefore
an error here. A test builds a small random model of each family with Transformers and with torchtune and compares
their logits. Every argument of the builder is given, so that no default of torchtune's decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tunebook.errors import PlanError
from tunebook.tools.known_models import known_model, unknown_model
from tunebook.tools.model_facts import ModelFacts, context_length, parameters_b
from tunebook.tools.torchtune.model_fields import refuse_other_functions, rotary_settings

__all__ = ["TorchtuneModel", "resolve_model"]

_OLD_CONTEXT = 8192  # torchtune's Llama 3.1 scaling has it and both frequency factors built in

Config = Mapping[str, Any]


@dataclass(frozen=True)
class TorchtuneModel:
    """The way in which torchtune builds and loads a model.

    Attributes:
        builder: dotted name of the builder; ``arguments`` are its own, without those of LoRA.
        model_type: the conversion of the weights that ``FullModelHFCheckpointer`` does.
        parameters_b: billions of parameters; memory and time depend on it.
    """

    builder: str
    arguments: Mapping[str, Any]
    model_type: str
    checkpoint_files: tuple[str, ...]
    parameters_b: float


def resolve_model(name: str, facts: ModelFacts | None, *, lora: bool) -> TorchtuneModel:
    """The builder for a model, by its ``config.json`` or otherwise by its name.

    Raises:
        PlanError: neither is known, or torchtune cannot build it.
    """
    known = known_model(name)
    if facts is not None and facts.config is not None:
        config, source = facts.config, "config.json"
    elif known is not None:
        config, source = known.config, "the table of well-known models"
    else:
        raise unknown_model(name)
    if facts is not None and facts.weight_files:
        files = facts.weight_files
    elif known is not None:
        files = _files(known.files)
    else:
        files = _files(1)
    prefix = "lora_" if lora else ""
    try:
        refuse_other_functions(config)
        builder, arguments, model_type = _BUILDERS[config["model_type"]](config, prefix)
    except KeyError as error:
        raise PlanError(f"model {name} cannot be built by torchtune: {error.args[0]} is missing ({source})") from None
    except (ValueError, TypeError, AttributeError, ZeroDivisionError) as error:  # a field of another type, or zero
        raise PlanError(f"model {name} cannot be built by torchtune: {error} ({source})") from None
    return TorchtuneModel(builder, arguments, model_type, files, parameters_b(config))


def _files(count: int) -> tuple[str, ...]:
    if count == 1:
        return ("model.safetensors",)
    return tuple(f"model-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1))


def _arguments(config: Config) -> dict[str, Any]:
    """Those that the builders of all families have; the sequences end with the window where torchtune ignores it."""
    rope = rotary_settings(config)
    return {
        "vocab_size": int(config["vocab_size"]),
        "num_layers": int(config["num_hidden_layers"]),
        "num_heads": int(config["num_attention_heads"]),
        "num_kv_heads": int(config["num_key_value_heads"]),
        "embed_dim": int(config["hidden_size"]),
        "intermediate_dim": int(config["intermediate_size"]),
        "max_seq_len": _longest(config),
        "norm_eps": float(config["rms_norm_eps"]),
        "rope_base": _whole(float(rope["rope_theta"])),
    }


def _longest(config: Config) -> int:
    length = context_length(config)
    if length is None:
        raise KeyError("max_position_embeddings")
    return length


def _whole(number: float) -> int | float:
    """The number as an integer if it is one, as torchtune's own configurations have it."""
    return int(number) if number.is_integer() else number


def _plain_rope(config: Config) -> None:
    kind = rotary_settings(config)["rope_type"]
    if kind != "default":
        raise ValueError(f"its rotary embedding is of type {kind}, which torchtune's builder does not have")


def _is_tied(config: Config) -> bool:
    return bool(config.get("tie_word_embeddings", False))


def _llama(config: Config, prefix: str) -> tuple[str, dict[str, Any], str]:
    tied = _is_tied(config)
    arguments = _arguments(config) | {"scale_factor": _llama_scaling(config), "tie_word_embeddings": tied}
    model_type = "LLAMA3"
    if tied:
        model_type = "LLAMA3_2"
    return f"torchtune.models.llama3_2.{prefix}llama3_2", arguments, model_type


def _llama_scaling(config: Config) -> int | float:
    rope = rotary_settings(config)
    if rope["rope_type"] == "default":
        return 1
    wanted = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": _OLD_CONTEXT}
    if rope["rope_type"] != "llama3" or any(float(rope[key]) != value for key, value in wanted.items()):
        raise ValueError(f"its rotary scaling {dict(rope)} is not the one of Llama 3.1")
    return _whole(float(rope["factor"]))


def _qwen2(config: Config, prefix: str) -> tuple[str, dict[str, Any], str]:
    _plain_rope(config)
    arguments = _arguments(config) | {"tie_word_embeddings": _is_tied(config)}
    return f"torchtune.models.qwen2.{prefix}qwen2", arguments, "QWEN2"


def _mistral(config: Config, prefix: str) -> tuple[str, dict[str, Any], str]:
    """Mistral 7B v0.1 has a window of 4096 tokens, which torchtune ignores; up to that length both compute the same."""
    _plain_rope(config)
    return f"torchtune.models.mistral.{prefix}mistral", _arguments(config), "MISTRAL"


def _gemma2(config: Config, prefix: str) -> tuple[str, dict[str, Any], str]:
    """Torchtune's own Gemma 2 applies its caps in the wrong places; ours applies them as the model does."""
    _plain_rope(config)
    arguments = _arguments(config) | {
        "head_dim": int(config["head_dim"]),
        "attention_capping": _number(config, "attn_logit_softcapping"),
        "logit_capping": _number(config, "final_logit_softcapping"),
        "sliding_window_size": int(_number(config, "sliding_window")),
        "query_pre_attn_scalar": _whole(_number(config, "query_pre_attn_scalar")),
    }
    return f"tunebook.tools.runtime.torchtune_gemma2.{prefix}gemma2", arguments, "GEMMA2"


def _number(config: Config, key: str) -> float:
    if config[key] is None:
        raise ValueError(f"its {key} is null, but torchtune's builder needs a number")
    return float(config[key])


def _phi3(config: Config, prefix: str) -> tuple[str, dict[str, Any], str]:
    """Phi 3 mini has a window of 2047 tokens, which torchtune ignores as it does Mistral's."""
    _plain_rope(config)
    arguments = _arguments(config)
    model_type = "PHI4"
    if arguments["num_kv_heads"] == arguments["num_heads"]:
        model_type = "PHI3_MINI"
    return f"torchtune.models.phi3.{prefix}phi3", arguments, model_type


_BUILDERS: Mapping[str, Callable[[Config, str], tuple[str, dict[str, Any], str]]] = {
    "llama": _llama,
    "qwen2": _qwen2,
    "mistral": _mistral,
    "gemma2": _gemma2,
    "phi3": _phi3,
}
