"""Reads ``*.versions.json``, in which a job's script records the packages, GPUs and driver of its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunebook.artifacts.text_files import read_document

__all__ = ["read_versions", "versions_file"]

_OUTCOME = ".outcome.json"


def versions_file(outcome: str) -> str:
    """The path of a job's versions, beside its outcome."""
    return outcome.removesuffix(_OUTCOME) + ".versions.json"


def read_versions(path: Path) -> dict[str, Any] | None:
    """Reads the file; ``None`` if it is missing or unreadable: the environment may lack tunebook."""
    try:
        document = read_document(path)
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
