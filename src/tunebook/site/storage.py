"""Finds scratch space and models on the disk, with a bounded look at the usual places."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tunebook.site.surroundings import Surroundings

__all__ = ["models_directory", "scratch_directories"]

_AT_MOST = 2000  # entries of one directory: a file system shared by thousands of people answers slowly
_ROOTS = ("scratch", "work", "lustre", "gpfs", "data")
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "consolidated*.pth")


def scratch_directories(here: Surroundings) -> tuple[tuple[Path, str], ...]:
    """Returns this user's writable scratch directories, each with how it was found, the likeliest first.

    Directories that the shell names come before those that are found: ``/scratch/USER``, up to two levels further down.
    """
    named = [
        (Path(value), f"${name}") for name, value in sorted(here.env.items()) if "SCRATCH" in name.upper() and value
    ]
    named.sort(key=lambda item: (item[1].upper() != "$SCRATCH", item[1]))
    found = ((path, "a directory of this user's") for path in _of_user(here))
    kept: dict[Path, str] = {}
    for path, basis in (*named, *found):
        if path.is_absolute() and path not in kept and path.is_dir() and os.access(path, os.W_OK | os.X_OK):
            kept[path] = basis
    return tuple(kept.items())


def _of_user(here: Surroundings) -> Iterator[Path]:
    for name in _ROOTS:
        level = [here.root / name]
        for _ in range(3):
            yield from (path / here.user for path in level)
            level = [below for path in level for below in _directories(path)][:_AT_MOST]


def _directories(path: Path) -> Iterable[Path]:
    with suppress(OSError), os.scandir(path) as entries:
        names = [entry.name for entry in itertools.islice(entries, _AT_MOST) if entry.is_dir()]
        return [path / name for name in sorted(names) if not name.startswith(".")]
    return []


def models_directory(places: Iterable[Path]) -> tuple[Path, tuple[str, ...]] | None:
    """Returns the directory with the most models, in one of the places or directly below, and the models' names.

    A model is a directory with a ``config.json`` and weight files.
    """
    holders: dict[Path, list[str]] = {}
    for place in dict.fromkeys(places):
        for holder in (place, *_directories(place)):
            if holder not in holders:
                holders[holder] = [path.name for path in _directories(holder) if _is_model(path)]
    best = max(holders, key=lambda holder: len(holders[holder]), default=None)
    return (best, tuple(holders[best])) if best is not None and holders[best] else None


def _is_model(path: Path) -> bool:
    with suppress(OSError):
        return (path / "config.json").is_file() and any(next(path.glob(name), None) for name in _WEIGHTS)
    return False
