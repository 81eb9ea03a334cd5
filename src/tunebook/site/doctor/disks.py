"""The file systems that an experiment uses: whether they can be written and locked, space, files, and quotas."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tunebook.core.paths import expanded
from tunebook.core.site import Site
from tunebook.disk.look import Place
from tunebook.disk.program import run_program
from tunebook.errors import ToolError
from tunebook.site.doctor.diagnosis import Diagnosis, doubt, fine, not_checked, wrong
from tunebook.site.doctor.quotas import Quota, quota_of

__all__ = ["diagnose_disks"]

_GIB = 2**30
_FULL_BYTES, _SCARCE_BYTES = 100 * 2**20, 10 * _GIB
_FULL_FILES, _SCARCE_FILES = 1_000, 20_000
_NEAR = 0.9  # of a quota
_FREE = "free some space, or name another directory in the site settings"
_FEWER = "remove directories with many files, such as old environments and caches"


@dataclass(frozen=True)
class _Used:
    """A directory that jobs or verbs write to."""

    label: str
    path: Path
    is_for_records: bool = False


def diagnose_disks(directory: Path, site: Site, *, timeout_s: float) -> Iterator[Diagnosis]:
    """Looks at each file system once for each directory; a temporary file is made there and removed.

    Args:
        directory: the experiment's, or any other one.
        timeout_s: the longest that one directory may take.
    """
    asked: dict[str, Quota | str | None] = {}
    for used in _used(directory, site):
        place, why_not = _look(used.path, timeout_s)
        if place is None:
            hint = "ask the cluster's support whether the file server is well, or allow more time: `--timeout-s`"
            yield not_checked(f"{used.label} {used.path}: {why_not}", hint)
            continue
        yield from _of_place(used, place)
        if place.source not in asked:
            asked[place.source] = quota_of(place, timeout_s=timeout_s)
            yield from _of_quota(place, asked[place.source])


def _used(directory: Path, site: Site) -> list[_Used]:
    places = [_Used("the experiment's directory", directory, is_for_records=True)]
    if site.output_dir_base:
        places.append(_Used("the outputs", Path(expanded(site.output_dir_base))))
    if site.scratch:
        places.append(_Used("the scratch directory", Path(expanded(site.scratch))))
    places.append(_Used("temporary files", Path(os.environ.get("TMPDIR") or tempfile.gettempdir())))
    return places


def _look(path: Path, timeout_s: float) -> tuple[Place | None, str]:
    """What a process of its own finds there, or why it finds nothing."""
    argv = [sys.executable, "-P", "-m", "tunebook.disk.look", str(path)]
    try:
        answer = run_program(argv, timeout_s=timeout_s)
        document: Mapping[str, object] = json.loads(answer.stdout)
    except ToolError:
        return None, f"its file system did not answer within {timeout_s:g} s"
    except ValueError:
        return None, answer.stderr.strip().rpartition("\n")[2] or "its file system did not answer"
    place = document.get("place")
    if isinstance(place, dict):
        return Place(**place), ""
    return None, str(document.get("failed", "its file system did not answer"))


def _of_place(used: _Used, place: Place) -> Iterator[Diagnosis]:
    what = f"{used.label} {used.path}"
    if place.unwritable:
        hint = "name a directory that you can write to"
        yield wrong(f"{what}: no file can be made in {place.directory}: {place.unwritable}", hint)
        return
    figures = [f"{place.free_bytes / _GIB:,.0f} GiB free" if place.free_bytes >= _GIB else _small(place.free_bytes)]
    if place.free_files is not None:
        figures.append(f"room for {place.free_files:,} files")
    if place.free_bytes < _FULL_BYTES:
        yield wrong(f"{what}: {figures[0]}", _FREE)
    elif place.free_bytes < _SCARCE_BYTES:
        yield doubt(f"{what}: only {figures[0]}", _FREE)
    if place.free_files is not None and place.free_files < _SCARCE_FILES:
        judge = wrong if place.free_files < _FULL_FILES else doubt
        yield judge(f"{what}: only {figures[-1]}", _FEWER)
    if used.is_for_records and place.lockless:
        hint = "tunebook uses a file in place of the lock; start `tunebook run` on one host only"
        yield doubt(f"{what}: files cannot be locked ({place.lockless})", hint)
    elif used.is_for_records:
        figures.append("locks work")
    if place.directory != str(used.path):
        figures.insert(0, f"is made in {place.directory}")
    yield fine(f"{what}: writable, {', '.join(figures)} ({place.file_system or 'unknown file system'})")


def _small(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB free"


def _of_quota(place: Place, quota: Quota | str | None) -> Iterator[Diagnosis]:
    """Judges a quota; nothing where the file system has none."""
    if quota is None:
        return
    where = f"your quota on {place.mount or place.directory}"
    if isinstance(quota, str):
        yield not_checked(f"{where}: {quota}", "ask the cluster's support how to see your quota")
        return
    for figure, share in ((quota.space, quota.space_share), (quota.files, quota.files_share)):
        if not figure:
            continue
        if share >= 1:
            yield wrong(f"{where} is used up: {figure}", "remove files there, or ask the cluster's support for more")
        elif share >= _NEAR:
            yield doubt(f"{where} is nearly used up: {figure}", "remove files there, before jobs fail to save")
        else:
            yield fine(f"{where}: {figure}")
