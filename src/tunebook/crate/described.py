"""Compares an archive with its description: before another one replaces it, and before results are read in it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tunebook.core.json_text import UNFIT
from tunebook.core.paths import ANALYSIS, ARCHIVE_RECORD, LEDGER, MANIFEST, STATE_DIRECTORY
from tunebook.core.shortened import named
from tunebook.crate.contents import OWN_LOG
from tunebook.crate.graph import METADATA
from tunebook.crate.values import Kind
from tunebook.disk.archive_output import ZIP_SUFFIX
from tunebook.disk.digests import file_digest
from tunebook.disk.read import read_json
from tunebook.errors import ConflictError

__all__ = ["changed_results", "refuse_stranger"]

_RESULTS = frozenset({ARCHIVE_RECORD, MANIFEST, LEDGER})
_NOT_OURS = "remove it yourself, or name another place: `--to PATH`"


def refuse_stranger(path: Path) -> None:
    """Accepts an archive of ``tunebook export`` that is as it was written.

    In a directory, what the verbs write into an opened archive may have changed: the report, logs and records.

    Raises:
        ConflictError: it is something else, or a person added or changed files in it.
        OSError: it cannot be read.
    """
    if not _is_archive(path):
        raise ConflictError(f"{path} is not an archive of `tunebook export`, and is not replaced", hint=_NOT_OURS)
    if path.is_dir():
        changed = list(_changed(path))
        if changed:
            message = f"{path} has files that `tunebook export` did not write so: {named(changed)}"
            raise ConflictError(message, hint=f"move them elsewhere if you need them; then {_NOT_OURS}")


def _is_archive(path: Path) -> bool:
    """Whether a path is an archive of the kind that its name asks for."""
    if path.is_symlink():
        return False
    if path.suffix.lower() != ZIP_SUFFIX:
        return (path / METADATA).is_file() and (path / ARCHIVE_RECORD).is_file()
    if not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return {METADATA, ARCHIVE_RECORD} <= set(archive.namelist())
    except zipfile.BadZipFile:
        return False


def changed_results(archive: Path) -> Iterator[str]:
    """Files that are missing, or have another content than the archive's description says.

    What the verbs write into an opened archive is left out. Only the sizes of checkpoints count: no report reads them.

    Raises:
        OSError: a file cannot be read.
    """
    for place, entity in _described(archive).items():
        top = place.partition("/")[0]
        is_made_again = (
            top == ANALYSIS or (top == STATE_DIRECTORY and place not in _RESULTS) or OWN_LOG.fullmatch(place)
        )
        if "contentSize" in entity and not place.startswith("#") and not is_made_again:
            path = archive / place
            with_digest = entity.get("description") != Kind.WEIGHTS.value
            if not path.is_file() or not _is_as_described(path, entity, with_digest=with_digest):
                yield place


def _changed(archive: Path) -> Iterator[str]:
    """Files of a directory that its description does not have, or has with another content."""
    known = _described(archive)
    for folder, folders, names in os.walk(archive):
        is_top = Path(folder) == archive
        left_out = {ANALYSIS, STATE_DIRECTORY} if is_top else set()
        folders[:] = sorted(set(folders) - left_out - {"__pycache__"})
        for name in sorted(names):
            path = Path(folder, name)
            place = str(path.relative_to(archive))
            is_made_again = is_top and (name == METADATA or OWN_LOG.fullmatch(name))
            if not is_made_again and not _is_as_described(path, known.get(place)):
                yield place


def _described(archive: Path) -> dict[str, Mapping[str, Any]]:
    try:
        graph = (read_json(archive / METADATA) or {})["@graph"]
        return {unquote(entity["@id"]): entity for entity in graph}
    except UNFIT:
        return {}


def _is_as_described(path: Path, entity: Mapping[str, Any] | None, *, with_digest: bool = True) -> bool:
    if entity is None or path.is_symlink():
        return False
    if str(path.stat().st_size) != entity.get("contentSize"):
        return False
    return not with_digest or file_digest(str(path)) == entity.get("sha256")
