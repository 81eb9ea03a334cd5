"""The errors that end a job with one line for the person who reads its output."""

from __future__ import annotations

__all__ = ["JobError", "TrainingError"]


class JobError(Exception):
    """A check before or after a training or an evaluation has failed."""


class TrainingError(Exception):
    """Training cannot go on."""
