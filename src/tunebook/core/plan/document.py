"""The whole plan: ``experiment_summary.md`` to a Plan with every problem found, and a Plan to text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tunebook.core.markdown import MarkdownSection, escape_text, parse_markdown
from tunebook.core.parameters import SHARED_PARAMETERS, ParameterTable
from tunebook.core.paths import PLAN_FILE
from tunebook.core.plan.all_runs import AllRunsSection
from tunebook.core.plan.compute_estimates import ComputeEstimatesSection
from tunebook.core.plan.configuration import ConfigurationSection
from tunebook.core.plan.evaluation_plan import EvaluationPlanSection
from tunebook.core.plan.for_people import (
    NamingConventionsSection,
    NotesSection,
    PrerequisitesSection,
    QuickReferenceSection,
)
from tunebook.core.plan.overview import OverviewSection, ToolsSection
from tunebook.core.plan.resources import ResourcesSection
from tunebook.core.plan.section import Reading, Section, SectionReader, UnreadBlock, Writing
from tunebook.core.plan.status import StatusSection
from tunebook.core.plan.values import Plan, PlanDetails, Tools
from tunebook.core.plan.variables import VariablesSection
from tunebook.errors import Problem

__all__ = ["SECTIONS", "ParsedPlan", "parse_plan", "read_tools", "write_plan"]

# In the order in which they are read and written: Configuration needs the columns of All Runs, the matrix needs tasks.
SECTIONS: Sequence[Section] = (
    OverviewSection(),
    PrerequisitesSection(),
    ToolsSection(),
    VariablesSection(),
    AllRunsSection(),
    ResourcesSection(),
    EvaluationPlanSection(),
    ConfigurationSection(),
    ComputeEstimatesSection(),
    NamingConventionsSection(),
    StatusSection(),
    QuickReferenceSection(),
    NotesSection(),
)


@dataclass(frozen=True)
class ParsedPlan:
    """A plan as far as it could be read.

    Attributes:
        problems: what is wrong with the text, in the order of its lines.
        unread: the blocks of known sections that nothing read, in the order of their lines.
    """

    plan: Plan
    problems: tuple[Problem, ...] = ()
    unread: tuple[UnreadBlock, ...] = ()


def read_tools(text: str) -> Tools:
    """The tools that a plan names; they decide the parameters that the plan is read with."""
    section = ToolsSection()
    found = _find(parse_markdown(text), section)
    source = SectionReader(next(iter(found), None), Reading(PLAN_FILE, SHARED_PARAMETERS))
    return section.read(source, Plan("", PLAN_FILE, SHARED_PARAMETERS)).tools


def parse_plan(text: str, parameters: ParameterTable, *, file: str = PLAN_FILE) -> ParsedPlan:
    """Reads every section; a section that cannot be read leaves its default and a problem."""
    reading = Reading(file, parameters)
    root = parse_markdown(text)
    plan = _read_title(root, reading)
    known: list[tuple[Section, MarkdownSection]] = []
    for section in SECTIONS:
        found = _find(root, section)
        plan = section.read(SectionReader(next(iter(found), None), reading), plan)
        known += [(section, heading) for heading in found]
    # Below a first-level heading, one known section can lie inside another: its blocks belong to the inner one.
    unread: dict[int, UnreadBlock] = {}
    for section, heading in sorted(known, key=lambda item: item[1].level):
        unread |= {item.block.line: item for item in reading.unread(section.title, heading)}
    return ParsedPlan(
        replace(plan, unreadable=frozenset(reading.unreadable)),
        tuple(sorted(reading.problems, key=lambda problem: problem.line or 0)),
        tuple(unread[line] for line in sorted(unread)),
    )


def _find(root: MarkdownSection, section: Section) -> list[MarkdownSection]:
    """The headings with the section's title; deeper ones do not count, since several are named Configuration."""
    headings = []
    for heading in root.sections:
        headings.append(heading)
        if heading.level == 1:
            headings += heading.sections
    return [heading for heading in headings if heading.title.lower() == section.title.lower()]


def _read_title(root: MarkdownSection, reading: Reading) -> Plan:
    for section in root.sections:
        if section.level == 1:
            name = re.sub(r"^experiment\s*:", "", section.title, flags=re.IGNORECASE).strip()
            return Plan(name, reading.file, reading.parameters, section.line)
    reading.problem("the plan has no title", 1, "start it with `# Experiment: NAME`")
    return Plan("", reading.file, reading.parameters)


def write_plan(plan: Plan, details: PlanDetails) -> str:
    """The text of a plan, which :func:`parse_plan` reads back as this plan. Same arguments, same bytes."""
    target = Writing(plan, details)
    lines = [f"# Experiment: {escape_text(plan.name)}"]
    for section in SECTIONS:
        body = list(section.write(target))
        if body:
            lines += ["", f"## {section.title}", *body]
    return "\n".join(lines) + "\n"
