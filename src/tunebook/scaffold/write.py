"""Writes scaffolded files, and removes orphans; no other module does either."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tunebook.disk.atomic import write_text
from tunebook.disk.inside import link_out, place_inside
from tunebook.disk.manifest import is_edited, read_manifest, write_manifest
from tunebook.disk.originals import original_of
from tunebook.errors import LinkError, Problem
from tunebook.scaffold.reconcile import Action, Step

__all__ = ["Pruned", "obstacles", "prune", "unwritable", "write_steps"]


def write_steps(experiment: Path, steps: Sequence[Step], directories: Iterable[str]) -> None:
    """Creates, updates and overwrites files, and makes directories.

    The manifest gets the new digests, next to the old ones, before the first file is written: after an interruption
    neither the old nor the new text looks like a person's.
    """
    writing = [step for step in steps if step.writes]
    for folder in {os.path.dirname(step.path) for step in writing}:  # noqa: PTH120
        place_inside(f"{experiment}/{folder}", experiment)
    if writing:
        _announce(experiment, writing)
    for step in writing:
        path = experiment / step.path
        if step.action is Action.OVERWRITE:
            write_text(original_of(path, step.before), step.before or "", within=experiment)
        write_text(path, step.after or "", within=experiment, executable=step.executable)
    _make_directories(experiment, directories)


def obstacles(experiment: Path, paths: Iterable[str]) -> Iterator[Problem]:
    """Files, links and directories that block the files of a scaffolding, each once."""
    paths = list(paths)
    yield from _links_out(experiment, paths)
    present = set()
    for folder in _folders(paths):
        place = f"{experiment}/{folder}"
        if os.path.isdir(place):  # noqa: PTH112  a sweep has thousands
            present.add(folder)
        elif os.path.exists(place):  # noqa: PTH110
            yield Problem("is a file, but scaffolding makes a directory of this name", folder, hint="rename the file")
    for path in sorted(paths):
        if _folder_of(path) in present and os.path.isdir(f"{experiment}/{path}"):  # noqa: PTH112
            yield Problem("is a directory, but scaffolding writes a file of this name", path, hint="rename it")


def _links_out(experiment: Path, paths: Iterable[str]) -> Iterator[Problem]:
    found: dict[Problem, None] = {}
    plain: set[str] = set()  # directories without a link on the way
    for path in paths:
        place, folder = f"{experiment}/{path}", _folder_of(path)
        if folder in plain and not os.path.islink(place):  # noqa: PTH114  a sweep has thousands
            continue
        try:
            if place_inside(place, experiment) == place:
                plain.add(folder)
        except LinkError as error:
            found.update(dict.fromkeys(error.problems))
    yield from found


def unwritable(experiment: Path, paths: Iterable[str]) -> Iterator[Problem]:
    """Directories of the files of a scaffolding in which this user may not write."""
    for folder in _folders(paths):
        place = experiment / folder
        if place.is_dir() and not os.access(place, os.W_OK | os.X_OK):
            hint = "scaffold as a user who may, or make it writable"
            yield Problem("you may not write in this directory", folder, hint=hint)


def _folders(paths: Iterable[str]) -> list[str]:
    """Every directory on the way to these paths; the experiment's own is ``.``."""
    found: set[str] = set()
    for path in paths:
        folder = _folder_of(path)
        while folder not in found:
            found.add(folder)
            folder = _folder_of(folder)
    return sorted(found)


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0] or "."


def _make_directories(experiment: Path, directories: Iterable[str]) -> None:
    for directory in directories:
        folder = place_inside(f"{experiment}/{directory}", experiment)
        if not os.path.isdir(folder):  # noqa: PTH112
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103


def _announce(experiment: Path, steps: Sequence[Step]) -> None:
    """Adds the digests of texts that are about to be written to the manifest."""
    manifest = read_manifest(experiment)
    generated = dict(manifest.generated)
    for step in steps:
        if step.planned is not None:
            generated[step.path] = (*generated.get(step.path, ()), step.planned.digest)
    write_manifest(experiment, replace(manifest, generated=generated))


@dataclass(frozen=True)
class Pruned:
    """The orphans that no longer exist.

    Attributes:
        removed: those that pruning removed.
        gone: those and the ones that were missing already: an interrupted pruning had removed them, or a person.
    """

    removed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def prune(
    experiment: Path, lost: Sequence[Step], generated: Mapping[str, tuple[str, ...]], wanted: frozenset[str]
) -> Pruned:
    """Removes orphans, except those that were edited or whose run holds results, and the directories left empty."""
    tops = {path.partition("/")[0] for path in wanted}
    removed = []
    for step in lost:
        if is_edited(step.before, generated.get(step.path, ())) or _holds_results(experiment, step.path, lost, tops):
            continue
        folder, name = os.path.split(f"{experiment}/{step.path}")
        os.unlink(f"{place_inside(folder, experiment)}/{name}")  # noqa: PTH108
        removed.append(step.path)
    gone = [path for path in generated if path not in wanted and not os.path.lexists(f"{experiment}/{path}")]
    for path in gone:
        _remove_empty(experiment, PurePosixPath(path).parent)
    return Pruned(tuple(removed), tuple(gone))


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
    if link_out([str(directory)], experiment):
        return
    with contextlib.suppress(OSError):
        (experiment / directory / "logs").rmdir()
    for path in (directory, *directory.parents):
        if path == PurePosixPath():
            return
        with contextlib.suppress(OSError):
            (experiment / path).rmdir()
