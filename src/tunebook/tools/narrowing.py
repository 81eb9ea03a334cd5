"""What one tool is shown of a plan that names several evaluation tools: its own tasks, and their evaluations."""

from __future__ import annotations

from dataclasses import replace

from tunebook.core.jobs import Stage
from tunebook.core.plan import Plan
from tunebook.core.plan.settings import evaluations_by_run
from tunebook.tools.base import Context, Tool

__all__ = ["context_of", "plan_of"]


def plan_of(tool: Tool, plan: Plan) -> Plan:
    """The plan with the tasks of an evaluation tool only; the whole plan for a preparation tool."""
    if tool.stage is Stage.PREPARATION:
        return plan
    return plan.for_tool(tool.name)


def context_of(tool: Tool, context: Context) -> Context:
    """The context with :func:`plan_of`, and the evaluations of its tasks."""
    plan = plan_of(tool, context.plan)
    if plan is context.plan:
        return context
    return replace(context, plan=plan, evaluations=evaluations_by_run(plan))
