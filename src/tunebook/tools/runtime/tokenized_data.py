"""Token ids and labels of a training's examples: the same for every library that trains on them.

Runs inside jobs, and needs only other modules of this package.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.data_formats import Record
from tunebook.tools.runtime.examples import cut_message, example_parts, joint_tokens
from tunebook.tools.runtime.training_data import load_records

__all__ = ["IGNORED", "ChatTokenizer", "tokenized_example", "tokenized_split"]

IGNORED = -100
"""The label of tokens that are not learnt, in every library."""


class ChatTokenizer:
    """A Hugging Face tokenizer with the methods that torchtune's recipes call, for every training."""

    def __init__(self, path: str, max_seq_len: int | None = None) -> None:
        from transformers import AutoTokenizer

        self.hf = AutoTokenizer.from_pretrained(path, local_files_only=True)
        if self.hf.eos_token_id is None:
            raise ValueError(f"the tokenizer in {path} has no end-of-text token")
        self.max_seq_len = max_seq_len
        self.eos_id = int(self.hf.eos_token_id)
        self.bos_id = self.hf.bos_token_id
        pad_id = self.hf.pad_token_id
        self.pad_id = self.eos_id if pad_id is None else int(pad_id)

    def encode(self, text: str, *, add_bos: bool = False, add_eos: bool = False) -> list[int]:
        """Returns a text's tokens; special tokens only where the text contains them or an argument requests them."""
        tokens = list(self.hf.encode(text, add_special_tokens=False))
        if add_bos and self.bos_id is not None:
            tokens.insert(0, int(self.bos_id))
        if add_eos:
            tokens.append(self.eos_id)
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """Returns the text of tokens."""
        return str(self.hf.decode(list(tokens)))


def tokenized_split(tokenizer: ChatTokenizer, data: Mapping[str, Any], split: str) -> list[tuple[list[int], list[int]]]:
    """Tokens and labels of each example of a split, with the loss on the answers only unless ``train_on_input``.

    Args:
        data: ``path``, ``dataset_type``, ``system_prompt``, ``prompt`` and ``train_on_input``.

    Raises:
        ValueError: the data cannot be read or used; the message names file, split and example.
    """
    path, dataset_type = Path(data["path"]), data["dataset_type"]
    records = load_records(path, split, dataset_type)
    limit = tokenizer.max_seq_len
    examples = []
    cut: list[int] = []
    longest = 0
    for number, record in enumerate(records):
        try:
            tokens, labels = tokenized_example(
                tokenizer, record, system_prompt=data["system_prompt"], prompt=data["prompt"]
            )
        except ValueError as error:
            raise ValueError(f"{path}, {split}, example {number}: {error}") from error
        if data["train_on_input"]:
            labels = list(tokens)
        if limit and len(tokens) > limit:
            cut.append(number)
            longest = max(longest, len(tokens))
        examples.append((tokens[:limit], labels[:limit]))
    if cut:
        message = cut_message(len(cut), len(records), limit=limit or 0, longest=longest)
        if dataset_type != "text_completion":
            raise ValueError(f"{path}, {split}, example {cut[0]}: {message}")
        sys.stderr.write(f"tunebook: {path}, {split}: {message}\n")
    return examples


def tokenized_example(
    tokenizer: ChatTokenizer, record: Record, *, system_prompt: str, prompt: str
) -> tuple[list[int], list[int]]:
    """Tokens and labels; the tokens of a prompt are those from which generation starts."""
    parts = example_parts(tokenizer.hf, record, system_prompt=system_prompt, prompt=prompt)
    if "text" in record:
        tokens = tokenizer.encode(record["text"], add_bos=True, add_eos=True)
        return tokens, list(tokens)
    tokens = []
    labels: list[int] = []
    for part, learnt in joint_tokens(tokenizer.encode, parts):
        tokens += part
        labels += part if learnt else [IGNORED] * len(part)
    return tokens, labels
