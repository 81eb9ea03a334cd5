"""The checkpoints that a training leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["missing_checkpoints"]


def missing_checkpoints(checkpoints: Sequence[str], experiment: Path) -> tuple[str, ...]:
    """Returns those of a job's checkpoints whose directory does not exist."""
    return tuple(path for path in checkpoints if not (experiment / path).is_dir())
