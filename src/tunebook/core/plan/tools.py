"""``## Tools``: which tools prepare and evaluate the models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tunebook.core.markdown import escape_text, fact_line
from tunebook.core.plan.section import Section, SectionReader, Writing
from tunebook.core.plan.values import Plan, Tools

__all__ = ["ToolsSection"]


class ToolsSection(Section):
    """Two bullets; a plan that names no tool gets the defaults, marked as assumed."""

    title = "Tools"

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        preparation = source.bullet("model preparation", "preparation")
        evaluation = source.bullet("evaluation", "model evaluation")
        tools = Tools()
        if preparation is not None:
            tools = replace(tools, preparation=preparation.value.text, line=preparation.line, assumed=False)
        if evaluation is not None:
            tools = replace(tools, evaluation=evaluation.value.text, evaluation_line=evaluation.line, assumed=False)
        return replace(plan, tools=tools)

    def write(self, target: Writing) -> Iterator[str]:
        yield fact_line("Model Preparation", escape_text(target.plan.tools.preparation))
        yield fact_line("Evaluation", escape_text(target.plan.tools.evaluation))
