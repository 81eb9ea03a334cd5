"""The errors that end a job with one line for the person who reads its output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["JobError", "TrainingError", "refuse_non_finite", "reported"]


class JobError(Exception):
    """A check before or after a training or an evaluation has failed."""


class TrainingError(Exception):
    """Training cannot go on."""


def refuse_non_finite(weights: Mapping[str, Any], epoch: int) -> None:
    """Raises a TrainingError that names the first tensor with an infinite value, or one that is not a number."""
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise TrainingError(f"training diverged: after epoch {epoch}, {name} has values that are not finite")


def reported(step: Callable[[], None]) -> int:
    """Runs a step of a job and returns its exit code; a failure is one line on stderr."""
    try:
        step()
    except (JobError, OSError, ValueError) as error:
        sys.stderr.write(f"tunebook: {error}\n")
        return 1
    return 0
