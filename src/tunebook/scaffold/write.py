"""Writes scaffolded files, and removes orphans; no other module does either."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from tunebook.disk.atomic import write_text
from tunebook.disk.manifest import Manifest, digest, is_edited, read_manifest, write_manifest
from tunebook.disk.originals import original_of
from tunebook.errors import Problem, UsageError
from tunebook.scaffold.reconcile import Action, Step

__all__ = ["obstacles", "prune", "unwritable", "write_steps"]


def write_steps(experiment: Path, steps: Sequence[Step], directories: Iterable[str]) -> None:
    """Creates, updates and overwrites files, and makes directories.

    The manifest gets the new digests, next to the old ones, before the first file is written: after an interruption
    neither the old nor the new text looks like a person's.
    """
    writing = [step for step in steps if step.writes]
    for folder in {os.path.dirname(step.path) for step in writing}:  # noqa: PTH120
        _refuse_outside(experiment, folder)
    if writing:
        _announce(experiment, writing)
    for step in writing:
        path = experiment / step.path
        if step.action is Action.OVERWRITE:
            write_text(original_of(path), step.before or "")
        write_text(path, step.after or "", executable=step.executable)
    _make_directories(experiment, directories)


def obstacles(experiment: Path, paths: Iterable[str]) -> Iterator[Problem]:
    """Files, links and directories that block the files of a scaffolding, each once."""
    paths = list(paths)
    for folder in _folders(paths):
        place = experiment / folder
        if place.is_symlink() and not _is_inside(experiment, folder):
            yield Problem("leads out of the experiment's directory", folder, hint="remove the symbolic link")
        elif place.exists() and not place.is_dir():
            yield Problem("is a file, but scaffolding makes a directory of this name", folder, hint="rename the file")
    for path in sorted(paths):
        if (experiment / path).is_dir():
            yield Problem("is a directory, but scaffolding writes a file of this name", path, hint="rename it")


def unwritable(experiment: Path, paths: Iterable[str]) -> Iterator[Problem]:
    """Directories of the files of a scaffolding in which this user may not write."""
    for folder in _folders(paths):
        place = experiment / folder
        if place.is_dir() and not os.access(place, os.W_OK | os.X_OK):
            hint = "scaffold as a user who may, or make it writable"
            yield Problem("you may not write in this directory", folder, hint=hint)


def _folders(paths: Iterable[str]) -> list[str]:
    return sorted({str(parent) for path in paths for parent in PurePosixPath(path).parents})


def _make_directories(experiment: Path, directories: Iterable[str]) -> None:
    for directory in directories:
        folder = os.path.join(experiment, directory)  # noqa: PTH118  a sweep has thousands
        if not os.path.isdir(folder):  # noqa: PTH112
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103


def _announce(experiment: Path, steps: Sequence[Step]) -> None:
    """Adds the digests of texts that are about to be written to the manifest."""
    manifest = read_manifest(experiment)
    generated = dict(manifest.generated)
    for step in steps:
        generated[step.path] = (*generated.get(step.path, ()), digest(step.after or ""))
    write_manifest(experiment, Manifest(generated, manifest.jobs))


def _refuse_outside(experiment: Path, folder: str) -> None:
    """The plan's rules allow only single path components as names, so that only a symbolic link can lead elsewhere."""
    if not _is_inside(experiment, folder):
        raise UsageError(f"{folder} leads out of the experiment's directory", hint="remove the symbolic link")


def _is_inside(experiment: Path, folder: str) -> bool:
    root = os.path.realpath(experiment)
    real = os.path.realpath(os.path.join(experiment, folder))  # noqa: PTH118
    return real == root or real.startswith(root + os.sep)


def prune(
    experiment: Path, lost: Sequence[Step], generated: Mapping[str, tuple[str, ...]], wanted: frozenset[str]
) -> tuple[str, ...]:
    """Removes orphans, except those that were edited or whose run holds results; returns the removed paths."""
    tops = {path.partition("/")[0] for path in wanted}
    removed = []
    for step in lost:
        if is_edited(step.before, generated.get(step.path, ())) or _holds_results(experiment, step.path, lost, tops):
            continue
        (experiment / step.path).unlink()
        removed.append(step.path)
    for path in removed:
        _remove_empty(experiment, PurePosixPath(path).parent)
    return tuple(removed)


def _holds_results(experiment: Path, path: str, lost: Sequence[Step], tops: set[str]) -> bool:
    """Whether removing a file would leave files that tunebook does not know without their context.

    In a directory that is still planned these are files with the same stem; in any other directory, all files.
    """
    top = PurePosixPath(path).parts[0]
    known = {experiment / step.path for step in lost}
    if top in tops:
        file = experiment / path
        return any(item not in known for item in file.parent.glob(f"{glob.escape(file.stem)}.*"))
    return any(item not in known and item.is_file() for item in (experiment / top).rglob("*"))


def _remove_empty(experiment: Path, directory: PurePosixPath) -> None:
    """Removes the directories that pruning emptied, and the empty ``logs`` that scaffolding had made."""
    with contextlib.suppress(OSError):
        (experiment / directory / "logs").rmdir()
    for path in (directory, *directory.parents):
        if path == PurePosixPath():
            return
        with contextlib.suppress(OSError):
            (experiment / path).rmdir()
