"""The proof for trainings with tunebook's torchtune recipe: the losses as trained, and as evaluations load them.

Runs inside the training job, and needs nothing of tunebook but its other job-side modules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tunebook.tools.runtime.answer_loss import Example, mean_answer_loss
from tunebook.tools.runtime.checkpoint_files import checkpoint_precision
from tunebook.tools.runtime.data_formats import Record
from tunebook.tools.runtime.evaluated_model import load_evaluated_model
from tunebook.tools.runtime.proof import (
    HELD_OUT,
    PROOF,
    SAMPLES,
    begin_proof,
    judge,
    read_proof,
    record_evaluated,
    record_trained,
)
from tunebook.tools.runtime.torchtune_components import ChatTokenizer, tokenized_example
from tunebook.tools.runtime.torchtune_loop import TrainingLoop
from tunebook.tools.runtime.training_data import load_records

__all__ = ["HeldOut", "LossAsTrained", "held_out_examples", "prove"]


@dataclass(frozen=True)
class HeldOut:
    """The examples whose answers' loss is compared, and the split that they are from."""

    split: str
    examples: tuple[Example, ...]


class LossAsTrained(TrainingLoop):
    """Records the loss of the held-out answers before each checkpoint is written: a resumed training has it too."""

    def setup(self, cfg: Any) -> None:
        """Sets the recipe up, and tokenizes the examples."""
        made: Any = super()
        made.setup(cfg)
        self._output = Path(cfg.output_dir)
        self._held_out = held_out_examples(self._tokenizer, cfg.dataset)
        begin_proof(self._output, resumes=bool(cfg.resume_from_checkpoint))

    def save_checkpoint(self, epoch: int) -> None:
        """Records the loss, and writes the checkpoint."""
        self._model.eval()
        loss, tokens = mean_answer_loss(self._held_out.examples, self._model, self._device)
        self._model.train()
        samples = len(self._held_out.examples)
        record_trained(self._output, epoch, split=self._held_out.split, samples=samples, tokens=tokens, loss=loss)
        made: Any = super()
        made.save_checkpoint(epoch)


def held_out_examples(tokenizer: ChatTokenizer, data: Mapping[str, Any]) -> HeldOut:
    """The first examples of the first split that is not trained on; of the training data if there is no other.

    Args:
        data: the configuration of the training's data set.

    Raises:
        ValueError: no split has an example with an answer.
    """
    for split in HELD_OUT:
        with suppress(ValueError):  # it is missing, or written in another way than the training data
            examples = _tokenized(tokenizer, data, _first_records(data, split))
            if examples:
                return HeldOut(split, examples)
    raise ValueError(f"{data['path']} has no example with an answer, so nothing can be compared after training")


def _first_records(data: Mapping[str, Any], split: str) -> list[Record]:
    return load_records(Path(data["path"]), split, data["dataset_type"])[:SAMPLES]


def _tokenized(tokenizer: ChatTokenizer, data: Mapping[str, Any], records: Sequence[Record]) -> tuple[Example, ...]:
    return tuple(_example(tokenizer, data, record) for record in records)


def _example(tokenizer: ChatTokenizer, data: Mapping[str, Any], record: Record) -> Example:
    tokens, labels = tokenized_example(tokenizer, record, system_prompt=data["system_prompt"], prompt=data["prompt"])
    return tokens[: tokenizer.max_seq_len], labels[: tokenizer.max_seq_len]


def prove(values: Mapping[str, Any], output: Path, *, epochs: int) -> str:
    """Loads each epoch's checkpoint as an evaluation does, and compares its loss with the one that was recorded.

    Args:
        values: the recipe's configuration.

    Returns:
        Why a checkpoint is another model than the one that was trained; empty if none is.

    Raises:
        ValueError: a checkpoint cannot be loaded as it is, or its loss was not recorded.
    """
    base = Path(values["checkpointer"]["checkpoint_dir"])
    precision = checkpoint_precision(values)
    device = "cpu"
    if values["device"] == "cuda":
        device = "cuda:0"
    data, entries = values["dataset"], read_proof(output)
    if len(entries) != epochs:
        raise ValueError(f"{output / PROOF} has the losses of {len(entries)} epochs instead of {epochs}")
    records = _first_records(data, entries[0]["split"])
    for epoch in range(epochs):
        folder = output / f"epoch_{epoch}"
        tokenizer = ChatTokenizer(str(folder), values["tokenizer"].get("max_seq_len"))
        examples = _tokenized(tokenizer, data, records)
        model = load_evaluated_model(folder, precision=precision, base=base, device=device)
        loss, _ = mean_answer_loss(examples, partial(_logits, model), model.device)
        entry = record_evaluated(output, epoch, loss=loss, precision=precision, trained_in=str(values["dtype"]))
        reason = judge(entry)
        if reason:
            return reason
    return ""


def _logits(model: Any, ids: torch.Tensor) -> Any:
    return model(ids).logits
