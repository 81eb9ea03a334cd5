"""The values that a tool and tunebook exchange: all that a tool may look at, and the files and jobs that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tunebook.core.jobs import Job
from tunebook.core.memo import Memo
from tunebook.core.plan import Evaluation, Plan
from tunebook.core.site import Site
from tunebook.disk.manifest import digest
from tunebook.errors import Problem
from tunebook.tools.datasets import DatasetFacts
from tunebook.tools.findings import Findings
from tunebook.tools.model_facts import ModelFacts

__all__ = ["Context", "FileKind", "Package", "PlannedFile", "Prepared", "Shrunk", "Unit"]


@dataclass(frozen=True)
class Package:
    """The Python package that a tool's jobs import.

    Attributes:
        module: the name that Python imports.
        distribution: the name of the installed distribution, whose version is the tool's.
        requirement: what ``pip install`` is given in the environment of the jobs, such as ``tunebook[torchtune]``.
    """

    module: str
    distribution: str
    requirement: str

    @property
    def version(self) -> str | None:
        """The version that is installed here; ``None`` if it is not installed, which only running needs."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None


@dataclass(frozen=True)
class FileKind:
    """One kind of file that a tool writes: its name, or a pattern of names, and what it is for, on one line."""

    name: str
    description: str


@dataclass(frozen=True)
class PlannedFile:
    """A file as it should be.

    Attributes:
        path: relative to the experiment's directory.
        start: the text, or its beginning where there is an ``end``.
        end: the rest of the text, where thousands of files may have it in common: memory holds it once.
    """

    path: str
    start: str
    executable: bool = False
    end: str = ""

    @property
    def text(self) -> str:
        """The whole text."""
        return self.start + self.end

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the text."""
        return digest(self.text)


@dataclass(frozen=True)
class Prepared:
    """A run's preparation, as its evaluation needs it.

    Attributes:
        job: the name of the job to wait for.
        checkpoints: zero-based epoch to the absolute path of its directory.
        base: the absolute directory of the model that checkpoints adapt; empty for whole models. ``rank``: theirs.
        config: the text of the run's ``setup_finetune.yaml``, which task scripts read; ``None`` if the tool writes
            none: task scripts then get the values one by one.
        values: the settings that the training uses, by the parameter's key; an evaluation reads ``dataset_path``,
            ``dataset_type``, ``max_seq_len``, ``precision``, ``prompt`` and ``system_prompt``.
    """

    job: str
    checkpoints: Mapping[int, str]
    config: str | None
    values: Mapping[str, Any]
    base: str = ""
    rank: int | None = None


@dataclass(frozen=True)
class Unit:
    """The part of one run that one tool makes.

    Attributes:
        directories: directories to make even though they get no file yet.
        prepared: what the run's evaluation needs; only preparation tools give it.
        warnings: what a person should know about this run, such as a setting that was edited.
        values: a digest of everything, beside the texts on disk, that the result of ``verify`` depends on, apart from
            the existence of the jobs' texts: files that were verified against equal values by equal code need not be
            verified again. Empty if the tool does not promise that: its files are always verified.
    """

    run: str
    files: tuple[PlannedFile, ...] = ()
    jobs: tuple[Job, ...] = ()
    directories: tuple[str, ...] = ()
    prepared: Prepared | None = None
    warnings: tuple[Problem, ...] = ()
    values: str = ""


@dataclass(frozen=True)
class Context:
    """All that a tool may look at.

    Attributes:
        experiment: absolute path of the experiment's directory.
        directories: run name to the name of its directory.
        evaluations: run name to the evaluations that the matrix asks for.
        edited: relative path to the text of editable files that a person has edited.
        models: path, as the plan gives it, to what the model's directory holds; ``None`` if it was not found here.
        datasets: path, as the plan gives it, to what was read of the data set; ``None`` if it was not found here.
        facts: the result of each tool's own ``survey``, by the tool's name; ``findings`` of its own ``check``.
        prepared: run name to its preparation; given to evaluation tools.
        loads_adapters: whether the plan's evaluation tool can evaluate checkpoints that are adapters.
    """

    plan: Plan
    site: Site
    experiment: Path
    directories: Mapping[str, str]
    evaluations: Mapping[str, tuple[Evaluation, ...]] = field(default_factory=lambda: MappingProxyType({}))
    edited: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    models: Mapping[str, ModelFacts | None] = field(default_factory=lambda: MappingProxyType({}))
    datasets: Mapping[str, DatasetFacts | None] = field(default_factory=lambda: MappingProxyType({}))
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    findings: Mapping[str, Findings] = field(default_factory=lambda: MappingProxyType({}))
    prepared: Mapping[str, Prepared] = field(default_factory=lambda: MappingProxyType({}))
    loads_adapters: bool = False

    @cached_property
    def memo(self) -> Memo:
        """What tools have computed of this context; a changed context is another object."""
        return Memo()


@dataclass(frozen=True)
class Shrunk:
    """The settings that make a training smaller: by key, as they are and as they should be."""

    before: Mapping[str, int]
    after: Mapping[str, int]
