"""What a tool promises: from a plan to files and jobs, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from tunebook.core.jobs import Job, Stage
from tunebook.core.plan import Evaluation, Plan, Run
from tunebook.core.site import Site
from tunebook.errors import Problem
from tunebook.tools.results import EvaluationResults, TrainingResults

__all__ = ["Context", "Findings", "PlannedFile", "Prepared", "Tool", "Unit"]


@dataclass(frozen=True)
class Findings:
    """What is wrong, what should be looked at, and what was found out on the way (for the log)."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(self.errors + other.errors, self.warnings + other.warnings, self.notes + other.notes)


@dataclass(frozen=True)
class PlannedFile:
    """A file as it should be; ``path`` is relative to the experiment's directory."""

    path: str
    text: str
    executable: bool = False


@dataclass(frozen=True)
class Prepared:
    """What a run's preparation leaves for its evaluation.

    Attributes:
        job: the name of the job to wait for.
        checkpoints: zero-based epoch to the absolute path of its directory.
        config_dir: absolute path of the directory with the run's training configuration.
        values: the settings that the training uses, by key of ``setup_finetune.yaml``.
    """

    job: str
    checkpoints: Mapping[int, str]
    config_dir: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Unit:
    """Everything that one run gets from one tool.

    Attributes:
        directories: directories to make even though no file is put into them yet.
        warnings: what a person should know of this run, such as a setting that was edited.
    """

    run: str
    files: tuple[PlannedFile, ...] = ()
    jobs: tuple[Job, ...] = ()
    directories: tuple[str, ...] = ()
    prepared: Prepared | None = None
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Context:
    """All that a tool may look at.

    Attributes:
        experiment: absolute path of the experiment's directory.
        directories: run name to the name of its directory.
        evaluations: run name to what the matrix asks for.
        edited: relative path to the text of files that a person edited and that decide over others.
        facts: what each tool's own survey of the disk found, by the tool's name.
        prepared: run name to what its preparation leaves; given to evaluation tools.
    """

    plan: Plan
    site: Site
    experiment: Path
    directories: Mapping[str, str]
    evaluations: Mapping[str, tuple[Evaluation, ...]] = field(default_factory=lambda: MappingProxyType({}))
    edited: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    prepared: Mapping[str, Prepared] = field(default_factory=lambda: MappingProxyType({}))


class Tool(Protocol):
    """One preparation or evaluation tool. Found through the entry point group ``tunebook.tools``."""

    name: str
    """As the page names it: ``torchtune``, ``inspect-ai``."""
    short: str
    """As logs and verbs name it: ``torchtune``, ``inspect``."""
    stage: Stage
    editable: tuple[str, ...]
    """Names of the files, in a run's directory, from which others are derived once a person has edited them."""

    @property
    def results(self) -> TrainingResults | EvaluationResults:
        """Reads what its jobs leave: an ``EvaluationResults`` for an evaluation tool, else a ``TrainingResults``.

        A preparation tool whose jobs write ``metrics.jsonl`` needs one line: ``results = TrainingResults()``.
        """
        ...

    def version(self) -> str | None:
        """The installed version; ``None`` if it is not installed here, which only running needs."""
        ...

    def survey(self, plan: Plan, site: Site, experiment: Path) -> Any:
        """Reads what the disk knows of models, data and scripts; nothing missing is an error here."""
        ...

    def check(self, context: Context) -> Findings:
        """What the survey shows to be wrong or unverified."""
        ...

    def runs(self, plan: Plan) -> tuple[Run, ...]:
        """The runs that this tool does something for."""
        ...

    def build(self, context: Context, run: Run) -> Unit:
        """The files and jobs of one run; pure.

        Raises:
            TunebookError: this run cannot be built; the others can.
        """
        ...

    def verify(self, context: Context, run: Run, unit: Unit, read: Callable[[str], str]) -> tuple[Problem, ...]:
        """Reads a run's files back, as their consumers will, and compares them with the plan as values."""
        ...
