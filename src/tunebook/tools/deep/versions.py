"""Versions of packages, of tunebook's own code and of files, which decide the outcome of a deep check."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tunebook.tools

__all__ = ["content_digest", "versions"]


def versions(distributions: Sequence[str]) -> dict[str, str]:
    """The installed versions; empty for one that is not installed. Tunebook's own code is known by its contents."""
    return {name: _version(name) for name in distributions} | {"tunebook": _own_code()}


@cache
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


def content_digest(path: Path) -> str:
    """A digest of a file, or of all files in a directory; empty if it is missing or cannot be read."""
    try:
        if path.is_dir():
            parts = [f"{file.name} {content_digest(file)}" for file in sorted(path.iterdir()) if file.is_file()]
            return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
        state = path.stat()
        return _file_digest(path, state.st_mtime_ns, state.st_size)
    except OSError:
        return ""


@lru_cache(maxsize=256)
def _file_digest(path: Path, changed: int, size: int) -> str:  # noqa: ARG001 - another state is another digest
    """The digest of a file in this state: many runs name the same files."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
