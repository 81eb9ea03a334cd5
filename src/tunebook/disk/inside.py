"""Keeps what tunebook writes inside the experiment: a symbolic link that leads out of it is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tunebook.core.paths import ANALYSIS, FIGURES, PLAN_FILE, STATE_DIRECTORY
from tunebook.errors import LinkError

__all__ = ["link_out", "place_inside", "refuse_links"]

_OWN_LOG = re.compile(r"(?:design|scaffold|run|analyze)-[\w-]+\.log")


def place_inside(path: str | os.PathLike[str], within: str | os.PathLike[str]) -> str:
    """Returns the place of a file or directory; links that stay inside are followed.

    A path without links costs one look at each of its parts below the experiment: a sweep has thousands of files.

    Args:
        path: it need not exist.
        within: the experiment's directory, which the path is written below. It may itself be reached by a link.

    Raises:
        LinkError: a symbolic link on the way leads out of the experiment.
    """
    given, root = os.fspath(path), os.fspath(within)
    place = root
    parts = given.removeprefix(f"{root}/").split("/")
    if not given.startswith(f"{root}/") or ".." in parts:
        return _followed(given, given, root)
    for part in parts:
        place = f"{place}/{part}"
        if os.path.islink(place):  # noqa: PTH114
            return _followed(given, place, root)
    return given


def _followed(given: str, link: str, root: str) -> str:
    real, real_root = os.path.realpath(given), os.path.realpath(root)
    if real == real_root or real.startswith(real_root.rstrip("/") + "/"):
        return real
    raise _leads_out(link, root)


def _leads_out(link: str, root: str) -> LinkError:
    shown = link.removeprefix(f"{root}/")
    top = shown.partition("/")[0]
    hint = "move the directory back; `Output base directory` puts the checkpoints elsewhere"
    if shown == PLAN_FILE:
        hint = "put the plan itself here, and link to it from the repository"
    elif top in {STATE_DIRECTORY, ANALYSIS} or os.path.isfile(link):  # noqa: PTH113
        hint = "remove the symbolic link; its target stays as it is"
    return LinkError(f"leads out of the experiment's directory, to {os.path.realpath(link)}", file=shown, hint=hint)


def link_out(paths: Iterable[str], within: str | os.PathLike[str]) -> str:
    """Names the first of these paths, relative to the experiment, that leads out of it; empty if none does."""
    for path in paths:
        try:
            place_inside(f"{os.fspath(within)}/{path}", within)
        except LinkError as error:
            return str(error)
    return ""


def refuse_links(experiment: Path) -> None:
    """Refuses links among logs and what tunebook remembers, before a verb writes the first of them.

    Raises:
        LinkError: a link leads out of the experiment.
    """
    root = os.fspath(experiment)
    place_inside(f"{root}/{ANALYSIS}/{FIGURES}", root)
    for entry in _entries(root):
        if entry.name in {STATE_DIRECTORY, ANALYSIS} or _OWN_LOG.fullmatch(entry.name):
            _refuse(entry, root)
        if entry.name == STATE_DIRECTORY and not entry.is_symlink():
            for below in _below(entry):
                _refuse(below, root)


def _refuse(entry: os.DirEntry[str], root: str) -> None:
    if entry.is_symlink():
        place_inside(entry.path, root)


def _below(folder: os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    if not folder.is_dir(follow_symlinks=False):
        return
    for entry in _entries(folder.path):
        yield entry
        yield from _below(entry)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:  # it is missing, or what needs it says why it cannot be read
        return []
