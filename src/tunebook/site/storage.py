"""Finds scratch space and models on the disk, with a bounded look at the usual places."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tunebook.site.machine import Candidate, Surroundings

__all__ = ["models_directory", "scratch_directories"]

_AT_MOST = 2000  # entries of one directory: a file system shared by thousands of people answers slowly
_ROOTS = ("scratch", "work", "lustre", "gpfs", "data")
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "consolidated*.pth")


def scratch_directories(here: Surroundings) -> tuple[Candidate, ...]:
    """Returns this user's writable scratch directories, the likeliest first.

    Directories that the shell names come before those that are found: ``/scratch/USER``, up to two levels further down.
    """
    names = [name for name in here.env if "SCRATCH" in name.upper()]
    names.sort(key=lambda name: (name.upper() != "SCRATCH", name))
    bases: dict[Path, str] = {}
    for name in names:
        bases.setdefault(Path(here.env[name]), f"${name}")
    for path in _of_user(here):
        bases.setdefault(path, "a directory of this user's")
    candidates = []
    for path, basis in bases.items():
        if path.is_absolute() and path.is_dir() and os.access(path, os.W_OK | os.X_OK):
            candidates.append(Candidate(str(path), basis))
    return tuple(candidates)


def _of_user(here: Surroundings) -> Iterator[Path]:
    for name in _ROOTS:
        level = [here.root / name]
        for _ in range(3):
            below: list[Path] = []
            for path in level:
                yield path / here.user
                below += _directories(path)
            level = below[:_AT_MOST]


def _directories(path: Path) -> list[Path]:
    """Returns the directories in a directory by name, without hidden ones; nothing for an unreadable directory."""
    with suppress(OSError), os.scandir(path) as entries:
        first = itertools.islice(entries, _AT_MOST)
        return sorted(path / entry.name for entry in first if entry.is_dir() and not entry.name.startswith("."))
    return []


def models_directory(places: Iterable[Path]) -> tuple[Path, list[str]]:
    """Returns the directory with the most models, in one of the places or directly below, and the models' names.

    A model is a directory with a ``config.json`` and weight files. Without models the names are empty.
    """
    best, most = Path(), list[str]()
    seen: set[Path] = set()
    for place in places:
        for holder in (place, *_directories(place)):
            if holder in seen:
                continue
            seen.add(holder)
            names = [path.name for path in _directories(holder) if _is_model(path)]
            if len(names) > len(most):
                best, most = holder, names
    return best, most


def _is_model(path: Path) -> bool:
    with suppress(OSError):
        return (path / "config.json").is_file() and any(next(path.glob(name), None) for name in _WEIGHTS)
    return False
