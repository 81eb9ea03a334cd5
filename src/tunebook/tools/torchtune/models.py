"""Finds the torchtune builder for exactly the model that a ``config.json`` describes, or refuses the model.

A wrong architecture trains without any error. A model that no builder of torchtune 0.6.1 can represent is therefore
an error here. A test builds a small random model of each family with Transformers and with torchtune and compares
their logits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from tunebook.errors import PlanError
from tunebook.tools.known_models import KNOWN_MODELS, known_model
from tunebook.tools.model_facts import ModelFacts, parameters_b

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
        raise PlanError(_unknown(name), hint="give a directory whose config.json can be read here, or a known name")
    if facts is not None and facts.weight_files:
        files = facts.weight_files
    elif known is not None:
        files = _files(known.files)
    else:
        files = _files(1)
    prefix = "lora_" if lora else ""
    try:
        builder, arguments, model_type = _family(config)(config, prefix)
    except KeyError as error:
        raise PlanError(f"model {name} cannot be built by torchtune: {error.args[0]} is missing ({source})") from None
    except (ValueError, TypeError, AttributeError, ZeroDivisionError) as error:  # a field of another type, or zero
        raise PlanError(f"model {name} cannot be built by torchtune: {error} ({source})") from None
    return TorchtuneModel(builder, arguments, model_type, files, parameters_b(config))


def _unknown(name: str) -> str:
    names = {known.lower(): known for model in KNOWN_MODELS for known in model.names}
    message = f"model {name} is not a well-known one, and its config.json could not be read"
    near = get_close_matches(name.rsplit("/", 1)[-1].lower(), names, n=3, cutoff=0.5)
    if near:
        message += "; similar names: " + ", ".join(names[item] for item in near)
    return message


def _files(count: int) -> tuple[str, ...]:
    if count == 1:
        return ("model.safetensors",)
    return tuple(f"model-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1))


def _family(config: Config) -> Callable[[Config, str], tuple[str, dict[str, Any], str]]:
    families = {"llama": _llama, "qwen2": _qwen2, "mistral": _mistral, "gemma2": _gemma2, "phi3": _phi3}
    kind = str(config.get("model_type", "unknown"))
    if kind not in families:
        raise ValueError(f"its model_type is {kind}; torchtune 0.6.1 builds {', '.join(families)}")
    if config.get("quantization_config"):
        raise ValueError("its weights are quantized")
    return families[kind]


def _dimensions(config: Config) -> dict[str, Any]:
    heads = int(config["num_attention_heads"])
    return {
        "vocab_size": int(config["vocab_size"]),
        "num_layers": int(config["num_hidden_layers"]),
        "num_heads": heads,
        "num_kv_heads": int(config.get("num_key_value_heads") or heads),
        "embed_dim": int(config["hidden_size"]),
        "intermediate_dim": int(config["intermediate_size"]),
        "max_seq_len": int(config["max_position_embeddings"]),
        "norm_eps": float(config["rms_norm_eps"]),
        "rope_base": _whole(float(_rope(config)["rope_theta"])),
    }


def _rope(config: Config) -> Mapping[str, Any]:
    """Rotary settings: ``rope_parameters`` as Transformers 5 writes them, else ``rope_theta`` and ``rope_scaling``."""
    settings = config.get("rope_parameters")
    scaling = config.get("rope_scaling") or {}
    if not isinstance(settings or scaling, Mapping):
        raise ValueError("its rotary settings are no object")  # noqa: TRY004  a wrong file
    if not settings:
        settings = {"rope_theta": config.get("rope_theta", 10_000.0), **scaling}
    return {"rope_type": settings.get("type", "default"), **settings}


def _whole(number: float) -> int | float:
    """The number as an integer if it is one, as torchtune's own configurations have it."""
    return int(number) if number.is_integer() else number


def _refuse(config: Config, **allowed: object) -> None:
    """Every named field must have the allowed value, or be absent."""
    for key, value in allowed.items():
        if config.get(key, value) != value:
            raise ValueError(f"its {key} is {config[key]!r}, but torchtune's builder has {value!r}")


