"""Versions of packages, and of tunebook's own code, which decide the outcome of a deep check."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tunebook.tools

__all__ = ["versions"]


def versions(distributions: Sequence[str]) -> dict[str, str]:
    """The installed versions; empty for one that is not installed. Tunebook's own code is known by its contents."""
    return {name: _version(name) for name in distributions} | {"tunebook": _own_code()}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


@cache
def _own_code() -> str:
    """A digest of the tools: a changed builder or recipe must be proved again."""
    digest = hashlib.sha256()
    for folder in tunebook.tools.__path__:
        for file in sorted(Path(folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()
