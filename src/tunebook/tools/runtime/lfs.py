"""Recognizes Git LFS pointers, which stand in a checkout where the files' content was not fetched.

Runs inside jobs, and needs nothing else of tunebook.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_lfs_pointer"]

_START = b"version https://git-lfs."


def is_lfs_pointer(file: Path) -> bool:
    """Whether a file is a Git LFS pointer instead of its content; a file that cannot be read is not one."""
    try:
        with file.open("rb") as stream:
            return stream.read(len(_START)) == _START
    except OSError:
        return False
