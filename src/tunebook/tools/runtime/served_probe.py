"""Proves, before an evaluation, that a server computes with the adapter or checkpoint that was trained.

Servers have ignored adapters without a word, or parts of them. So the log-probabilities of some held-out answers are
asked for: they must give the loss that the training recorded (see :mod:`tunebook.tools.runtime.proof`), and an adapter
must change those of its base.

Runs inside jobs, and needs only other modules of this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.answer_loss import Example
from tunebook.tools.runtime.held_out import examples_of_split
from tunebook.tools.runtime.proof import PROOF, read_proof, tolerance
from tunebook.tools.runtime.served_client import Client, ServedError
from tunebook.tools.runtime.tokenized_data import IGNORED, ChatTokenizer

__all__ = ["TrainingData", "prove_served"]

_FEW = 4  # examples suffice to see that an adapter changes anything


@dataclass(frozen=True)
class TrainingData:
    """The data of a training, from which its held-out examples come.

    Attributes:
        epoch: the zero-based epoch of the checkpoint.
        max_seq_len: in tokens; ``None`` for no limit.
    """

    epoch: int
    dataset: str
    dataset_type: str
    prompt: str
    system_prompt: str
    max_seq_len: int | None = None


def prove_served(
    client: Client, name: str, checkpoint: Path, model: Path, data: TrainingData, *, precision: str
) -> dict[str, Any]:
    """Compares the mean loss of the held-out answers on the server with the one that the training recorded.

    Args:
        name: of the adapter, or of the whole model, on the server.
        checkpoint: its directory, beside which the training has its record.
        model: the directory of the weights that the server has, with the tokenizer.
        precision: of the evaluation.

    Returns:
        The losses and what they were compared with, for the record of the evaluation.

    Raises:
        ServedError: they differ, or cannot be compared; the message says what to do.
    """
    entry = _recorded(checkpoint, data.epoch)
    examples = _held_out(model, data, str(entry["split"]))
    served = [_answer(client, name, example) for example in examples]
    loss, tokens = _mean(served)
    if tokens != entry["tokens"]:
        raise ServedError(
            f"the training compared {entry['tokens']} tokens of answers, but {data.dataset} has {tokens} now: "
            "train again, or evaluate with `Inference: hf`"
        )
    found: dict[str, Any] = {"samples": len(examples), "trained": entry["trained"], "served": loss}
    found["tolerance"] = max(entry.get("tolerance", 0.0), tolerance(entry["trained"], precision))
    base = client.service.model
    if name != base:
        found["changed"] = _largest_change(served, [_answer(client, base, example) for example in examples[:_FEW]])
        if not found["changed"]:
            raise ServedError(f"the server ignores the adapter {checkpoint}: every answer is as probable as without it")
    if not abs(loss - entry["trained"]) <= found["tolerance"]:
        without = None
        if name != base:
            without, _ = _mean([_answer(client, base, example) for example in examples])
        raise ServedError(_difference(found, checkpoint, data.epoch, without))
    return found


def _largest_change(served: Sequence[Sequence[float]], base: Sequence[Sequence[float]]) -> float:
    """How far an adapter moves the log-probability of a token at most; exactly 0 if the server ignores it."""
    pairs = zip(served, base, strict=False)
    return max(abs(one - other) for answer, without in pairs for one, other in zip(answer, without, strict=True))


def _recorded(checkpoint: Path, epoch: int) -> dict[str, Any]:
    try:
        entries = read_proof(checkpoint.parent)
    except ValueError as error:
        raise ServedError(str(error)) from None
    for entry in entries:
        if entry["epoch"] == epoch:
            return entry
    file = checkpoint.parent / PROOF
    raise ServedError(f"{file} has no loss of epoch {epoch} to compare the server's with: train again")


def _held_out(model: Path, data: TrainingData, split: str) -> Sequence[Example]:
    """The examples whose loss the training recorded.

    Raises:
        ServedError: the data set cannot be read.
    """
    values = {"path": data.dataset, "dataset_type": data.dataset_type}
    values |= {"prompt": data.prompt, "system_prompt": data.system_prompt}
    try:
        return examples_of_split(ChatTokenizer(str(model), data.max_seq_len), values, split)
    except (OSError, ValueError) as error:
        raise ServedError(
            f"the data of the training, which the server is compared on, cannot be read: {error}"
        ) from None


def _answer(client: Client, name: str, example: Example) -> list[float]:
    """The log-probabilities of the learnt tokens of one example."""
    tokens, labels = example
    found = client.log_probabilities(name, tokens)
    return [value for value, label in zip(found, labels[1:], strict=True) if label != IGNORED]


def _mean(answers: Sequence[Sequence[float]]) -> tuple[float, int]:
    values = [value for answer in answers for value in answer]
    if not values:
        raise ServedError("no held-out example has an answer")
    return -sum(values) / len(values), len(values)


def _difference(found: Mapping[str, Any], checkpoint: Path, epoch: int, without: float | None) -> str:
    text = f"the server does not compute with {checkpoint} as it was trained: the mean loss of {found['samples']} "
    text += f"held-out answers is {found['trained']:.4f} as trained (epoch {epoch}) and {found['served']:.4f} on the "
    text += f"server; they may differ by {found['tolerance']:.4f}"
    if without is not None:
        text += f"; without the adapter it is {without:.4f}"
    return f"{text}. Evaluate with `Inference: hf`"
