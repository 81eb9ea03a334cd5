"""Goes through every field of a ``config.json`` and refuses the values with which torchtune computes another function.

A field is read by a builder, has the one value that the builder knows, or is known not to change what the model
computes. Every other field is a reason to refuse the model: what it does is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tunebook.tools.model_facts import WINDOW_IS_LIMIT

__all__ = ["FAMILIES", "Family", "refuse_other_functions", "rotary_settings"]

Config = Mapping[str, Any]

_DEFAULT_THETA = 10_000.0
_READ = frozenset(
    (
        *("model_type", "architectures", "quantization_config", "layer_types", "tie_word_embeddings", "head_dim"),
        *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
        *("num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "sliding_window"),
        *("rope_theta", "rope_scaling", "rope_parameters", "partial_rotary_factor"),
    )
)
_HARMLESS = frozenset(
    (
        # where the model comes from, and how it is stored
        *("transformers_version", "torch_dtype", "dtype", "auto_map", "name_or_path", "transformers.js_config"),
        *(
            "is_llama_config",
            "unsloth_fixed",
            "unsloth_version",
            "model_name",
            "finetuning_task",
            "task_specific_params",
        ),
        # special tokens, which the tokenizer and the generation configuration decide
        *("bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "unk_token_id", "decoder_start_token_id"),
        *("tokenizer_class", "prefix"),
        # how Transformers returns, caches and initializes, and other tasks than generating text
        *("use_cache", "cache_implementation", "return_dict", "output_attentions", "output_hidden_states"),
        *(
            "initializer_range",
            "pretraining_tp",
            "gradient_checkpointing",
            "torchscript",
            "use_bfloat16",
            "tf_legacy_loss",
        ),
        *("is_decoder", "is_encoder_decoder", "chunk_size_feed_forward", "problem_type", "id2label", "label2id"),
        *("num_labels", "attn_implementation"),
        # settings of generation, which do not change the logits
        *("do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "top_h"),
        *("max_length", "max_new_tokens", "min_length", "min_new_tokens", "num_beams", "num_beam_groups"),
        *("early_stopping", "num_return_sequences", "repetition_penalty", "no_repeat_ngram_size", "length_penalty"),
        *(
            "encoder_no_repeat_ngram_size",
            "encoder_repetition_penalty",
            "diversity_penalty",
            "exponential_decay_length_penalty",
        ),
        *("bad_words_ids", "begin_suppress_tokens", "suppress_tokens", "forced_bos_token_id", "forced_eos_token_id"),
        *("remove_invalid_values", "output_scores", "output_logits", "return_dict_in_generate", "penalty_alpha"),
        *("renormalize_logits", "guidance_scale", "low_memory", "sequence_bias", "stop_strings"),
    )
)
_ROTARY = frozenset(("rope_type", "type", "rope_theta", "partial_rotary_factor"))
_LLAMA3_SCALING = frozenset(
    ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings", "rope_interleaved")
)
_FULL = ("full_attention",)


@dataclass(frozen=True)
class Family:
    """What torchtune's builder of one family can represent.

    Attributes:
        causal: the class in Transformers; ``architectures`` must name it.
        kv_heads: the number that Transformers takes where the file gives none; ``None`` for that of the query heads.
        fixed: field to the only value that the builder computes.
        harmless: further fields that do not change the function.
        rotary: the keys that the rotary settings may have.
        layers: the attention of the layers, repeated until the last one.
    """

    causal: str
    kv_heads: int | None = None
    fixed: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    harmless: frozenset[str] = frozenset()
    rotary: frozenset[str] = _ROTARY | _LLAMA3_SCALING
    layers: tuple[str, ...] = _FULL

    @property
    def known(self) -> frozenset[str]:
        """Every field whose effect on the function is known."""
        return _READ | _HARMLESS | self.harmless | frozenset(self.fixed)


def _fixed(**values: Any) -> Mapping[str, Any]:
    return MappingProxyType({"attention_dropout": 0.0, **values})


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "llama": Family(
            "LlamaForCausalLM",
            fixed=_fixed(hidden_act="silu", attention_bias=False, mlp_bias=False, sliding_window=None),
            harmless=frozenset({"rope_interleaved"}),
        ),
        "qwen2": Family(
            "Qwen2ForCausalLM",
            kv_heads=32,
            fixed=_fixed(hidden_act="silu", use_sliding_window=False, use_mrope=False),
            harmless=frozenset({"max_window_layers"}),
        ),
        "mistral": Family(
            "MistralForCausalLM",
            kv_heads=8,
            fixed=_fixed(hidden_act="silu", tie_word_embeddings=False),
        ),
        "gemma2": Family(
            "Gemma2ForCausalLM",
            kv_heads=4,
            fixed=_fixed(
                hidden_activation="gelu_pytorch_tanh",
                hidden_act="gelu_pytorch_tanh",
                attention_bias=False,
                tie_word_embeddings=True,
                use_bidirectional_attention=False,
            ),
            harmless=frozenset({"query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping"}),
            layers=("sliding_attention", "full_attention"),
        ),
        "phi3": Family(
            "Phi3ForCausalLM",
            fixed=_fixed(hidden_act="silu", tie_word_embeddings=False, resid_pdrop=0.0, embd_pdrop=0.0),
            harmless=frozenset({"original_max_position_embeddings", "attention_bias"}),
        ),
    }
)


def rotary_settings(config: Config) -> dict[str, Any]:
    """The rotary settings as Transformers 5 puts them together from old and new fields.

    ``rope_scaling`` comes before ``rope_parameters``; ``rope_theta`` and ``partial_rotary_factor`` beside them count
    where they do not contain these.

    Raises:
        ValueError: they are not an object.
    """
    given = config.get("rope_scaling") or config.get("rope_parameters") or {}
    if not isinstance(given, Mapping):
        raise ValueError("its rotary settings are not an object")  # noqa: TRY004  a wrong file
    settings = dict(given)
    settings.setdefault("rope_type", settings.get("type", "default"))
    settings.setdefault("rope_theta", config.get("rope_theta", _DEFAULT_THETA))
    settings.setdefault("partial_rotary_factor", config.get("partial_rotary_factor", 1.0))
    return settings


def refuse_other_functions(config: Config) -> None:
    """Raises for a configuration with which Transformers computes what torchtune's builder cannot.

    Raises:
        ValueError: the first reason, as the end of "the model cannot be built by torchtune: …".
        KeyError: a dimension is missing.
    """
    kind = str(config.get("model_type", "unknown"))
    if kind not in FAMILIES:
        raise ValueError(f"its model_type is {kind}; torchtune 0.6.1 builds {', '.join(FAMILIES)}")
    if config.get("quantization_config"):
        raise ValueError("its weights are quantized")
    family = FAMILIES[kind]
    _refuse_values(config, family.fixed)
    _refuse_architecture(config, family)
    _refuse_heads(config, family, kind)
    _refuse_layers(config, family, kind)
    _refuse_rotary(config, family)
    _refuse_unknown(config, family)


def _refuse_values(config: Config, fixed: Mapping[str, Any]) -> None:
    """Every field that a builder fixes must have its value, or be absent."""
    for key, value in fixed.items():
        given = config.get(key)
        if given is not None and given != value:
            raise ValueError(f"its {key} is {given!r}, but torchtune's builder has {value!r}")


def _refuse_architecture(config: Config, family: Family) -> None:
    names = config.get("architectures")
    if names and family.causal not in names:
        raise ValueError(f"its architectures are {', '.join(map(str, names))}, not {family.causal}")


def _refuse_heads(config: Config, family: Family, kind: str) -> None:
    """Torchtune's conversion of the weights needs the number of key-value heads, and heads that share the width."""
    heads, width = int(config["num_attention_heads"]), int(config["hidden_size"])
    if not config.get("num_key_value_heads"):
        needed = family.kv_heads or heads
        message = "it has no num_key_value_heads, without which torchtune 0.6.1 cannot convert the weights; "
        raise ValueError(message + f'add "num_key_value_heads": {needed}, which Transformers takes for it')
    if heads % int(config["num_key_value_heads"]):
        raise ValueError(f"its {heads} attention heads are not a multiple of its num_key_value_heads")
    if kind == "gemma2":
        return
    if width % heads:
        raise ValueError(f"its hidden_size {width} is not a multiple of its {heads} attention heads")
    head_dim = config.get("head_dim") or width // heads
    if head_dim != width // heads:
        raise ValueError(f"its head_dim is {head_dim}, but torchtune's builder has {width // heads}")


