"""The whole plan: ``experiment_summary.md`` to a Plan with every problem found, and a Plan to text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tunebook.core.encoding import readable, wrong_byte
from tunebook.core.markdown import Cell, MarkdownSection, escape_text, literal, parse_markdown
from tunebook.core.numbers import plain_number
from tunebook.core.parameters import Kind, Parameter, ParameterTable, Value
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
from tunebook.core.plan.headings import find_headings
from tunebook.core.plan.hypotheses import HypothesesSection
from tunebook.core.plan.overview import OverviewSection, ToolsSection
from tunebook.core.plan.resources import ResourcesSection
from tunebook.core.plan.section import OwnSection, Reading, Section, SectionReader, UnreadBlock, Writing
from tunebook.core.plan.status import StatusSection
from tunebook.core.plan.unread import report_unread
from tunebook.core.plan.values import Plan, PlanDetails, Tools
from tunebook.core.plan.variables import VariablesSection
from tunebook.core.shared_parameters import SHARED_PARAMETERS
from tunebook.errors import Problem

__all__ = ["SECTIONS", "ParsedPlan", "parse_plan", "read_tools", "write_plan"]

# In the order in which they are read and written: Configuration needs the columns of All Runs, the matrix needs tasks.
SECTIONS: Sequence[Section] = (
    OverviewSection(),
    HypothesesSection(),
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
        unread: the blocks of known sections that are for people only, in the order of their lines.
        own: a person's own sections, which are not read.
        warnings: what a person should look at: own sections that name settings.
    """

    plan: Plan
    problems: tuple[Problem, ...] = ()
    unread: tuple[UnreadBlock, ...] = ()
    own: tuple[OwnSection, ...] = ()
    warnings: tuple[Problem, ...] = ()


def read_tools(text: str) -> Tools:
    """The tools that a plan names; they decide the parameters that the plan is read with."""
    section = ToolsSection()
    reading = Reading(PLAN_FILE, SHARED_PARAMETERS)
    found = find_headings(parse_markdown(readable(text)), SECTIONS, reading)
    source = SectionReader(section, found[section.title], reading)
    return section.read(source, Plan("", PLAN_FILE, SHARED_PARAMETERS)).tools


def parse_plan(text: str, parameters: ParameterTable, *, file: str = PLAN_FILE) -> ParsedPlan:
    """Reads every section; a section that cannot be read leaves its default and a problem."""
    reading = Reading(file, parameters)
    _check_encoding(text, reading)
    root = parse_markdown(readable(text))
    plan = _read_title(root, reading)
    found = find_headings(root, SECTIONS, reading)
    for section in SECTIONS:
        plan = section.read(SectionReader(section, found[section.title], reading), plan)
    _check_repeated(reading, plan)
    unread = report_unread(reading)
    return ParsedPlan(
        replace(plan, unreadable=frozenset(reading.unreadable)),
        tuple(sorted(reading.problems, key=lambda problem: problem.line or 0)),
        unread,
        tuple(sorted(reading.own, key=lambda section: section.line)),
        tuple(reading.warnings),
    )


def _check_repeated(reading: Reading, plan: Plan) -> None:
    """A setting that the overview repeats is the one in effect: it is read from the configuration or the rows."""
    for source in reading.readers:
        for bullet in source.bullets if isinstance(source.section, OverviewSection) else ():
            parameter = plan.parameters.by_column(bullet.name)
            if parameter is None or source.is_read(bullet) or not bullet.value.text or parameter.key == "dataset":
                continue
            settings = [plan.setting(run, parameter.key) for run in plan.fine_tuned]
            used = {setting.value for setting in settings if setting is not None}
            if not _values(parameter, bullet.value) <= used:
                message = f"`{bullet.name}` is `{bullet.value.text}` in `{source.section.title}`, which no run has"
                hint = "write it in `## Configuration` or as a column of `## All Runs`; `Overview` sets nothing"
                reading.problem(message, bullet.line, hint)


def _values(parameter: Parameter, cell: Cell) -> set[Value]:
    """The values of a text that may list several; a text that cannot be read is its own value."""
    texts = [cell.value] if parameter.kind in {Kind.LITERAL, Kind.LIST} else cell.value.split(",")
    try:
        if parameter.kind is Kind.LITERAL:
            return {literal(cell.raw)}
        return {parameter.convert(plain_number(text)) for text in texts}
    except ValueError:
        return {cell.text}


def _check_encoding(text: str, reading: Reading) -> None:
    wrong = wrong_byte(text, with_nul=True)
    if wrong is None:
        return
    line, byte = wrong
    if byte == 0:
        message = "the file has NUL bytes: it is UTF-16, or no text file"
        reading.problem(message, line, "save it as text with the encoding UTF-8")
        return
    reading.problem(f"the byte 0x{byte:02X} is not UTF-8 text", line, "save the file with the encoding UTF-8")


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
