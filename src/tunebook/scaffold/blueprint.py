"""The blueprint: every file and every job that a plan asks for, as a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tunebook.core.jobs import Job
from tunebook.core.plan import Run
from tunebook.errors import Problem, TunebookError
from tunebook.tools.base import Context, PlannedFile, Prepared, Tool, Unit

__all__ = ["Blueprint", "Built", "Failure", "Part", "build_part"]


@dataclass(frozen=True)
class Failure:
    """A run that could not be built, and why."""

    run: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Built:
    """A run and the unit that a tool made for it."""

    run: Run
    unit: Unit


@dataclass(frozen=True)
class Part:
    """The units that one tool made of the plan."""

    tool: Tool
    context: Context
    built: tuple[Built, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def files(self) -> Iterator[PlannedFile]:
        """Its files, run by run."""
        return (file for built in self.built for file in built.unit.files)

    @property
    def jobs(self) -> Iterator[Job]:
        """Its jobs, run by run."""
        return (job for built in self.built for job in built.unit.jobs)

    @property
    def prepared(self) -> dict[str, Prepared]:
        """Run name to its preparation."""
        return {built.run.name: built.unit.prepared for built in self.built if built.unit.prepared}


@dataclass(frozen=True)
class Blueprint:
    """The parts, in the order of their stages."""

    parts: tuple[Part, ...]

    @property
    def files(self) -> Iterator[PlannedFile]:
        """All files."""
        return (file for part in self.parts for file in part.files)

    @property
    def jobs(self) -> Iterator[Job]:
        """All jobs, trainings before evaluations."""
        return (job for part in self.parts for job in part.jobs)

    @property
    def failed_runs(self) -> set[str]:
        """The runs that a tool could not build."""
        return {failure.run for part in self.parts for failure in part.failures}


def build_part(tool: Tool, context: Context) -> Part:
    """Builds every run; one that fails does not stop the others."""
    built: list[Built] = []
    failures: list[Failure] = []
    for run in tool.runs(context.plan):
        try:
            built.append(Built(run, tool.build(context, run)))
        except TunebookError as error:
            failures.append(Failure(run.name, error.problems))
    return Part(tool, context, tuple(built), tuple(failures))
