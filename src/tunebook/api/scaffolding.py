"""``check``, ``scaffold``, ``setup-finetune`` and ``tools``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tunebook.api.loading import Loaded, find_experiment, load, load_correct
from tunebook.core.jobs import Stage
from tunebook.core.paths import PLAN_FILE, SCAFFOLD_LOG
from tunebook.core.plan import Run
from tunebook.disk.atomic import read_text
from tunebook.disk.lock import exclusive
from tunebook.disk.log import Log
from tunebook.errors import PlanError, Problem, UsageError
from tunebook.scaffold.log import log_discovery, log_problems, log_tools
from tunebook.scaffold.orchestrate import Options
from tunebook.scaffold.orchestrate import scaffold as orchestrate
from tunebook.scaffold.rederive import Derived, rederive
from tunebook.scaffold.report import ScaffoldReport
from tunebook.tools.data_record import write_data_record
from tunebook.tools.registry import installed_tools

__all__ = [
    "ScaffoldOptions",
    "ToolInfo",
    "ToolsReport",
    "scaffold",
    "setup_finetune",
    "tools",
]


def now() -> datetime:
    """Local time with its zone."""
    return datetime.now().astimezone()


@dataclass(frozen=True, kw_only=True)
class ScaffoldOptions(Options):
    """The options of ``scaffold``.

    Attributes:
        tool: short name of the plan's tool whose stage alone is scaffolded, in place of ``stages``.
    """

    tool: str | None = None


def scaffold(
    directory: Path, options: ScaffoldOptions | None = None, *, clock: Callable[[], datetime] = now
) -> ScaffoldReport:
    """Writes the run directories that the plan asks for.

    Raises:
        PlanError: the plan or the site settings are wrong; carries every problem, and nothing was written.
        LockedError: another command scaffolds this experiment.
        UsageError: the plan is missing, no run has a selected name, or the plan does not use the tool.
    """
    options = options or ScaffoldOptions()
    experiment = find_experiment(directory)
    journal = Log(None if options.dry_run else experiment / SCAFFOLD_LOG, clock)
    lock = nullcontext() if options.dry_run else exclusive(experiment, "scaffold")
    with lock:
        loaded = load(experiment)
        if options.tool is not None:
            options = replace(options, stages=frozenset({loaded.stage_of(options.tool)}))
        return _scaffold_loaded(experiment, loaded, options, journal, clock)


def _scaffold_loaded(
    experiment: Path, loaded: Loaded, options: Options, journal: Log, clock: Callable[[], datetime]
) -> ScaffoldReport:
    context, findings = loaded.context, loaded.findings
    log_discovery(journal, context.plan, str(experiment / PLAN_FILE))
    if loaded.of_plan.errors:
        log_problems(journal, findings.errors)
        raise PlanError(findings.errors)
    log_tools(journal, context.plan, context.site, findings)
    report = orchestrate(context, loaded.tools, options, clock)
    if not options.dry_run:
        write_data_record(context)
    warnings = list(findings.warnings)
    for part in report.parts:
        warnings += part.warnings
    return replace(report, warnings=tuple(warnings))


@dataclass(frozen=True)
class ToolInfo:
    """A tool that a plan can name.

    Attributes:
        version: the installed version; ``None`` if it is not installed here.
        requirement: what ``pip install`` is given to install it.
    """

    name: str
    stage: Stage
    version: str | None
    requirement: str


@dataclass(frozen=True)
class ToolsReport:
    """The tools that a plan can name, and a warning for each registered tool that cannot be used."""

    tools: tuple[ToolInfo, ...]
    warnings: tuple[Problem, ...]


def tools() -> ToolsReport:
    """Loads every registered tool."""
    registry = installed_tools()
    found = [ToolInfo(tool.name, tool.stage, tool.package.version, tool.package.requirement) for tool in registry.tools]
    return ToolsReport(tuple(found), tuple(tool.as_warning() for tool in registry.broken))


def setup_finetune(run_directory: Path, *, assignments: Sequence[str] = (), dry_run: bool = False) -> Derived:
    """Derives a run's files again from the settings in its directory that a person may edit.

    Args:
        assignments: ``key=value`` settings to change in it first.

    Raises:
        UsageError: the directory is not one of the plan's runs, the plan's tool has no settings to edit, or an
            assignment cannot be read.
        PlanError: the plan or the settings are wrong.
    """
    run_directory = run_directory.expanduser().absolute()
    experiment = find_experiment(run_directory.parent)
    loaded = load_correct(experiment)
    tool = loaded.preparation
    if tool is None or not tool.editable:
        raise UsageError(f"{loaded.context.plan.tools.preparation} has no settings in {run_directory.name} to edit")
    run = _run_in(run_directory.name, tool.runs(loaded.context.plan), loaded.context.directories)
    errors = loaded.context.findings[tool.name].errors
    if errors:
        raise PlanError(errors)
    edited = None
    if assignments:
        name = tool.editable[0]
        text = read_text(run_directory / name) or ""
        edited = tool.edit(text, assignments, file=f"{run_directory.name}/{name}")
    with exclusive(experiment, "scaffold"):
        return rederive(loaded.context, tool, run, edited=edited, dry_run=dry_run)


def _run_in(directory: str, runs: Sequence[Run], directories: Mapping[str, str]) -> Run:
    for run in runs:
        if directories[run.name] == directory:
            return run
    trained = ", ".join(directories[run.name] for run in runs)
    raise UsageError(f"{directory} is not the directory of a fine-tuned run", hint=trained)
