"""The errors that end a job with one line for the person who reads its output."""

from __future__ import annotations

import sys
from collections.abc import Callable

__all__ = ["JobError", "TrainingError", "reported"]


class JobError(Exception):
    """A check before or after a training or an evaluation has failed."""


class TrainingError(Exception):
    """Training cannot go on."""


def reported(step: Callable[[], None]) -> int:
    """Runs a step of a job and returns its exit code; a failure is one line on stderr."""
    try:
        step()
    except (JobError, OSError, ValueError) as error:
        sys.stderr.write(f"tunebook: {error}\n")
        return 1
    return 0
