"""Helpers of the scaffolding tests: a tree of files as a dict, and the verbs with a stopped clock."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tunebook import api
from tunebook.scaffold.report import ScaffoldReport

CLOCK = datetime(2025, 10, 24, 17, 30, 0, tzinfo=UTC)


def scaffolded(experiment: Path, **options: Any) -> ScaffoldReport:
    """Scaffolds with a fixed clock."""
    return api.scaffold(experiment, api.ScaffoldOptions(**options), clock=lambda: CLOCK)


def tree(
    directory: Path, *, without: Sequence[str] = (".tunebook", "experiment_summary.md", "claude.local.md")
) -> dict[str, str]:
    """Relative path to text for every file below; logs and state left out unless asked for."""
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.relative_to(directory).parts[0] not in without and path.suffix != ".log"
    }


def golden(found: Mapping[str, str], directory: Path) -> dict[str, str]:
    """The texts that are expected: those that were found, where the golden files are to be updated."""
    if os.environ.get("TUNEBOOK_UPDATE_GOLDEN"):
        shutil.rmtree(directory, ignore_errors=True)
        for path, text in found.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_text(text)
    return tree(directory)


def stamps(directory: Path) -> dict[str, int]:
    """Relative path to modification time in nanoseconds, of everything but logs and locks."""
    return {
        str(path.relative_to(directory)): path.stat().st_mtime_ns
        for path in directory.rglob("*")
        if path.is_file() and path.suffix != ".log" and ".lock" not in path.name and "lock." not in path.name
    }


def replace(path: Path, old: str, new: str) -> None:
    """Edits a file; the old text must be there."""
    text = path.read_text()
    assert old in text, f"{path} has no {old!r}"
    path.write_text(text.replace(old, new))
