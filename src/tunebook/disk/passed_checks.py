"""Remembers which deep checks passed: the digest of everything that decides the outcome, and the figure to show.

The file can be removed at any time. Checks that failed, or that could not be done, are not in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebook.core.paths import PASSED_CHECKS
from tunebook.disk.atomic import write_text
from tunebook.disk.remembered import read_remembered

__all__ = ["check_digest", "read_passed", "write_passed"]

_VERSION = 1


def check_digest(title: str, key: Mapping[str, Any]) -> str:
    """Returns the digest of a check's title and key; equal keys give equal digests in any order of their names."""
    document = json.dumps([title, dict(key)], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(document.encode("utf-8", "surrogateescape")).hexdigest()


def read_passed(experiment: Path) -> dict[str, str]:
    """Returns the figure by the digest of each check that passed; empty if the file is missing or cannot be read."""
    return read_remembered(experiment / PASSED_CHECKS, _passed, version=_VERSION) or {}


def _passed(document: Mapping[str, Any]) -> dict[str, str]:
    return {str(digest): str(figure) for digest, figure in document["passed"].items()}


def write_passed(experiment: Path, passed: Mapping[str, str]) -> None:
    """Writes the file.

    Raises:
        OSError: the experiment's directory cannot be written.
    """
    text = json.dumps({"version": _VERSION, "passed": dict(passed)}, ensure_ascii=False, indent=1) + "\n"
    write_text(experiment / PASSED_CHECKS, text, within=experiment)
