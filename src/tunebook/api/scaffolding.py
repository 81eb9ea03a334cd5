"""``check``, ``scaffold``, ``setup-finetune`` and ``tools``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tunebook.api.loading import find_experiment, load
from tunebook.core.jobs import Stage
from tunebook.core.paths import SCAFFOLD_LOG, SETUP
from tunebook.core.plan import PLAN_FILE, Plan
from tunebook.core.site import Site
from tunebook.disk.atomic import read_text
from tunebook.disk.lock import exclusive
from tunebook.disk.log import Log
from tunebook.errors import ExitCode, PlanError, Problem, UsageError
from tunebook.scaffold.log import log_discovery, log_problems, log_tools
from tunebook.scaffold.orchestrate import Options
from tunebook.scaffold.orchestrate import scaffold as orchestrate
from tunebook.scaffold.rederive import Derived, rederive
from tunebook.scaffold.report import ScaffoldReport
from tunebook.scaffold.summary import summary
from tunebook.tools.registry import installed_tools
from tunebook.tools.torchtune.edit_setup import set_values

__all__ = [
    "CheckReport",
    "Derived",
    "Options",
    "ScaffoldReport",
    "ToolInfo",
    "check",
    "scaffold",
    "setup_finetune",
    "summary",
    "tools",
]


def now() -> datetime:
    """Local time with its zone."""
    return datetime.now().astimezone()


@dataclass(frozen=True)
class CheckReport:
    """What ``check`` found."""

    experiment: Path
    plan: Plan
    site: Site
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        """3 if the plan or the site is wrong."""
        return ExitCode.WRONG_PLAN if self.errors else ExitCode.DONE


def check(directory: Path) -> CheckReport:
    """Reads the plan and the site and verifies what can be verified here; writes nothing."""
    experiment = find_experiment(directory)
    loaded = load(experiment)
    findings = loaded.findings
    context = loaded.context
    return CheckReport(experiment, context.plan, context.site, findings.errors, findings.warnings, findings.notes)


def scaffold(
    directory: Path,
    *,
    stages: Sequence[Stage] = tuple(Stage),
    runs: Sequence[str] = (),
    overwrite: bool = False,
    prune: bool = False,
    dry_run: bool = False,
    on_failure: Callable[[str], bool] = lambda _: False,
    clock: Callable[[], datetime] = now,
) -> ScaffoldReport:
    """Writes the run directories that the plan asks for; see :class:`tunebook.scaffold.orchestrate.Options`.

    Raises:
        PlanError: the plan or the site is wrong; carries every problem, and nothing was written.
        LockedError: another scaffolder works in this experiment.
        UsageError: there is no plan, or no such run.
    """
    experiment = find_experiment(directory)
    journal = Log(None if dry_run else experiment / SCAFFOLD_LOG, clock)
    options = Options(frozenset(stages), tuple(runs), overwrite, prune, dry_run, on_failure)
    if dry_run:
        return _scaffold_locked(experiment, options, journal, clock)
    with exclusive(experiment, "scaffold"):
        return _scaffold_locked(experiment, options, journal, clock)


def _scaffold_locked(experiment: Path, options: Options, journal: Log, clock: Callable[[], datetime]) -> ScaffoldReport:
    loaded = load(experiment)
    context, findings = loaded.context, loaded.findings
    log_discovery(journal, context.plan, str(experiment / PLAN_FILE))
    if findings.errors:
        log_problems(journal, findings.errors)
        raise PlanError(findings.errors)
    log_tools(journal, context.plan, context.site, findings)
    report = orchestrate(context, loaded.tools, options, clock)
    return _with_warnings(report, findings.warnings)


def _with_warnings(report: ScaffoldReport, warnings: tuple[Problem, ...]) -> ScaffoldReport:
    own = tuple(warning for part in report.parts for warning in part.warnings)
    return replace(report, warnings=(*warnings, *own))


@dataclass(frozen=True)
class ToolInfo:
    """A tool that the page can name; ``version`` is ``None`` if it is not installed here."""

    name: str
    stage: Stage
    version: str | None


def tools() -> tuple[ToolInfo, ...]:
    """Every tool that can be routed to."""
    return tuple(ToolInfo(tool.name, tool.stage, tool.version()) for tool in installed_tools())


def setup_finetune(run_directory: Path, *, assignments: Sequence[str] = (), dry_run: bool = False) -> Derived:
    """Derives a run's ``finetune.yaml`` and ``finetune.slurm`` again from its ``setup_finetune.yaml``.

    Args:
        assignments: ``key=value`` settings to change in it first.

    Raises:
        UsageError: the directory is not one of the plan's runs, or an assignment cannot be read.
        PlanError: the plan or the settings are wrong.
    """
    run_directory = run_directory.expanduser().absolute()
    experiment = find_experiment(run_directory.parent)
    loaded = load(experiment)
    if loaded.findings.errors:
        raise PlanError(loaded.findings.errors)
    names = {directory: run for run, directory in loaded.context.directories.items()}
    tool = next(tool for tool in loaded.tools if tool.stage is Stage.PREPARATION)
    run = next((run for run in tool.runs(loaded.context.plan) if run.name == names.get(run_directory.name)), None)
    if run is None:
        trained = [loaded.context.directories[run.name] for run in tool.runs(loaded.context.plan)]
        raise UsageError(f"{run_directory.name} is not the directory of a fine-tuned run", hint=", ".join(trained))
    setup = None
    if assignments:
        file = f"{run_directory.name}/{SETUP}"
        setup = set_values(read_text(run_directory / SETUP) or "", list(assignments), file=file)
    with exclusive(experiment, "scaffold"):
        return rederive(loaded.context, tool, run, setup=setup, dry_run=dry_run)
