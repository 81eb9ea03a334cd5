"""The blueprint: every file and every job that a plan asks for, as a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from tunebook.core.jobs import Job, Stage
from tunebook.core.plan import Run
from tunebook.errors import Problem, TunebookError
from tunebook.scaffold.limits import limit_problems, pack_problems
from tunebook.tools.base import Context, Prepared, Tool, Unit
from tunebook.tools.narrowing import context_of

__all__ = ["Blueprint", "Failure", "Part", "build_blueprint"]


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
    """The units that one tool made of the plan, and the runs that it could not build.

    Attributes:
        prepared: run name to its preparation. It includes runs that no node can take, because their evaluations are
            still correct.
    """

    tool: Tool
    context: Context
    built: tuple[Built, ...] = ()
    failures: tuple[Failure, ...] = ()
    prepared: Mapping[str, Prepared] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def runs(self) -> tuple[str, ...]:
        """The names of all runs of the part."""
        return (*(item.run.name for item in self.built), *(item.run for item in self.failures))

    def only(self, is_selected: Callable[[str], bool]) -> Part:
        """The part of the selected runs, which are asked for by name."""
        built = tuple(item for item in self.built if is_selected(item.run.name))
        failures = tuple(item for item in self.failures if is_selected(item.run))
        return replace(self, built=built, failures=failures)


@dataclass(frozen=True)
class Blueprint:
    """The parts, in the order of their stages: all paths, and all jobs, trainings before evaluations."""

    parts: tuple[Part, ...]
    paths: frozenset[str]
    jobs: tuple[Job, ...]


def build_blueprint(tools: Iterable[Tool], context: Context) -> Blueprint:
    """Every tool's part; later tools see what earlier ones prepare."""
    parts: list[Part] = []
    paths: set[str] = set()
    jobs: list[Job] = []
    for tool in tools:
        failed = {failure.run: failure for part in parts for failure in part.failures if _is_preparation(part)}
        part = _build_part(tool, context_of(tool, context), failed)
        parts.append(part)
        for built in part.built:
            paths.update(file.path for file in built.unit.files)
            jobs += built.unit.jobs
        context = replace(context, prepared={**context.prepared, **part.prepared})
    return Blueprint(tuple(parts), frozenset(paths), tuple(jobs))


def _is_preparation(part: Part) -> bool:
    """Evaluations need the preparation of their run, and no other evaluation."""
    return part.tool.stage is Stage.PREPARATION


def _build_part(tool: Tool, context: Context, failed: Mapping[str, Failure]) -> Part:
    """Builds every run; one that fails does not stop the others, and fails in later parts for the same reason."""
    built: list[Built] = []
    failures: list[Failure] = []
    prepared: dict[str, Prepared] = {}
    for run in tool.runs(context.plan):
        if run.name in failed and run.name not in context.prepared:
            failures.append(failed[run.name])
            continue
        try:
            unit = tool.build(context, run)
        except TunebookError as error:
            known = context.findings[tool.name].errors  # why the whole part cannot be done explains its runs better
            failures.append(Failure(run.name, known or error.problems))
            continue
        if unit.prepared is not None:
            prepared[run.name] = unit.prepared
        exceeded = [problem for job in unit.jobs for problem in limit_problems(job.resources, context.site)]
        if exceeded:
            failures.append(Failure(run.name, tuple(dict.fromkeys(exceeded))))
        else:
            built.append(Built(run, unit))
    too_large = pack_problems((job for item in built for job in item.unit.jobs), context.site)
    failures += [Failure(run, problems) for run, problems in too_large.items()]
    built = [item for item in built if item.run.name not in too_large]
    return Part(tool, context, tuple(built), tuple(failures), prepared)
