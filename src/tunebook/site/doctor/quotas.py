"""A person's quota on a file system, from ``quota`` (Linux, NFS) or ``lfs quota`` (Lustre)."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from tunebook.disk.look import Place
from tunebook.disk.program import run_program
from tunebook.errors import ToolError

__all__ = ["Quota", "quota_of", "read_quota"]

_FIELDS = 9  # file system; kB used, quota, limit, grace; files used, quota, limit, grace
_KIB_IN_GIB = 2**20


@dataclass(frozen=True)
class Quota:
    """The use and the limit, in words and as a share; empty and 0 if there is no limit."""

    space: str = ""
    space_share: float = 0.0
    files: str = ""
    files_share: float = 0.0


def quota_of(place: Place, *, timeout_s: float) -> Quota | str | None:
    """Asks for the quota on a file system.

    Returns:
        The quota; ``None`` if there is none, or no program that knows it; the reason if the program failed.
    """
    lustre = place.file_system == "lustre"
    argv = ["quota", "--no-wrap", "--raw-grace", "--user"]
    if lustre:
        argv = ["lfs", "quota", "-q", "-u", str(os.getuid()), place.mount]
    if shutil.which(argv[0]) is None:
        return None
    try:
        answer = run_program(argv, timeout_s=timeout_s)
    except ToolError as error:
        return str(error)
    found = read_quota(answer.stdout, place.mount if lustre else place.source)
    if found is None and answer.returncode and answer.stderr.strip():
        return f"`{argv[0]}` failed: {answer.stderr.strip().splitlines()[-1]}"
    return found


def read_quota(text: str, name: str) -> Quota | None:
    """Reads the row of one file system; ``None`` if there is none, or if it has no limit.

    Args:
        name: the file system as the program names it. A row may be broken into two lines behind it.
    """
    words = text.split()
    for start, word in enumerate(words):
        row = words[start : start + _FIELDS]
        if word == name and len(row) == _FIELDS:
            space = _figure(row[1:4], "GiB", _KIB_IN_GIB)
            files = _figure(row[5:8], "files", 1)
            return Quota(*space, *files) if space[0] or files[0] else None
    return None


def _figure(fields: list[str], unit: str, size: int) -> tuple[str, float]:
    """Use and limit in words, and the share; an excess is marked with ``*``, and 0 means no limit."""
    try:
        used, soft, hard = (int(field.strip("*[]")) for field in fields)
    except ValueError:
        return "", 0.0
    most = min(limit for limit in (soft, hard) if limit) if soft or hard else 0
    if not most:
        return "", 0.0
    return f"{used / size:,.0f} of {most / size:,.0f} {unit}", used / most
