"""The batches of a training with TRL: tunebook's tokens, labels, packs and order, on one or several devices.

Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch.utils.data import Sampler

from tunebook.tools.runtime.answer_loss import Example
from tunebook.tools.runtime.example_order import EpochOrder
from tunebook.tools.runtime.packing import packs
from tunebook.tools.runtime.tokenized_data import IGNORED, ChatTokenizer, tokenized_split
from tunebook.tools.runtime.trl_settings import Settings

__all__ = ["EpochBatches", "batch_of", "rows_of"]

Row = Mapping[str, list[int]]


def rows_of(settings: Settings, tokenizer: ChatTokenizer, split: str) -> dict[str, list[list[int]]]:
    """The columns ``input_ids``, ``labels`` and, of packed training data, ``position_ids`` of a split.

    Raises:
        ValueError: the data cannot be read or used; the message names file, split and example.
    """
    examples: Sequence[Example] = tokenized_split(tokenizer, settings.data, split)
    if not settings.data["packed"] or split != "train":
        return {
            "input_ids": [list(tokens) for tokens, _ in examples],
            "labels": [list(labels) for _, labels in examples],
        }
    splits = settings.data["dataset_type"] == "text_completion"
    made = packs(examples, int(settings.trl["max_length"]), splits=splits)
    return {
        "input_ids": [pack.tokens for pack in made],
        "labels": [pack.labels for pack in made],
        "position_ids": [pack.positions for pack in made],
    }


def batch_of(rows: Sequence[Row], pad_id: int) -> dict[str, torch.Tensor]:
    """One batch, padded at the end; without rows, one token that is not learnt.

    Packed rows have positions instead of an attention mask: from them Transformers sees where each example starts, and
    that the padding is not one of them.
    """
    if not rows:
        rows = [{"input_ids": [pad_id], "labels": [IGNORED]}]
    length = max(len(row["input_ids"]) for row in rows)
    batch = {
        "input_ids": _padded([row["input_ids"] for row in rows], length, pad_id),
        "labels": _padded([row["labels"] for row in rows], length, IGNORED),
    }
    if "position_ids" in rows[0]:
        positions = [[*row["position_ids"], *range(length - len(row["position_ids"]))] for row in rows]
        return batch | {"position_ids": torch.tensor(positions)}
    ones = [[1] * len(row["input_ids"]) for row in rows]
    return batch | {"attention_mask": _padded(ones, length, 0)}


def _padded(rows: Sequence[Sequence[int]], length: int, value: int) -> torch.Tensor:
    return torch.tensor([[*row, *[value] * (length - len(row))] for row in rows])


class EpochBatches(Sampler[list[int]]):
    """The batches of one process in an epoch: every example is in exactly one batch of one process.

    Consecutive examples of the epoch's order make a batch for all processes together, and each takes its share. A share
    may be empty at the end of an epoch. So N processes with batches of B make the steps of one with batches of N x B.

    Args:
        most: the most batches of an epoch.
    """

    def __init__(
        self, order: EpochOrder, *, batch_size: int, rank: int = 0, processes: int = 1, most: int | None = None
    ) -> None:
        self.order = order
        self._size = batch_size
        self._rank = rank
        self._processes = processes
        self._most = most

    def __len__(self) -> int:
        together = self._size * self._processes
        batches = -(-len(self.order) // together)
        return min(batches, self._most) if self._most else batches

    def __iter__(self) -> Iterator[list[int]]:
        indices = list(self.order)
        together = self._size * self._processes
        for number in range(len(self)):
            start = number * together + self._rank * self._size
            end = min(start + self._size, (number + 1) * together)
            yield indices[start:end]
