"""Reads the files of a scaffolding from the disk, before anything is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tunebook.disk.read import read_text

__all__ = ["reader_of"]


def reader_of(experiment: Path) -> Callable[[str], str | None]:
    """A function that reads a file by its path in the experiment; ``None`` for a missing one.

    It looks for each directory once: the first scaffolding of a sweep asks for thousands of files that are not there.
    """

    @cache
    def is_missing(folder: str) -> bool:
        if not folder:
            return False
        above = folder.rpartition("/")[0]
        return is_missing(above) or not os.path.lexists(f"{experiment}/{folder}")

    def read(path: str) -> str | None:
        if is_missing(path.rpartition("/")[0]):
            return None
        # Joined as text: making a Path takes longer than reading.
        return read_text(f"{experiment}/{path}")

    return read
