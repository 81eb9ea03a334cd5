"""Computes the digest of a job's inputs, as the job's script does."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tunebook.core.jobs import Job

__all__ = ["input_problem", "inputs_digest"]

_CHUNK = 1 << 20


def inputs_digest(experiment: Path, job: Job) -> str:
    """Returns the SHA-256 over the bytes of all inputs, one after the other, in hexadecimal.

    It equals ``cat -- "${inputs[@]}" | sha256sum``, which the job's script runs at its start.

    Raises:
        OSError: an input is missing or cannot be read; ``filename`` names it.
    """
    digest = hashlib.sha256()
    for name in job.inputs:
        with (experiment / name).open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def input_problem(error: OSError) -> str:
    """Returns which input is missing or unreadable, and why."""
    return f"{error.filename or 'an input'}: {error.strerror}"
