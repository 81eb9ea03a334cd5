"""Reads an experiment: the plan, the site settings, the tools that the plan names, and all problems of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tunebook.api.location import way_back
from tunebook.core.check import check_plan, plan_warnings
from tunebook.core.jobs import Stage
from tunebook.core.naming import run_directories
from tunebook.core.paths import PLAN_FILE, SITE_FILE, path_problem
from tunebook.core.plan import OwnSection, Plan, parse_plan, read_tools
from tunebook.core.plan.settings import evaluations_by_run
from tunebook.core.site import Site
from tunebook.core.site_reading import ParsedSite, parse_site
from tunebook.disk.inside import place_inside
from tunebook.disk.read import read_text
from tunebook.errors import LinkError, PlanError, Problem, UsageError
from tunebook.tools.base import Context, EvaluationTool, Findings, PreparationTool, Tool
from tunebook.tools.environments import unknown_environments
from tunebook.tools.model_inputs import model_findings, survey_models
from tunebook.tools.narrowing import context_of, plan_of
from tunebook.tools.parameters import parameters_of
from tunebook.tools.registry import BrokenTool, Registry, installed_tools
from tunebook.tools.training_inputs import survey_datasets

__all__ = ["Loaded", "file_text", "find_site", "load", "load_correct"]


@dataclass(frozen=True)
class Loaded:
    """An experiment as far as it could be read.

    Attributes:
        preparation: the tool that the plan names for training; ``None`` if it is unknown, which is an error of the
            plan.
        evaluations: the known ones of the tools that the plan names for evaluation, in its order.
        of_plan: what was found in the plan and the site settings; an error there stops every stage. The tools' own
            findings are in the context; an error there stops the tool's stage only.
        own: a person's own sections of the plan, which are not read.
    """

    context: Context
    preparation: PreparationTool | None
    evaluations: tuple[EvaluationTool, ...]
    of_plan: Findings
    own: tuple[OwnSection, ...] = ()

    @property
    def findings(self) -> Findings:
        """Everything that was found."""
        return sum(self.context.findings.values(), self.of_plan)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools, in the order of their stages."""
        if self.preparation is None:
            return self.evaluations
        return (self.preparation, *self.evaluations)

    def refuse_unused(self, short: str) -> None:
        """Accepts a tool of the plan, named as verbs name it.

        Raises:
            UsageError: the plan names other tools.
        """
        if short in {tool.short for tool in self.tools}:
            return
        named = " and ".join(tool.name for tool in self.tools)
        verbs = ", ".join(tool.short for tool in self.tools)
        raise UsageError(f"the plan does not use the tool {short}: it names {named}", hint=f"use one of: {verbs}")


def file_text(path: Path) -> str:
    """The text of a file that a person named.

    Raises:
        UsageError: the file does not exist.
    """
    text = read_text(path)
    if text is None:
        raise UsageError(f"{path} was not found")
    return text


def load(experiment: Path, *, text: str | None = None) -> Loaded:
    """The plan, the site settings and the plan's tools, with all problems of these.

    Args:
        text: a plan that is not written yet, in place of the one on disk.
    """
    lost: list[Problem] = []
    outside: tuple[Problem, ...] = ()
    if text is None:
        text = read_text(experiment / PLAN_FILE) or ""
        lost += _lost(experiment, text)
        outside = _outside(experiment)
    registry = installed_tools()
    parsed = parse_plan(text, parameters_of(read_tools(text), registry))
    plan = parsed.plan
    found = find_site(experiment)
    broken = _wanted_but_broken(plan, registry)
    errors = [*lost, *found.errors, *parsed.problems, *_plan_errors(plan, registry, broken)]
    ignored = [tool.as_warning() for tool in registry.broken if tool not in broken.values()]
    preparation = registry.preparation_tool(plan.tools.preparation)
    evaluations = _evaluation_tools(plan, registry)
    tools: Sequence[Tool] = (preparation, *evaluations) if preparation is not None else evaluations
    for tool in tools:
        errors += tool.rules(plan_of(tool, plan))
    errors = sorted(dict.fromkeys(errors), key=lambda problem: problem.line or 0)
    warnings = (
        *outside,
        *parsed.warnings,
        *plan_warnings(plan),
        *found.warnings,
        *unknown_environments(found.site),
        *ignored,
    )
    of_plan = Findings(tuple(errors), warnings)
    context = _context(experiment, plan, found.site, tools, evaluations)
    by_tool = {tool.name: _findings(tool, context) for tool in tools}
    return Loaded(replace(context, findings=by_tool), preparation, evaluations, of_plan, parsed.own)


