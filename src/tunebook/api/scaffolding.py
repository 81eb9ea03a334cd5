"""``check``, ``scaffold``, ``setup-finetune`` and ``tools``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tunebook.api.loading import Loaded, load, load_correct
from tunebook.api.location import find_experiment
from tunebook.core.jobs import Stage
from tunebook.core.paths import PLAN_FILE, SCAFFOLD_LOG, expanded
from tunebook.core.plan import Run
from tunebook.disk.archive_record import refuse_archive
from tunebook.disk.lock import Held, exclusive
from tunebook.disk.log import Log
from tunebook.errors import PlanError, Problem, UsageError
from tunebook.scaffold.log import log_discovery, log_problems, log_tools
from tunebook.scaffold.orchestrate import Options as ScaffoldOptions
from tunebook.scaffold.orchestrate import scaffold as orchestrate
from tunebook.scaffold.rederive import Derived, edited_settings, rederive
from tunebook.scaffold.report import ScaffoldReport
from tunebook.tools.data_record import write_data_record
from tunebook.tools.installing import install_into
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
    refuse_archive(experiment, "scaffold")
    journal = Log(None if options.dry_run else experiment / SCAFFOLD_LOG, clock)
    lock = nullcontext(Held()) if options.dry_run else exclusive(experiment, "scaffold")
    with lock as held:
        loaded = load(experiment)
        if options.tool is not None:
            loaded.refuse_unused(options.tool)
        report = _scaffold_loaded(experiment, loaded, options, journal, clock)
        if held.warning:
            report = replace(report, warnings=(Problem(held.warning), *report.warnings))
        return report


def _scaffold_loaded(
    experiment: Path, loaded: Loaded, options: ScaffoldOptions, journal: Log, clock: Callable[[], datetime]
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
    warnings = [*report.warnings, *findings.warnings]
    for part in report.parts:
        warnings += part.warnings
    return replace(report, warnings=tuple(warnings))


@dataclass(frozen=True)
class ToolInfo:
    """A tool that a plan can name.

    Attributes:
        version: the installed version; ``None`` if it is not installed here.
        install: the command that installs it in the environment of its jobs.
    """

    name: str
    stage: Stage
    version: str | None
    install: str


@dataclass(frozen=True)
class ToolsReport:
    """The tools that a plan can name, and a warning for each registered tool that cannot be used."""

    tools: tuple[ToolInfo, ...]
    warnings: tuple[Problem, ...]


def tools() -> ToolsReport:
    """Loads every registered tool."""
    registry = installed_tools()
    found = [
        ToolInfo(tool.name, tool.stage, tool.package.version, install_into(tool.package.requirement))
        for tool in registry.tools
    ]
    return ToolsReport(tuple(found), tuple(tool.as_warning() for tool in registry.broken))


def setup_finetune(run_directory: Path, *, assignments: Sequence[str] = (), dry_run: bool = False) -> Derived:
    """Derives a run's files again from the settings in its directory that a person may edit.

    Args:
        run_directory: the run's directory, or anything in it.
        assignments: ``key=value`` settings to change in it first.

    Raises:
        UsageError: the directory is not one of the plan's runs, the plan's tool has no settings to edit, or an
            assignment cannot be read or has no effect.
        PlanError: the plan or the settings are wrong.
    """
    experiment, name = _place_of_run(run_directory)
    refuse_archive(experiment, "setup-finetune")
    try:
        derived = _derive(experiment, name, assignments, dry_run=dry_run)
    except (PlanError, UsageError) as error:
        raise type(error)(_located(error.problems, experiment)) from None
    warnings, errors = _located(derived.warnings, experiment), _located(derived.errors, experiment)
    return replace(derived, warnings=warnings, errors=errors)


def _derive(experiment: Path, directory: str, assignments: Sequence[str], *, dry_run: bool) -> Derived:
    loaded = load_correct(experiment)
    context, tool = loaded.context, loaded.preparation
    if tool is None or not tool.editable:
        raise UsageError(f"{context.plan.tools.preparation} has no settings in {experiment / directory} to edit")
    run = _run_in(experiment, directory, tool.runs(context.plan), context.directories)
    errors = context.findings[tool.name].errors
    if errors:
        raise PlanError(errors)
    with exclusive(experiment, "scaffold"):
        edited = None
        if assignments:
            edited = edited_settings(context, tool, run, assignments)
        return rederive(context, tool, run, edited=edited, dry_run=dry_run)


def _place_of_run(given: Path) -> tuple[Path, str]:
    """The experiment, and the name of the directory in it that a path names or lies in; empty for its own directory.

    Raises:
        UsageError: the path is in no experiment.
    """
    path = Path(os.path.abspath(expanded(given)))  # noqa: PTH100  resolves no links
    if (path / PLAN_FILE).is_file():
        return path, ""
    for directory in (path, *path.parents):
        if (directory.parent / PLAN_FILE).is_file():
            return directory.parent, directory.name
    hint = "name the directory of a run, such as EXPERIMENT_DIR/rank8"
    raise UsageError(f"{path} is in no experiment: no directory above it has {PLAN_FILE}", hint=hint)


def _run_in(experiment: Path, directory: str, runs: Sequence[Run], directories: Mapping[str, str]) -> Run:
    for run in runs:
        if directories[run.name] == directory:
            return run
    trained = ", ".join(str(experiment / directories[run.name]) for run in runs)
    hint = f"name one of: {trained}"
    raise UsageError(f"{experiment / directory} is not the directory of a fine-tuned run", hint=hint)


def _located(problems: Sequence[Problem], experiment: Path) -> tuple[Problem, ...]:
    """The problems with the whole path of each file, since a person may be in any directory."""
    located: list[Problem] = []
    for problem in problems:
        file = problem.file and str(experiment / problem.file)
        located.append(replace(problem, file=file))
    return tuple(located)
