"""The verbs, composed here only: what the command line does, a program can do with typed results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tunebook.core.check import check_plan
from tunebook.core.job import Stage
from tunebook.core.naming import run_directories
from tunebook.core.parse import parse_plan
from tunebook.core.paths import SCAFFOLD_LOG, SETUP
from tunebook.core.plan import PLAN_FILE, Evaluation, Plan
from tunebook.core.settings import evaluations
from tunebook.core.site import SITE_FILE, Site, parse_site
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
from tunebook.tools.base import Context, Findings, Tool
from tunebook.tools.registry import installed_tools, tool_names
from tunebook.tools.torchtune_edit import set_values

__all__ = [
    "CheckReport",
    "Derived",
    "Options",
    "ScaffoldReport",
    "ToolInfo",
    "check",
    "find_experiment",
    "scaffold",
    "setup_finetune",
    "summary",
    "tools",
]


def _now() -> datetime:
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


@dataclass(frozen=True)
class _Loaded:
    """An experiment as far as it could be read."""

    context: Context
    tools: tuple[Tool, ...]
    findings: Findings


def find_experiment(directory: Path) -> Path:
    """The absolute path of an experiment's directory.

    Raises:
        UsageError: there is no ``experiment_summary.md`` in it.
    """
    directory = directory.expanduser().absolute()
    if directory.name == PLAN_FILE and directory.is_file():
        directory = directory.parent
    if not (directory / PLAN_FILE).is_file():
        hint = "go to the experiment's directory, or name it; a page has to be written first"
        raise UsageError(f"no {PLAN_FILE} in {directory}", hint=hint)
    return directory


def check(directory: Path) -> CheckReport:
    """Reads the plan and the site and verifies what can be verified here; writes nothing."""
    experiment = find_experiment(directory)
    loaded = _load(experiment)
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
    clock: Callable[[], datetime] = _now,
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
    loaded = _load(experiment)
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


def _load(experiment: Path) -> _Loaded:
    """Plan, site, the tools that the page names, and everything that is wrong with them, all together."""
    text = read_text(experiment / PLAN_FILE) or ""
    parsed = parse_plan(text)
    plan = parsed.plan
    site, site_warnings = _site(experiment)
    known = installed_tools()
    rules = check_plan(
        plan,
        preparation_tools=tool_names(known, Stage.PREPARATION),
        evaluation_tools=tool_names(known, Stage.EVALUATION),
    )
    wanted = (plan.tools.preparation.lower(), plan.tools.evaluation.lower())
    tools = tuple(tool for tool in known if tool.name in wanted)
    errors = tuple(sorted((*parsed.problems, *rules), key=lambda problem: problem.line or 0))
    findings = Findings(errors, site_warnings)
    facts = {tool.name: tool.survey(plan, site, experiment) for tool in tools}
    context = Context(plan, site, experiment, run_directories(plan), _evaluations(plan), facts=facts)
    for tool in tools:
        findings += tool.check(context)
    return _Loaded(context, tools, findings)


def _evaluations(plan: Plan) -> dict[str, tuple[Evaluation, ...]]:
    found: dict[str, list[Evaluation]] = {run.name: [] for run in plan.runs}
    for evaluation in evaluations(plan):
        found[evaluation.run].append(evaluation)
    return {name: tuple(items) for name, items in found.items()}


def _site(experiment: Path) -> tuple[Site, tuple[Problem, ...]]:
    """The first site file: in the experiment, in the working directory and above it, in ``~/.claude``."""
    here = Path.cwd()
    for directory in (experiment, here, *here.parents, Path.home() / ".claude"):
        text = read_text(directory / SITE_FILE)
        if text is not None:
            path = directory / SITE_FILE
            shown = SITE_FILE if directory == experiment else str(path)
            return parse_site(text, file=shown)
    hint = "local defaults hold; without an account and an environment its scripts may not suit a cluster"
    return Site(), (Problem(f"no site settings ({SITE_FILE}) were found", hint=hint),)


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
    loaded = _load(experiment)
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
