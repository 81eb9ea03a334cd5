"""The digest of a job's inputs, which its script computes too."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tunebook.core.jobs import Job

__all__ = ["inputs_digest"]

_CHUNK = 1 << 20


def inputs_digest(experiment: Path, job: Job) -> str:
    """SHA-256 over the bytes of all inputs, one after the other.

    It is what ``cat -- "${inputs[@]}" | sha256sum`` says, which the job's script runs at its start.

    Raises:
        OSError: an input is missing or cannot be read; ``filename`` names it.
    """
    digest = hashlib.sha256()
    for name in job.inputs:
        with (experiment / name).open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