def _refuse_layers(config: Config, family: Family, kind: str) -> None:
    given = config.get("layer_types")
    if given is None:
        return
    planned = [family.layers[number % len(family.layers)] for number in range(int(config["num_hidden_layers"]))]
    if list(given) == planned:
        return
    if kind in WINDOW_IS_LIMIT and set(given) <= {"full_attention", "sliding_attention"}:
        return  # within the window both are the same
    expected = ", ".join(planned[:4])
    raise ValueError(f"its layer_types are not those of torchtune's builder, which has {expected}, …")


def _refuse_rotary(config: Config, family: Family) -> None:
    settings = rotary_settings(config)
    factor = settings["partial_rotary_factor"]
    if factor not in {None, 1.0}:
        message = f"its partial_rotary_factor is {factor!r}, but torchtune's builder turns the whole of each head"
        raise ValueError(message)
    for key, value in settings.items():
        if key not in family.rotary and value is not None:
            raise ValueError(f"its rotary settings contain {key}, which torchtune's builder does not know")


def _refuse_unknown(config: Config, family: Family) -> None:
    """A field that nobody knows may change the function; one that is off (null, false, empty) does not."""
    for key, value in config.items():
        if key in family.known or key.startswith("_") or value is None or value is False or value in ({}, [], ""):
            continue
        message = f"its {key} is {value!r:.60}, and tunebook does not know whether that changes what the model computes"
        raise ValueError(f"{message}; remove the field from config.json if it does not")
