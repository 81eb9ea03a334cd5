"""The blueprint: every file and every job that a plan asks for, as a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

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
    """The units that one tool made of the plan, and the runs that it could not build."""

    tool: Tool
    context: Context
    built: tuple[Built, ...] = ()
    failures: tuple[Failure, ...] = ()

    def only(self, is_selected: Callable[[str], bool]) -> Part:
        """The part of the selected runs, which are asked for by name."""
        built = filter(lambda item: is_selected(item.run.name), self.built)
        failures = filter(lambda item: is_selected(item.run), self.failures)
        return replace(self, built=tuple(built), failures=tuple(failures))

    @property
    def files(self) -> list[PlannedFile]:
        """Its files, run by run."""
        return [file for built in self.built for file in built.unit.files]

    @property
    def jobs(self) -> list[Job]:
        """Its jobs, run by run."""
        return [job for built in self.built for job in built.unit.jobs]

    @property
    def directories(self) -> list[str]:
        """Directories to make although no file is written into them yet."""
        return [path for built in self.built for path in built.unit.directories]

    @property
    def warnings(self) -> list[Problem]:
        """The units' warnings, run by run."""
        return [warning for built in self.built for warning in built.unit.warnings]

    @property
    def prepared(self) -> dict[str, Prepared]:
        """Run name to its preparation."""
        return {built.run.name: built.unit.prepared for built in self.built if built.unit.prepared}

    def differences(self, read: Callable[[str], str]) -> Iterator[Problem]:
        """Reads the files of every run back and compares them with the plan."""
        for built in self.built:
            yield from self.tool.verify(self.context, built.run, built.unit, read)


@dataclass(frozen=True)
class Blueprint:
    """The parts, in the order of their stages."""

    parts: tuple[Part, ...]

    @property
    def paths(self) -> set[str]:
        """The paths of all files."""
        return {file.path for part in self.parts for file in part.files}

    @property
    def jobs(self) -> list[Job]:
        """All jobs, trainings before evaluations."""
        return [job for part in self.parts for job in part.jobs]

    @property
    def has_failures(self) -> bool:
        """Whether a tool could not build a run."""
        return any(part.failures for part in self.parts)


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
