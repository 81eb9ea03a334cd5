"""The mean loss of the answers of some examples under a model, in whichever library the model is.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

__all__ = ["Example", "mean_answer_loss"]

Example = tuple[Sequence[int], Sequence[int]]
"""Token ids and labels of equal length; the label ``-100`` marks tokens that are not learnt."""

_IGNORED = -100
_AT_ONCE = 256  # tokens whose logits are converted to 64 bits at a time: a vocabulary may have 256,000 entries


def mean_answer_loss(
    examples: Sequence[Example], logits_of: Callable[[torch.Tensor], Any], device: torch.device
) -> tuple[float, int]:
    """Mean cross-entropy in nats over all learnt tokens, and how many there are.

    Each example is computed by itself, so that no padding can matter, and its loss in 64 bits.

    Args:
        logits_of: token ids of shape (1, length) to logits of shape (1, length, vocabulary), or to a list of such
            tensors that follow each other along the length.

    Raises:
        ValueError: no example has a learnt token after its first one.
    """
    total, count = 0.0, 0
    with torch.no_grad():
        for tokens, labels in examples:
            ids = torch.tensor([list(tokens)], device=device)
            logits = logits_of(ids)
            if isinstance(logits, list):
                logits = torch.cat(logits, dim=1)
            wanted = torch.tensor(list(labels[1:]), device=device)
            learnt = wanted != _IGNORED
            predicted, right = logits[0, :-1][learnt], wanted[learnt]
            for start in range(0, len(right), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                total += float(cross_entropy(predicted[part].double(), right[part], reduction="sum"))
            count += len(right)
    if not count:
        raise ValueError("no example has an answer whose loss could be computed")
    return total / count, count
