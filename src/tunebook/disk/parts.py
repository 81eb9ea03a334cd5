"""Removes temporary files that ended processes have left."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tunebook.core.paths import PARTS
from tunebook.disk.atomic import own_host, part_owner
from tunebook.disk.inside import place_inside
from tunebook.disk.this_machine import has_process

__all__ = ["remove_parts"]


def remove_parts(experiment: Path) -> None:
    """Removes those of this host's ended processes; what another host writes cannot be seen from here and is kept."""
    for folder in (os.fspath(experiment), place_inside(experiment / PARTS, experiment)):
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in list(entries):
                if _is_left(entry.name):
                    with suppress(OSError):
                        os.unlink(entry.path)  # noqa: PTH108


def _is_left(name: str) -> bool:
    owner = part_owner(name)
    if owner is None:
        return False
    pid, host = owner
    return host == own_host() and not has_process(pid)
