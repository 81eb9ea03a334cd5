"""Remembers in ``.tunebook/verified.json`` which runs' files were verified, so that the same need not be parsed again.

A run's files are known to be right if each has the text that the plan asks for, byte for byte, and the same texts were
read back and compared before by the same code, with the same values. The record has one digest of all of this for each
run and tool. A record that is missing, unreadable or of anything else proves nothing: the files are verified again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from tunebook.core.paths import VERIFIED
from tunebook.disk.atomic import write_text
from tunebook.disk.remembered import read_remembered
from tunebook.tools.base import Tool, Unit
from tunebook.tools.installed_code import installed_code

__all__ = ["VerifiedRuns"]

_VERSION = 1


class VerifiedRuns:
    """The digests of what was verified, by tool and run."""

    def __init__(self, experiment: Path) -> None:
        self._experiment = experiment
        self._path = experiment / VERIFIED
        self._before = read_remembered(self._path, _digests, version=_VERSION) or {}
        self._now: dict[str, dict[str, str]] = {tool: dict(runs) for tool, runs in self._before.items()}

    def has(self, tool: Tool, unit: Unit) -> bool:
        """Whether these very texts were verified against these values by this code."""
        known = self._before.get(tool.short, {}).get(unit.run)
        return known is not None and bool(unit.values) and known == _digest(tool, unit)

    def add(self, tool: Tool, unit: Unit) -> None:
        """Remembers that the unit's texts, as the plan asks for them, were read back from the disk and are right."""
        if unit.values:
            self._now.setdefault(tool.short, {})[unit.run] = _digest(tool, unit)

    def forget(self, tool: Tool, unit: Unit) -> None:
        """Remembers nothing of a unit."""
        self._now.get(tool.short, {}).pop(unit.run, None)

    def save(self, planned: Mapping[str, Iterable[str]]) -> None:
        """Writes the record if it has changed; a directory without write access stays as it is.

        Args:
            planned: a tool's short name to its runs; nothing else is remembered.
        """
        kept = {}
        for tool, runs in planned.items():
            known = self._now.get(tool, {})
            kept[tool] = {run: known[run] for run in runs if run in known}
        if kept == self._before:
            return
        text = json.dumps({"version": _VERSION, "runs": kept}, ensure_ascii=False, separators=(",\n", ": "))
        with suppress(OSError):
            write_text(self._path, text + "\n", within=self._experiment)


def _digest(tool: Tool, unit: Unit) -> str:
    digest = sha256()
    for word in (installed_code(), tool.name, unit.run, unit.values):
        digest.update(word.encode("utf-8", "surrogateescape") + b"\0")
    for file in unit.files:
        digest.update(f"{file.path}\0{file.digest}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _digests(document: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """A tool's short name to the digests of its runs."""
    found = {}
    for tool, runs in document["runs"].items():
        found[str(tool)] = {str(run): str(digest) for run, digest in runs.items()}
    return found
