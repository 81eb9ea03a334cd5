"""Reads ``proof.json``: the loss of held-out answers under the model as trained, and as evaluations load it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunebook.artifacts.text_files import read_document
from tunebook.core.json_text import UNFIT
from tunebook.core.paths import PROOF

__all__ = ["EpochProof", "read_proof"]


@dataclass(frozen=True)
class EpochProof:
    """One checkpoint; losses are means over all answer tokens, in nats.

    Attributes:
        epoch: zero-based.
        split: the split that the examples are from.
        samples: how many examples were compared.
        trained: the loss under the model as it was trained.
        evaluated: the loss under the checkpoint as evaluations load it; ``None`` if it was not computed.
        tolerance: how far the two may be apart.
    """

    epoch: int
    split: str
    samples: int
    trained: float
    evaluated: float | None = None
    tolerance: float | None = None

    @property
    def holds(self) -> bool:
        """Whether both losses are known and agree."""
        if self.evaluated is None or self.tolerance is None:
            return False
        return abs(self.evaluated - self.trained) <= self.tolerance


def read_proof(output: Path) -> tuple[EpochProof, ...]:
    """The entries in a training's output directory; empty if the file is missing or cannot be read."""
    try:
        document = read_document(output / PROOF) or {}
        return tuple(_entry(item) for item in document.get("epochs", ()))
    except (OSError, *UNFIT):
        return ()


def _entry(item: dict[str, Any]) -> EpochProof:
    evaluated, tolerance = item.get("evaluated"), item.get("tolerance")
    return EpochProof(
        epoch=int(item["epoch"]),
        split=str(item["split"]),
        samples=int(item["samples"]),
        trained=float(item["trained"]),
        evaluated=None if evaluated is None else float(evaluated),
        tolerance=None if tolerance is None else float(tolerance),
    )
