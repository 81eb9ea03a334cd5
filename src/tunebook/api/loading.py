"""Reading an experiment: the page, the site, the tools that the page names, and everything that is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tunebook.core.check import check_plan
from tunebook.core.jobs import Stage
from tunebook.core.naming import run_directories
from tunebook.core.plan import PLAN_FILE, Evaluation, Plan, parse_plan
from tunebook.core.plan.settings import evaluations
from tunebook.core.site import Site
from tunebook.core.site_file import SITE_FILE, parse_site
from tunebook.disk.atomic import read_text
from tunebook.errors import Problem, UsageError
from tunebook.tools.base import Context, Findings, Tool
from tunebook.tools.registry import installed_tools, tool_names

__all__ = ["Loaded", "find_experiment", "find_site", "load"]


@dataclass(frozen=True)
class Loaded:
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


def load(experiment: Path, *, text: str | None = None) -> Loaded:
    """Plan, site, the tools that the page names, and everything that is wrong with them, all together.

    Args:
        text: a page that is not written yet, in place of the one that is there.
    """
    text = read_text(experiment / PLAN_FILE) or "" if text is None else text
    parsed = parse_plan(text)
    plan = parsed.plan
    site, site_warnings = find_site(experiment)
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
    return Loaded(context, tools, findings)


def _evaluations(plan: Plan) -> dict[str, tuple[Evaluation, ...]]:
    found: dict[str, list[Evaluation]] = {run.name: [] for run in plan.runs}
    for evaluation in evaluations(plan):
        found[evaluation.run].append(evaluation)
    return {name: tuple(items) for name, items in found.items()}


def find_site(experiment: Path) -> tuple[Site, tuple[Problem, ...]]:
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