def _context(
    experiment: Path, plan: Plan, site: Site, tools: Sequence[Tool], evaluations: Sequence[EvaluationTool]
) -> Context:
    """All that the tools may look at, without their findings."""
    return Context(
        plan,
        site,
        experiment,
        run_directories(plan),
        evaluations_by_run(plan),
        models=survey_models(plan, site, experiment),
        datasets=survey_datasets(plan, experiment),
        facts={tool.name: tool.survey(plan_of(tool, plan), site, experiment) for tool in tools},
        loads_adapters=bool(evaluations) and all(tool.loads_adapters for tool in evaluations),
    )


def _lost(experiment: Path, text: str) -> Iterator[Problem]:
    """A plan that was emptied, if the last good copy of it is still there."""
    hint = way_back(experiment)
    if hint and not text.strip("\0 \t\r\n"):
        yield Problem("the plan is empty", PLAN_FILE, hint=hint)


def _outside(experiment: Path) -> tuple[Problem, ...]:
    """A plan that is a link out of the experiment: `run` could not update its tables."""
    try:
        place_inside(experiment / PLAN_FILE, experiment)
    except LinkError as error:
        return error.problems
    return ()


def _evaluation_tools(plan: Plan, registry: Registry) -> tuple[EvaluationTool, ...]:
    found = map(registry.evaluation_tool, plan.tools.evaluation)
    return tuple(dict.fromkeys(tool for tool in found if tool is not None))


def _findings(tool: Tool, context: Context) -> Findings:
    own = context_of(tool, context)
    found = model_findings(own, tool.stage) + tool.check(own)
    # A path that no machine can have is an error of the plan; it is not also one that was not found here.
    warnings = tuple(problem for problem in found.warnings if not path_problem(problem.missing)[0])
    return replace(found, warnings=warnings)


def load_correct(experiment: Path) -> Loaded:
    """As :func:`load`, for verbs that need a correct plan; each stage checks its own models, data and scripts.

    Raises:
        PlanError: the plan or the site settings are wrong; carries every problem.
    """
    loaded = load(experiment)
    if loaded.of_plan.errors:
        raise PlanError(loaded.of_plan.errors)
    return loaded


def _wanted_but_broken(plan: Plan, registry: Registry) -> dict[tuple[Stage, str], BrokenTool]:
    """The broken tools that the plan names."""
    found: dict[tuple[Stage, str], BrokenTool] = {}
    names = [(Stage.PREPARATION, plan.tools.preparation)]
    names += [(Stage.EVALUATION, name) for name in plan.tools.evaluation]
    for stage, name in names:
        broken = registry.broken_tool(name)
        if broken is not None and name.lower() not in registry.names(stage):
            found[stage, name] = broken
    return found


def _plan_errors(plan: Plan, registry: Registry, broken: Mapping[tuple[Stage, str], BrokenTool]) -> Iterator[Problem]:
    """Broken rules, and broken tools that the plan names."""
    known = {stage: registry.names(stage) for stage in Stage}
    tools = plan.tools
    lines = {Stage.PREPARATION: tools.line, Stage.EVALUATION: tools.evaluation_line}
    for (stage, name), tool in broken.items():
        yield Problem(str(tool), plan.file, lines[stage], "reinstall its package, or name another tool")
        known[stage].append(name.lower())  # reported already as a broken tool; it is not unknown
    yield from check_plan(plan, preparation_tools=known[Stage.PREPARATION], evaluation_tools=known[Stage.EVALUATION])


def find_site(experiment: Path) -> ParsedSite:
    """The first site settings: in the experiment, in the working directory and above it, in ``~/.claude``."""
    here = Path.cwd()
    for directory in (experiment, here, *here.parents, Path.home() / ".claude"):
        path = directory / SITE_FILE
        text = read_text(path)
        if text is not None:
            return parse_site(text, file=SITE_FILE if directory == experiment else str(path))
    hint = "local defaults apply; without an account and an environment, the scripts may not run on a cluster"
    return ParsedSite(Site(), warnings=(Problem(f"no site settings ({SITE_FILE}) were found", hint=hint),))
