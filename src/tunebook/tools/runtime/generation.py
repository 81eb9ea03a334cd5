"""Generation settings: what a model's own files ask for, and what is neutral and in effect in an evaluation.

Greedy decoding must be the most probable token, and sampling must be that of the temperature alone: every other
setting of a model's ``generation_config.json`` is replaced by its neutral value. Its stop tokens stay, and the token
with which training ends an answer is added.

Runs inside jobs and in ``check``, without torch and Transformers, and needs nothing else of tunebook.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tunebook.tools.runtime.chat import end_of_answer
from tunebook.tools.runtime.whole_json import write_whole_json

__all__ = [
    "DEFAULT_MAX_TOKENS",
    "NEUTRAL",
    "neutralized",
    "own_stop_ids",
    "read_generation_config",
    "stop_ids",
    "stop_tokens",
    "write_generation_config",
]

DEFAULT_MAX_TOKENS = 2048
"""The most new tokens that inspect-ai's ``hf`` provider lets a model write if neither plan nor task says more."""

_FILE = "generation_config.json"
_IDS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
_IRRELEVANT = (
    *("transformers_version", "_from_model_config", "use_cache", "cache_implementation", "cache_config"),
    *("output_attentions", "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate"),
    *("do_sample", "max_length", "max_new_tokens", "max_cache_len", "compile_config", "disable_compile"),
    *("num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold"),
    *("assistant_lookbehind", "target_lookbehind"),
)  # without influence on the tokens, or set by every evaluation

NEUTRAL: Mapping[str, Any] = MappingProxyType(
    {
        "min_length": 0,
        "early_stopping": False,
        "num_beams": 1,
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "typical_p": 1.0,
        "repetition_penalty": 1.0,
        "length_penalty": 1.0,
        "no_repeat_ngram_size": 0,
        "encoder_no_repeat_ngram_size": 0,
        "num_return_sequences": 1,
        "remove_invalid_values": False,
        "epsilon_cutoff": 0.0,
        "eta_cutoff": 0.0,
        "encoder_repetition_penalty": 1.0,
        "num_beam_groups": 1,
        "diversity_penalty": 0.0,
    }
)
"""Values without an effect; a setting that is not listed is neutral without a value.

Transformers' own default of ``top_k`` is 50, which acts as soon as tokens are sampled.
"""


def read_generation_config(directory: Path) -> dict[str, Any]:
    """A model's own settings: ``generation_config.json``, otherwise the tokens that ``config.json`` names.

    Raises:
        ValueError: ``generation_config.json`` is not a JSON object.
    """
    file = directory / _FILE
    if file.is_file():
        values = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError(f"{file} holds no object")
        return values
    with suppress(OSError, ValueError):
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        return {name: config[name] for name in _IDS if config.get(name) is not None}
    return {}


def neutralized(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a model's own that would act, and that evaluations replace by neutral ones."""
    found = {}
    for name, value in values.items():
        if name in _IDS or name in _IRRELEVANT or value in (None, [], {}):
            continue
        if name not in NEUTRAL or value != NEUTRAL[name]:
            found[name] = value
    return found


def own_stop_ids(values: Mapping[str, Any]) -> list[int]:
    """The stop tokens that a model's own settings name."""
    ids = values.get("eos_token_id")
    if isinstance(ids, int):
        return [ids]
    return [int(item) for item in ids or ()]


def stop_tokens(tokenizer: Any) -> list[str]:
    """The tokens that end what training teaches: a text's end, and the end of an answer in the chat template."""
    tokens = [str(tokenizer.eos_token or "")]
    # A template that cannot render an answer cannot be trained with; its model can still be evaluated.
    with suppress(ValueError):
        tokens.append(end_of_answer(tokenizer))
    return [token for token in dict.fromkeys(tokens) if token]


def stop_ids(tokenizer: Any, directory: Path) -> list[int]:
    """The stop tokens of every evaluation: what training teaches, and those of the model's own settings.

    Args:
        tokenizer: Transformers' tokenizer of the model.
        directory: the model's, with its settings.

    Raises:
        ValueError: the token that ends an answer is not one of the tokenizer's tokens, so that no answer could end.
    """
    ids = []
    for token in stop_tokens(tokenizer):
        number = tokenizer.convert_tokens_to_ids(token)
        if not isinstance(number, int) or tokenizer.convert_ids_to_tokens(number) != token:
            raise ValueError(f"{directory}: {token!r} ends what training teaches, but is not a token of the tokenizer")
        ids.append(number)
    if not ids:
        raise ValueError(f"{directory}: the tokenizer has no token that ends an answer")
    return list(dict.fromkeys([*ids, *own_stop_ids(read_generation_config(directory))]))


def write_generation_config(directory: Path, stops: Sequence[int]) -> None:
    """Writes a checkpoint's ``generation_config.json``: greedy, neutral, with these stop tokens.

    The model's other token numbers stay.

    Args:
        directory: the checkpoint's.
        stops: as :func:`stop_ids` returns them.
    """
    own = read_generation_config(directory)
    values: dict[str, Any] = {name: own[name] for name in _IDS if own.get(name) is not None}
    values |= {"eos_token_id": list(stops), "do_sample": False}
    write_whole_json(directory / _FILE, values)
