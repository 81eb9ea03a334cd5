"""The checkpoints that a training leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tunebook.artifacts.text_files import MOST_DOCUMENT_BYTES
from tunebook.disk.read import read_text

__all__ = ["missing_checkpoints", "trained_inputs"]

_MARK = "inputs.sha256"


def missing_checkpoints(checkpoints: Sequence[str], experiment: Path) -> tuple[str, ...]:
    """Returns those of a job's checkpoints whose directory does not exist."""
    return tuple(path for path in checkpoints if not (experiment / path).is_dir())


def trained_inputs(metrics: str | None) -> str:
    """The one digest of the inputs of the training that last wrote beside these metrics; empty if it is not known."""
    if metrics is None:
        return ""
    text = read_text(Path(metrics).with_name(_MARK), most=MOST_DOCUMENT_BYTES)
    return (text or "").strip()
