"""The validation loss of a training with TRL, and the proof of its first batch; neither changes the training.

Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from tunebook.tools.runtime.answer_loss import Example, mean_answer_loss
from tunebook.tools.runtime.job_errors import TrainingError
from tunebook.tools.runtime.proof import tolerance
from tunebook.tools.runtime.tokenized_data import IGNORED

__all__ = ["Validation", "prove_batch"]

Row = Mapping[str, list[int]]
Collate = Callable[[Sequence[Row]], dict[str, torch.Tensor]]


class Validation:
    """The mean loss over all learnt tokens of the validation split.

    Args:
        rows: the examples' token ids and labels.
    """

    def __init__(self, rows: Sequence[Row], *, batch_size: int, collate: Collate) -> None:
        self._rows = rows
        self._size = batch_size
        self._collate = collate
        self._last = 0

    def is_due(self, step: int) -> bool:
        """Whether there was no validation after this step yet."""
        is_new = step != self._last
        self._last = step
        return is_new

    def loss(self, trainer: Any) -> float:
        """The loss under the trainer's model. Several processes share the batches, each in as many passes."""
        accelerator = trainer.accelerator
        total = torch.zeros(2, dtype=torch.float64, device=trainer.args.device)
        trainer.model_wrapped.eval()
        for rows in self._batches(accelerator.process_index, accelerator.num_processes):
            batch = self._collate(rows)
            total += batch_loss(trainer, batch).to(total.device)
        trainer.model_wrapped.train()
        summed, learnt = accelerator.reduce(total, reduction="sum").tolist()
        return float(summed / learnt) if learnt else float("nan")

    def _batches(self, rank: int, processes: int) -> Iterator[Sequence[Row]]:
        batches = -(-len(self._rows) // self._size)
        passes = -(-batches // processes)
        for number in range(passes):
            start = (number * processes + rank) * self._size
            yield self._rows[start : start + self._size]


def batch_loss(trainer: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The summed loss of a batch and the number of its learnt tokens, as the trainer computes them; two numbers."""
    on_device = {name: tensor.to(trainer.args.device) for name, tensor in batch.items()}
    learnt = int((on_device["labels"][:, 1:] != IGNORED).sum())
    with torch.no_grad():
        mean = trainer.compute_loss(trainer.model_wrapped, on_device)
    return torch.tensor([float(mean) * learnt, learnt], dtype=torch.float64)


def prove_batch(trainer: Any, rows: Sequence[Row], precision: str) -> None:
    """Compares the trainer's loss of a batch with that of its examples by themselves, with the model's own logits.

    It finds padding and packs that an architecture does not keep apart, and logits that TRL computes in another way.

    Args:
        rows: those of this process' first batch.
        precision: of the model: ``fp32``, ``bf16``, or that of quantized weights.

    Raises:
        TrainingError: the two losses differ.
    """
    rows = [row for row in rows if not row.get("position_ids") or row["position_ids"][0] == 0]  # others begin elsewhere
    alone = [example for row in rows for example in _examples_of(row)]
    apart = [dict(row) | {"labels": _without_first(row)} for row in rows]
    trainer.model_wrapped.eval()
    summed, learnt = batch_loss(trainer, trainer.data_collator(apart)).tolist()
    if learnt:
        model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
        wanted, _ = mean_answer_loss(alone, lambda ids: model(input_ids=ids).logits, trainer.args.device)
        if not abs(summed / learnt - wanted) <= tolerance(wanted, precision):
            raise TrainingError(
                f"the loss of the first batch is {summed / learnt:.5f}, but {wanted:.5f} with its examples one by one: "
                "this model's architecture cannot be trained in this way; try without Dataset Packing"
            )
    trainer.model_wrapped.train()


def _starts(row: Row) -> list[int]:
    """Where the examples of a row begin."""
    positions = row.get("position_ids")
    if positions is None:
        return [0]
    return [place for place, position in enumerate(positions) if place == 0 or position != positions[place - 1] + 1]


def _examples_of(row: Row) -> list[Example]:
    starts = _starts(row)
    ends = [*starts[1:], len(row["input_ids"])]
    return [(row["input_ids"][start:end], row["labels"][start:end]) for start, end in zip(starts, ends, strict=True)]


def _without_first(row: Row) -> list[int]:
    """The labels without those of each example's first token, which only the example before it could predict."""
    labels = list(row["labels"])
    for start in _starts(row):
        labels[start] = IGNORED
    return labels
