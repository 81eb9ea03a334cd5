"""The proof that the model that is evaluated is the model that was trained, and its file ``proof.json``.

A training records the mean loss of the answers of some held-out examples under its own model, whenever it writes a
checkpoint. When it has ended, each checkpoint is loaded as an evaluation loads it, and the same loss is computed again.
Runs inside jobs, and needs only other modules of this package.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tunebook.tools.runtime.whole_json import write_whole_json

__all__ = [
    "HELD_OUT",
    "PROOF",
    "SAMPLES",
    "begin_proof",
    "judge",
    "read_proof",
    "record_evaluated",
    "record_trained",
    "tolerance",
]

PROOF = "proof.json"
SAMPLES = 32
"""How many examples are enough: a wrong merge shows in each of them."""
HELD_OUT = ("validation", "test", "train")
"""The splits that the examples are taken from; the first one that the data set has."""

# The libraries round in other places. SmolLM2-135M's loss of 1.97 differed by 4e-7 in fp32 between torchtune and
# Transformers, and its loss of 2.07 by 0.04 in bf16. The faults that were seen: a merge into the live weights moved a
# loss of 0.06 by 0.014 (in fp32), a merge in bf16 moved it by 0.09, and one of 1.06 by 0.69.
# Adapters of quantized weights are evaluated on the weights before quantization, whose error is another loss.
_ABSOLUTE = {"fp32": 2e-4, "bf16": 2e-2, "nf4": 0.1, "fp4": 0.1}
_RELATIVE = {"fp32": 1e-4, "bf16": 3e-2, "nf4": 0.1, "fp4": 0.1}
_COARSEST_FIRST = ("fp4", "nf4", "bf16", "fp32")


def tolerance(loss: float, precision: str) -> float:
    """How far the two losses may be apart, absolute and relative to the loss, by the coarser of the two precisions."""
    return _ABSOLUTE[precision] + _RELATIVE[precision] * abs(loss)


def begin_proof(output: Path, *, resumes: bool) -> None:
    """Removes the file of an earlier training, unless this one continues it."""
    if not resumes:
        (output / PROOF).unlink(missing_ok=True)


def record_trained(output: Path, epoch: int, *, split: str, samples: int, tokens: int, loss: float) -> None:
    """Records an epoch's loss under the model as it was trained."""
    entries = [entry for entry in read_proof(output) if entry["epoch"] < epoch]
    trained = {"epoch": epoch, "split": split, "samples": samples, "tokens": tokens, "trained": loss}
    write_whole_json(output / PROOF, {"epochs": [*entries, trained]})


def record_evaluated(output: Path, epoch: int, *, loss: float, precision: str, trained_in: str = "") -> dict[str, Any]:
    """Records an epoch's loss under the checkpoint as evaluations load it, and returns the whole entry.

    Args:
        precision: that of the evaluation; ``trained_in`` is that of the training, if it is another one.
    """
    coarser = next(name for name in _COARSEST_FIRST if name in {precision, trained_in})
    entries = read_proof(output)
    entry = next(item for item in entries if item["epoch"] == epoch)
    entry |= {"evaluated": loss, "precision": precision, "tolerance": tolerance(entry["trained"], coarser)}
    write_whole_json(output / PROOF, {"epochs": entries})
    return entry


def judge(entry: dict[str, Any]) -> str:
    """Why the checkpoint of an entry with both losses is another model than the one that was trained; empty if not."""
    trained, evaluated, allowed = entry["trained"], entry["evaluated"], entry["tolerance"]
    if math.isfinite(evaluated) and abs(evaluated - trained) <= allowed:
        return ""
    measured = f"the mean loss of {entry['samples']} answers ({entry['split']}) is {trained:.4f} as trained"
    loaded = f"{evaluated:.4f} as evaluations load the checkpoint"
    return f"epoch {entry['epoch']}: {measured} and {loaded}; they may differ by {allowed:.4f}"


def read_proof(output: Path) -> list[dict[str, Any]]:
    """The entries of the file, one for each epoch that was saved, in their order.

    Raises:
        ValueError: the file is not what tunebook writes.
    """
    path = output / PROOF
    if not path.is_file():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("epochs"), list):
        raise ValueError(f"{path} has no list of epochs")  # noqa: TRY004  a wrong file
    entries: list[dict[str, Any]] = document["epochs"]
    return entries
