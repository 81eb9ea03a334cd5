"""An experiment as it is exported: its files by kind, what is left out of them, and what was found on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from tunebook.core.jobs import Job
from tunebook.core.plan import Plan
from tunebook.disk.archive_record import ArchivedJob, LeftOut

__all__ = ["Content", "CrateFile", "CrateOptions", "ExportedExperiment", "Findings", "Kind"]


class Kind(Enum):
    """The kind of a file; the value is the noun for people, which takes an s for several."""

    PLAN = "plan"
    SITE = "file with site settings"
    SETTINGS = "configuration"
    SCRIPT = "script"
    LOG = "log"
    OUTPUT = "job output"
    CURVE = "training curve"
    EVALUATION = "evaluation log"
    RECORD = "record"
    REPORT = "report file"
    WEIGHTS = "checkpoint file"
    DATA = "data file"
    OTHER = "other file"


@dataclass(frozen=True)
class CrateFile:
    """A file to copy; ``path`` is its place in the crate, and ``source`` the absolute path that it is read from."""

    path: str
    source: str
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class CrateOptions:
    """The choices of a person.

    Attributes:
        weights: whether checkpoints are included; ``data`` likewise.
        include: patterns of further files, relative to the experiment's directory.
    """

    weights: bool = False
    data: bool = False
    include: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportedExperiment:
    """The experiment to export.

    Attributes:
        site: the file with the site settings in effect, wherever it is; ``None`` without one.
        directories: run name to the name of its directory.
        jobs: the scaffolded jobs, and ``ends`` how each of them ended, by its name.
        data: the data sets of the plan by the path that the plan gives; ``models`` the models likewise.
        packages: short name of a tool to the name of its Python package.
        written: when, as ISO 8601 with the time zone.
    """

    directory: Path
    plan: Plan
    site: Path | None
    directories: Mapping[str, str]
    jobs: tuple[Job, ...]
    ends: Mapping[str, ArchivedJob]
    data: Mapping[str, Path]
    models: Mapping[str, Path]
    packages: Mapping[str, str]
    written: str

    @property
    def root(self) -> str:
        """The experiment's directory, without a slash at its end."""
        return str(self.directory)

    @cached_property
    def _jobs_by_name(self) -> Mapping[str, Job]:
        return {job.name: job for job in self.jobs}

    def jobs_of(self, names: Iterable[str]) -> Iterator[Job]:
        """The jobs of these names, as far as there are such jobs."""
        return (self._jobs_by_name[name] for name in names if name in self._jobs_by_name)


@dataclass
class Findings:
    """Facts about an export that a person should know.

    Attributes:
        unknown: files that tunebook does not know, and did not include; directories end with a slash.
        unnamed: files whose names are not UTF-8, which no archive can name.
        vanished: files that were removed while the export ran.
        unsearched: files that could not be searched for secrets.
        redacted: files from which secrets were removed.
    """

    left_out: list[LeftOut] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    unsearched: list[str] = field(default_factory=list)
    redacted: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Content:
    """The files of a crate as they were written: how many, and their bytes; ``by_kind`` counts them."""

    files: int = 0
    size: int = 0
    by_kind: Mapping[Kind, int] = field(default_factory=lambda: MappingProxyType({}))
