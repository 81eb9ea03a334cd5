"""``## Overview`` and ``## Tools``: the scientific question, the kind of design, and the tools of the two stages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from tunebook.core.markdown import Cell, escape_text, fact_line
from tunebook.core.parameters import Written
from tunebook.core.plan.section import Section, SectionReader, Writing
from tunebook.core.plan.values import Plan, RunType, Tools

__all__ = ["OverviewSection", "ToolsSection", "tool_names"]

_LINK = re.compile(r"\[([^\]]*)\]\(<?([^()<>\s]+)>?\)")
_SEVERAL = re.compile(r",|;|\+|&|\band\b")


def tool_names(text: str) -> tuple[str, ...]:
    """``inspect-ai, lm-eval`` as its names."""
    names = (name.strip() for name in _SEVERAL.split(text))
    return tuple(name for name in names if name)


class OverviewSection(Section):
    """Bullets; of ``Total Runs`` only the number is read."""

    title = "Overview"
    aliases = ("experiment overview",)

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        return replace(
            plan,
            kind=source.text("type"),
            question=source.text("scientific question"),
            created=source.text("created"),
            total_runs=source.count("total runs"),
            authors=_written(source, "authors", "author"),
            license=_written(source, "license", "licence"),
        )

    def write(self, target: Writing) -> Iterator[str]:
        plan, details = target.plan, target.details
        by_type = Counter(run.type for run in plan.runs)
        counts = [f"{by_type[kind]} {kind.value.lower()}" for kind in RunType if by_type[kind]]
        if details.design:
            yield fact_line("Type", escape_text(details.design))
        yield fact_line("Total Runs", f"{len(plan.runs)} ({' + '.join(counts)})")
        yield fact_line("Scientific Question", escape_text(plan.question))
        if details.created:
            yield fact_line("Created", details.created)
        if plan.authors is not None:
            yield fact_line("Authors", escape_text(plan.authors.text))
        if plan.license is not None:
            yield fact_line("License", escape_text(plan.license.text))


def _written(source: SectionReader, *keys: str) -> Written | None:
    """A bullet's text, with the bullets below it; ``None`` for a missing bullet and for one that says nothing."""
    bullet = source.bullet(*keys)
    if bullet is None:
        return None
    texts = [bullet.value]
    for below in source.bullets:
        if below.depth > bullet.depth and bullet.key in below.groups:
            source.take(below)
            texts.append(Cell(below.raw, below.line))
    found = [_with_addresses(cell) for cell in texts if not cell.is_empty]
    text = "; ".join(found)
    return Written(text, text, bullet.line) if found else None


def _with_addresses(cell: Cell) -> str:
    """The cell's text, in which a link keeps its address: ``[Ada](https://…)`` is ``Ada (https://…)``."""
    return Cell(_LINK.sub(r"\1 (\2)", cell.raw), cell.line).value


class ToolsSection(Section):
    """Two bullets; a plan that names no tool gets the defaults, marked as assumed. Evaluation may name several."""

    title = "Tools"
    aliases = ("tools and frameworks", "tools used", "frameworks", "tool specifications")
    decides = True
    names = ("Model Preparation", "Evaluation")
    remarks = frozenset({"current status", "status", "purpose", "used by", "version"})

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        preparation = source.bullet("model preparation", "preparation", "training", "fine-tuning", "model training")
        evaluation = source.bullet("evaluation", "model evaluation")
        tools = Tools()
        if preparation is not None:
            name = preparation.value.value
            tools = replace(tools, preparation=name, line=preparation.line, assumed=False)
        if evaluation is not None:
            names = tool_names(evaluation.value.value)
            tools = replace(tools, evaluation=names or ("",), evaluation_line=evaluation.line, assumed=False)
            if len(names) > len({name.lower() for name in names}):
                hint = "name each tool once"
                source.problem(f"`{evaluation.value.text}` names a tool twice", evaluation.line, hint)
        if source.exists and tools.assumed:
            hint = "write `- **Model Preparation:** torchtune` and `- **Evaluation:** inspect-ai`"
            source.problem(f"`{self.title}` names no tool", source.line, hint)
        return replace(plan, tools=tools)

    def write(self, target: Writing) -> Iterator[str]:
        yield fact_line("Model Preparation", escape_text(target.plan.tools.preparation))
        yield fact_line("Evaluation", escape_text(target.plan.tools.evaluation_text))
