"""A plan with the paths of a cluster, which tests edit, and the problems that reading and the rules find in a plan."""

from __future__ import annotations

from pathlib import Path

from tunebook.core.check import check_plan
from tunebook.core.plan import ParsedPlan, Plan, read_tools
from tunebook.core.plan import parse_plan as parse
from tunebook.errors import Problem
from tunebook.tools.parameters import installed_parameters
from tunebook.tools.registry import installed_tools

__all__ = ["EXAMPLE", "parse_plan", "plan_of", "problems_in", "problems_of"]

EXAMPLE = Path(__file__).parents[1] / "plans" / "capitalization_sweep"


def parse_plan(text: str) -> ParsedPlan:
    """The plan, read with the parameters of the tools that it names."""
    return parse(text, installed_parameters(read_tools(text)))


def problems_of(text: str) -> tuple[Problem, ...]:
    """Every problem that reading and the rules find in the text of a plan."""
    return problems_in(parse_plan(text))


def problems_in(parsed: ParsedPlan) -> tuple[Problem, ...]:
    """Everything that reading found, and the rules find."""
    rules = check_plan(parsed.plan, preparation_tools=["torchtune"], evaluation_tools=["inspect-ai"])
    named = {parsed.plan.tools.preparation, *parsed.plan.tools.evaluation}
    tools = [tool for tool in installed_tools().tools if tool.name in named]
    own_rules = [problem for tool in tools for problem in tool.rules(parsed.plan)]
    return (*parsed.problems, *rules, *own_rules)


def plan_of(text: str) -> Plan:
    """The plan, from a text without problems."""
    assert [str(problem) for problem in problems_of(text)] == []
    return parse_plan(text).plan
