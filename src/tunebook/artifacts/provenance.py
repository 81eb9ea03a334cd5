"""Reads ``provenance.json``: the record of how each result of a run came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tunebook.artifacts.text_files import read_document
from tunebook.core.jobs import Stage
from tunebook.core.json_text import UNFIT
from tunebook.core.paths import PROVENANCE

__all__ = ["JobProvenance", "RecordedSetting", "read_provenance"]


@dataclass(frozen=True)
class RecordedSetting:
    """A setting that was in effect; ``group`` is the heading under which ``check`` prints it."""

    group: str
    name: str
    value: str
    source: str


@dataclass(frozen=True)
class JobProvenance:
    """One job's environment and settings, as they were recorded.

    Attributes:
        job: the job's name.
        packages: name to version.
        gpus: the names of its GPUs; ``driver`` is their driver.
        commit: of the experiment when the job was submitted; empty outside of a repository.
        changed: tracked files that differed from the commit.
    """

    job: str
    stage: Stage
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    gpus: tuple[str, ...] = ()
    driver: str = ""
    commit: str = ""
    changed: tuple[str, ...] = ()
    settings: tuple[RecordedSetting, ...] = ()


def read_provenance(directory: Path) -> tuple[JobProvenance, ...]:
    """The jobs of a run's directory; empty if there is no record, or if it cannot be read."""
    try:
        jobs = (read_document(directory / PROVENANCE) or {}).get("jobs", {})
        return tuple(_job(name, entry) for name, entry in jobs.items())
    except (OSError, *UNFIT):
        return ()


def _job(name: str, entry: Mapping[str, Any]) -> JobProvenance:
    versions, commit = entry.get("versions") or {}, entry.get("commit") or {}
    return JobProvenance(
        job=name,
        stage=Stage(entry["stage"]),
        python=str(versions.get("python", "")),
        packages=MappingProxyType({str(key): str(value) for key, value in versions.get("packages", {}).items()}),
        gpus=tuple(map(str, versions.get("gpus", ()))),
        driver=str(versions.get("driver", "")),
        commit=str(commit.get("sha", "")),
        changed=tuple(map(str, commit.get("changed", ()))),
        settings=tuple(map(_setting, entry.get("settings", ()))),
    )


def _setting(entry: Mapping[str, Any]) -> RecordedSetting:
    return RecordedSetting(str(entry["group"]), str(entry["name"]), str(entry["value"]), str(entry["source"]))
