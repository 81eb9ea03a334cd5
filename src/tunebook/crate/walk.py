"""Lists the files below a directory of an experiment, in the order of their names, without hidden ones."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from tunebook.disk.inside import place_inside
from tunebook.errors import LinkError

__all__ = ["WEIGHTS", "files_below", "is_checkpoint", "place_of", "plain_files"]

_CHECKPOINT = re.compile(r"epoch_\d+|checkpoint-\d+|step_\d+|recipe_state")
WEIGHTS = frozenset({".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".onnx", ".h5", ".distcp"})
"""Suffixes of files with weights, wherever they are."""


def is_checkpoint(name: str) -> bool:
    """Whether a directory in the output of a training has this name because it is a checkpoint."""
    return bool(_CHECKPOINT.fullmatch(name))


def place_of(root: str, path: str) -> str:
    """The absolute path of something that a plan or a job names; one with ``..`` as the file system finds it."""
    place = os.path.join(root, path)  # noqa: PTH118  an absolute path stays as it is
    return os.path.realpath(place) if ".." in place.split("/") else place


def files_below(
    folder: str, *, within: str, checkpoints: bool, all_known: bool = True, links: tuple[str, ...] = ()
) -> Iterator[str]:
    """The absolute paths of regular files; links to directories are followed, each one once on the way to a file.

    Args:
        within: the directory that no link may lead out of.
        checkpoints: whether directories of checkpoints, and files with weights, are among them.
        all_known: whether the caller copies every file; otherwise a link that leads out is among the paths.
        links: where the links on the way to the folder lead.

    Raises:
        LinkError: a symbolic link leads out of ``within``, and the caller copies every file.
        OSError: a directory cannot be read.
    """
    for entry in _entries(folder):
        place, followed = entry.path, links
        if entry.is_symlink():
            try:
                place = place_inside(entry.path, within)
            except LinkError:
                if all_known:
                    raise
                yield entry.path
                continue
            if any(f"{known}/".startswith(f"{place}/") for known in (os.path.realpath(folder), *links)):
                continue
            followed = (*links, place)
        if entry.is_dir():
            if checkpoints or not is_checkpoint(os.path.basename(place)):  # noqa: PTH119
                yield from files_below(
                    entry.path, within=within, checkpoints=checkpoints, all_known=all_known, links=followed
                )
        elif entry.is_file() and (checkpoints or os.path.splitext(entry.name)[1] not in WEIGHTS):  # noqa: PTH122
            yield entry.path


def plain_files(folder: str) -> Iterator[str]:
    """The regular files directly in a directory, and links to such; empty if it is missing.

    Raises:
        OSError: the directory cannot be read.
    """
    for entry in _entries(folder):
        if entry.is_file():
            yield entry.path


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """The entries of a directory without hidden ones; empty if it is missing."""
    try:
        with os.scandir(folder) as found:
            entries = [entry for entry in found if not entry.name.startswith(".") and entry.name != "__pycache__"]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(entries, key=lambda entry: os.fsencode(entry.name))