def _plain_rope(config: Config) -> None:
    kind = _rope(config)["rope_type"]
    if kind != "default":
        raise ValueError(f"its rotary embedding is of type {kind}, which torchtune's builder does not have")


def _square_heads(config: Config) -> None:
    implied = int(config["hidden_size"]) // int(config["num_attention_heads"])
    if (config.get("head_dim") or implied) != implied:
        raise ValueError(f"its head_dim is {config['head_dim']}, but torchtune's builder has {implied}")


def _llama(config: Config, prefix: str) -> tuple[str, dict[str, Any], str]:
    _refuse(config, attention_bias=False, mlp_bias=False, hidden_act="silu")
    _square_heads(config)
    arguments = _llama_arguments(config)
    model_type = "LLAMA3"
    if arguments["tie_word_embeddings"]:
        model_type = "LLAMA3_2"
    for size in ("1b", "3b"):
        known = known_model(f"Llama-3.2-{size}")
        if known and arguments == _llama_arguments(known.config):
            return f"torchtune.models.llama3_2.{prefix}llama3_2_{size}", {}, model_type
    return f"torchtune.models.llama3_2.{prefix}llama3_2", arguments, model_type


def _llama_arguments(config: Config) -> dict[str, Any]:
    tied = bool(config.get("tie_word_embeddings", False))
    return _dimensions(config) | {"scale_factor": _llama_scaling(config), "tie_word_embeddings": tied}


def _llama_scaling(config: Config) -> int | float:
    rope = _rope(config)
    if rope["rope_type"] == "default":
        return 1
    wanted = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": _OLD_CONTEXT}
    if rope["rope_type"] != "llama3" or any(float(rope[key]) != value for key, value in wanted.items()):
        raise ValueError(f"its rotary scaling {dict(rope)} is not the one of Llama 3.1")
    return _whole(float(rope["factor"]))


def _qwen2(config: Config, prefix: str) -> tuple[str, dict[str, Any], str]:
    _refuse(config, hidden_act="silu", use_sliding_window=False)
    _plain_rope(config)
    _square_heads(config)
    arguments = _dimensions(config) | {"tie_word_embeddings": bool(config.get("tie_word_embeddings", False))}
    return f"torchtune.models.qwen2.{prefix}qwen2", arguments, "QWEN2"


def _mistral(config: Config, prefix: str) -> tuple[str, dict[str, Any], str]:
    """Mistral 7B v0.1 has a window of 4096 tokens, which torchtune ignores; up to that length both compute the same."""
    _refuse(config, hidden_act="silu", tie_word_embeddings=False)
    _plain_rope(config)
    _square_heads(config)
    arguments = _dimensions(config)
    if config.get("sliding_window"):
        arguments["max_seq_len"] = min(arguments["max_seq_len"], int(config["sliding_window"]))
    return f"torchtune.models.mistral.{prefix}mistral", arguments, "MISTRAL"


def _gemma2(config: Config, prefix: str) -> tuple[str, dict[str, Any], str]:
    """Torchtune's own Gemma 2 applies its caps in the wrong places; ours applies them as the model does."""
    _refuse(config, hidden_act="gelu_pytorch_tanh", attention_bias=False, tie_word_embeddings=True)
    _plain_rope(config)
    arguments = _dimensions(config) | {
        "head_dim": int(config["head_dim"]),
        "attention_capping": float(config["attn_logit_softcapping"]),
        "logit_capping": float(config["final_logit_softcapping"]),
        "sliding_window_size": int(config["sliding_window"]),
        "query_pre_attn_scalar": int(config["query_pre_attn_scalar"]),
    }
    return f"tunebook.tools.runtime.torchtune_gemma2.{prefix}gemma2", arguments, "GEMMA2"


def _phi3(config: Config, prefix: str) -> tuple[str, dict[str, Any], str]:
    _refuse(config, hidden_act="silu", tie_word_embeddings=False, partial_rotary_factor=1.0)
    _plain_rope(config)
    _square_heads(config)
    arguments = _dimensions(config)
    model_type = "PHI4"
    if arguments["num_kv_heads"] == arguments["num_heads"]:
        model_type = "PHI3_MINI"
    return f"torchtune.models.phi3.{prefix}phi3", arguments, model_type
