"""The checkpoints that a training leaves."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tunebook.artifacts.text_files import MOST_DOCUMENT_BYTES
from tunebook.disk.read import read_text

__all__ = ["missing_checkpoints", "trained_inputs"]

_MARK = "inputs.sha256"


def missing_checkpoints(checkpoints: Sequence[str], experiment: str | os.PathLike[str]) -> tuple[str, ...]:
    """Returns those of a job's checkpoints whose directory does not exist."""
    places = ((path, os.path.join(experiment, path)) for path in checkpoints)  # noqa: PTH118  a sweep has thousands
    return tuple(path for path, place in places if not os.path.isdir(place))  # noqa: PTH112


def trained_inputs(metrics: str | None) -> str:
    """The one digest of the inputs of the training that last wrote beside these metrics; empty if it is not known."""
    if metrics is None:
        return ""
    text = read_text(f"{metrics.rpartition('/')[0]}/{_MARK}", most=MOST_DOCUMENT_BYTES)
    return (text or "").strip()
