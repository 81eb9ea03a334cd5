"""The parts of a task for inspect-ai that are the same for every experiment: its data, and what scorers read.

A task that ``tunebook task new`` wrote imports them. They read data, columns and prompts exactly as trainings do.
Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ModelOutput,
    get_model,
)

from tunebook.tools.runtime.answer_numbers import first_number, number_of
from tunebook.tools.runtime.data_files import RawExample
from tunebook.tools.runtime.data_formats import answer_of, is_group
from tunebook.tools.runtime.questions import SPLIT, question_messages, question_records
from tunebook.tools.runtime.yaml_reading import load_yaml

__all__ = ["first_number", "number_of", "option_probabilities", "read_dataset"]

_SETTINGS = "setup_finetune.yaml"
_INSTRUCT = "instruct"
_SPACE = "Ġ▁ \t\n"  # tokenizers write the space before a word as one of the first two
_KINDS: Mapping[str, Any] = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}


def read_dataset(
    config_dir: str | None = None,
    dataset_path: str | None = None,
    system_prompt: str | None = None,
    prompt: str | None = None,
    *,
    split: str = SPLIT,
    groups: Sequence[str] = (),
) -> MemoryDataset:
    """The samples of one split, each with its finished prompt, its target, and the columns that make groups.

    A sample's id is its position in the split, counted from zero.

    Args:
        config_dir: a directory with a run's ``setup_finetune.yaml``; the other arguments take precedence over it.
        groups: columns of the data that become the samples' metadata.

    Raises:
        ValueError: neither ``config_dir`` nor ``dataset_path`` is given, or the data cannot be used; the message names
            the file and the example.
    """
    setup = _settings(config_dir) if config_dir else {}
    if not (dataset_path or setup):
        raise ValueError("give config_dir (a directory with a run's setup_finetune.yaml) or dataset_path")
    data = Path(dataset_path) if dataset_path else _data_of(setup)
    dataset_type = str(setup.get("dataset_type") or _INSTRUCT)
    if system_prompt is None:
        system_prompt = setup.get("system_prompt") or ""
    if prompt is None:
        prompt = setup.get("prompt") or "{input}"
    if "{input}" not in prompt:
        raise ValueError(f"the prompt {prompt!r} has no {{input}}: every sample would be the same")
    samples = []
    for example, record in question_records(data, dataset_type, split):
        messages = [_message(message) for message in question_messages(record, system_prompt, prompt)]
        metadata = {name: _group(example, name) for name in groups}
        samples.append(Sample(id=example.number, input=messages, target=answer_of(record), metadata=metadata))
    return MemoryDataset(samples, name=data.name, location=str(data))


def _settings(config_dir: str) -> Mapping[str, Any]:
    file = Path(config_dir) / _SETTINGS
    try:
        values = load_yaml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is not YAML: {error}") from None
    if not isinstance(values, dict) or not values:
        raise ValueError(f"{file} holds no settings")
    return values


def _data_of(setup: Mapping[str, Any]) -> Path:
    name = f"{setup['dataset_label']}{setup['dataset_ext']}"
    return Path(str(setup["input_dir_base"]), str(setup.get("input_formatting") or ""), name)


def _message(message: Mapping[str, str]) -> ChatMessage:
    found: ChatMessage = _KINDS[message["role"]](content=message["content"])
    return found


def _group(example: RawExample, name: str) -> str | int | float | bool:
    """The value of a column."""
    value = example.value.get(name)
    if not is_group(value):
        fields = ", ".join(example.value)
        raise ValueError(f"{example}: no text or number in the column `{name}`; the fields are: {fields}")
    found: str | int | float | bool = value
    return found


def option_probabilities(output: ModelOutput, options: Sequence[str]) -> dict[str, float] | None:
    """The probability of each option, of the options only, as the first token of the answer.

    Returns:
        Option to probability, with the sum 1; ``None`` if the first token of an option is not among the most probable
        tokens that the model named.

    Raises:
        ValueError: the model gives no log-probabilities, or two options begin with the same token.
    """
    logprobs = output.choices[0].logprobs if output.choices else None
    if logprobs is None or not logprobs.content:
        raise ValueError("the model gives no log-probabilities: evaluate with `Inference: hf`, and set logprobs=True")
    found = dict.fromkeys(options, 0.0)
    unclear = 0.0
    tokens = _first_tokens(options)
    for candidate in logprobs.content[0].top_logprobs or ():
        token, probability = tokens.written(candidate.token), math.exp(candidate.logprob)
        if token in tokens.options:
            found[tokens.options[token]] += probability
        elif token in tokens.unclear:
            unclear += probability
    total = sum(found.values())
    if not all(found.values()) or unclear > total:
        return None
    return {option: probability / total for option, probability in found.items()}


@dataclass(frozen=True)
class _FirstTokens:
    """How answers may begin.

    Attributes:
        options: the first token of an option, with or without a space before it, to the option.
        unclear: a space alone, and tokens that begin both options behind a space.
        has_tokenizer: whether these are tokens of the model; otherwise they are the options themselves.
    """

    options: Mapping[str, str]
    unclear: frozenset[str] = frozenset()
    has_tokenizer: bool = True

    def written(self, token: str) -> str:
        """A candidate of the model as it is written here."""
        return token if self.has_tokenizer else token.strip(_SPACE)


def _first_tokens(options: Sequence[str]) -> _FirstTokens:
    """The first tokens of each option.

    A model without a tokenizer here, such as a mock, is taken to have a token for each option.
    """
    tokenizer: Any = getattr(get_model().api, "tokenizer", None)
    if tokenizer is None:
        return _FirstTokens({option.strip(): option for option in options}, has_tokenizer=False)
    found: dict[str, str] = {}
    unclear: set[str] = set()
    for before in ("", " "):
        for option in options:
            tokens, blank = _beginnings(tokenizer, before + option.strip())
            unclear |= blank
            for token in tokens:
                known = found.setdefault(token, option)
                if known != option and not before:
                    raise ValueError(f"the options {known!r} and {option!r} begin with the same token, {token!r}")
                if known != option:
                    unclear.add(token)
    return _FirstTokens({token: option for token, option in found.items() if token not in unclear}, frozenset(unclear))


def _beginnings(tokenizer: Any, text: str) -> tuple[set[str], set[str]]:
    """The tokens with which a text may begin, and a space alone that stands before it as a token of its own."""
    pieces = tokenizer.convert_ids_to_tokens(tokenizer.encode(text, add_special_tokens=False))
    words = [piece for piece in pieces if piece.strip(_SPACE)]
    blank = {piece for piece in pieces[:1] if not piece.strip(_SPACE)}
    return ({words[0], words[0].removeprefix("▁")} if words else set()), blank
