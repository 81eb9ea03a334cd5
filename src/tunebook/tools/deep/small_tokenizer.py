"""A tokenizer whose few tokens fit into a small model.

The real tokenizer makes the tokens of the examples; the numbers that occur are counted through.
"""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.tools.runtime.tokenized_data import ChatTokenizer

__all__ = ["WORDS", "SmallTokenizer"]

WORDS = 4096
"""Distinct tokens of the few examples."""


class SmallTokenizer(ChatTokenizer):
    """The tokenizer of a training that numbers the tokens in the order in which they occur."""

    def __init__(self, path: str, max_seq_len: int | None = None) -> None:
        super().__init__(path, max_seq_len)
        self._numbers: dict[int, int] = {}
        self.pad_id = self._number(self.pad_id)
        self.eos_id = self._number(self.eos_id)
        self.bos_id = None if self.bos_id is None else self._number(int(self.bos_id))

    def _number(self, token: int) -> int:
        number = self._numbers.setdefault(token, len(self._numbers))
        if number >= WORDS:
            raise ValueError(f"the few examples have more than {WORDS} different tokens")
        return number

    def encode(self, text: str, *, add_bos: bool = False, add_eos: bool = False) -> list[int]:
        """The numbers of a text's tokens."""
        tokens = [self._number(token) for token in super().encode(text)]
        if add_bos and self.bos_id is not None:
            tokens.insert(0, self.bos_id)
        if add_eos:
            tokens.append(self.eos_id)
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of numbers."""
        tokens_of = {number: token for token, number in self._numbers.items()}
        return super().decode([tokens_of[number] for number in tokens])
