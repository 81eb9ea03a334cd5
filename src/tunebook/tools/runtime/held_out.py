"""The examples of the proof, and the comparison of the losses as trained and as evaluations load each checkpoint.

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
from tunebook.tools.runtime.data_formats import Record
from tunebook.tools.runtime.evaluated_model import load_evaluated_model
from tunebook.tools.runtime.generation import stop_ids, write_generation_config
from tunebook.tools.runtime.proof import HELD_OUT, PROOF, SAMPLES, judge, read_proof, record_evaluated
from tunebook.tools.runtime.tokenized_data import ChatTokenizer, tokenized_example
from tunebook.tools.runtime.training_data import load_records

__all__ = ["HeldOut", "TrainedAs", "compare_losses", "examples_of_split", "held_out_examples"]


@dataclass(frozen=True)
class HeldOut:
    """The examples whose answers' loss is compared, and the split that they are from."""

    split: str
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class TrainedAs:
    """The part of a training's configuration that a comparison needs.

    Attributes:
        data: ``path``, ``dataset_type``, ``system_prompt`` and ``prompt`` of the training's data set.
        base: the directory of the model that was trained.
        precision: ``bf16`` or ``fp32``, in which evaluations load the checkpoints; ``trained_in`` is the training's.
        device: such as ``cpu`` or ``cuda:0``.
    """

    data: Mapping[str, Any]
    base: Path
    max_seq_len: int | None
    precision: str
    trained_in: str
    device: str


def held_out_examples(tokenizer: ChatTokenizer, data: Mapping[str, Any]) -> HeldOut:
    """The first examples of the first split that is not trained on; of the training data if there is no other.

    Args:
        data: the configuration of the training's data set.

    Raises:
        ValueError: no split has an example with an answer.
    """
    for split in HELD_OUT:
        with suppress(ValueError):  # it is missing, or written in another way than the training data
            examples = examples_of_split(tokenizer, data, split)
            if examples:
                return HeldOut(split, examples)
    raise ValueError(f"{data['path']} has no example with an answer, so nothing can be compared after training")


def examples_of_split(tokenizer: ChatTokenizer, data: Mapping[str, Any], split: str) -> tuple[Example, ...]:
    """The first examples of a split, as many as the proof needs.

    Raises:
        ValueError: the split is missing, or an example cannot be used.
    """
    return _tokenized(tokenizer, data, _first_records(data, split))


def _first_records(data: Mapping[str, Any], split: str) -> list[Record]:
    return load_records(Path(data["path"]), split, data["dataset_type"])[:SAMPLES]


def _tokenized(tokenizer: ChatTokenizer, data: Mapping[str, Any], records: Sequence[Record]) -> tuple[Example, ...]:
    return tuple(_example(tokenizer, data, record) for record in records)


def _example(tokenizer: ChatTokenizer, data: Mapping[str, Any], record: Record) -> Example:
    tokens, labels = tokenized_example(tokenizer, record, system_prompt=data["system_prompt"], prompt=data["prompt"])
    return tokens[: tokenizer.max_seq_len], labels[: tokenizer.max_seq_len]


def compare_losses(trained: TrainedAs, output: Path, *, epochs: int) -> str:
    """Loads each epoch's checkpoint as an evaluation does, and compares its loss with the one that was recorded.

    Each checkpoint first gets generation settings with which its answers end.

    Returns:
        Why a checkpoint is another model than the one that was trained; empty if none is.

    Raises:
        ValueError: a checkpoint cannot be loaded as it is, or its loss was not recorded.
    """
    entries = read_proof(output)
    if len(entries) != epochs:
        raise ValueError(f"{output / PROOF} has the losses of {len(entries)} epochs instead of {epochs}")
    records = _first_records(trained.data, entries[0]["split"])
    for epoch in range(epochs):
        folder = output / f"epoch_{epoch}"
        tokenizer = ChatTokenizer(str(folder), trained.max_seq_len)
        write_generation_config(folder, stop_ids(tokenizer.hf, folder))
        examples = _tokenized(tokenizer, trained.data, records)
        model = load_evaluated_model(folder, precision=trained.precision, base=trained.base, device=trained.device)
        loss, _ = mean_answer_loss(examples, partial(_logits, model), model.device)
        entry = record_evaluated(output, epoch, loss=loss, precision=trained.precision, trained_in=trained.trained_in)
        reason = judge(entry)
        if reason:
            return reason
    return ""


def _logits(model: Any, ids: torch.Tensor) -> Any:
    return model(ids).logits
