"""Looks again at directories of a network file system, which remembers for a minute that a file was missing."""

from __future__ import annotations

import os
from collections.abc import Iterable

__all__ = ["relist"]


def relist(folders: Iterable[str]) -> None:
    """Lists directories: opening one asks the file server whether it has changed, which looking for a file does not."""
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                for _ in entries:
                    pass
        except OSError:  # it is missing as well
            continue
