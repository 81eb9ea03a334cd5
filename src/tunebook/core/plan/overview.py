"""``## Overview``: the kind of design, the scientific question, and how many runs there should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from tunebook.core.markdown import escape_text, fact_line
from tunebook.core.plan.section import Section, SectionReader, Writing
from tunebook.core.plan.values import Plan, RunType

__all__ = ["OverviewSection"]


class OverviewSection(Section):
    """Bullets; of ``Total Runs`` only the number is read."""

    title = "Overview"

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        return replace(
            plan,
            kind=source.text("type"),
            question=source.text("scientific question"),
            created=source.text("created"),
            total_runs=source.count("total runs"),
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
