"""The example's plan, and what reading and the rules make of a plan."""

from __future__ import annotations

from pathlib import Path

from tunebook.core.check import check_plan
from tunebook.core.plan import Plan, parse_plan
from tunebook.errors import Problem

__all__ = ["EXAMPLE", "plan_of", "problems_of"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "capitalization_sweep"


def problems_of(text: str) -> tuple[Problem, ...]:
    """Everything that reading and the rules find in a page."""
    parsed = parse_plan(text)
    rules = check_plan(parsed.plan, preparation_tools=["torchtune"], evaluation_tools=["inspect-ai"])
    return (*parsed.problems, *rules)


def plan_of(text: str) -> Plan:
    """The plan of a page without problems."""
    assert [str(problem) for problem in problems_of(text)] == []
    return parse_plan(text).plan
