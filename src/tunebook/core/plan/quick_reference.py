"""``## Quick Reference``: the paths of the experiment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType

from tunebook.core.markdown import code_span
from tunebook.core.plan.section import Section, SectionReader, Writing
from tunebook.core.plan.values import Plan

__all__ = ["QuickReferenceSection"]


class QuickReferenceSection(Section):
    """Paths by name."""

    title = "Quick Reference"

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        source.ignore("paths")
        paths: dict[str, str] = {}
        for bullet in source.bullets:
            if bullet.name and bullet.value.text:
                source.take(bullet)
                paths[bullet.key] = bullet.value.text
        return replace(plan, paths=MappingProxyType(paths))

    def write(self, target: Writing) -> Iterator[str]:
        plan = target.plan
        yield from ("", "**Paths:**", f"- Experiment: {code_span(target.details.directory)}")
        for model in plan.models[:1]:
            yield f"- Models: {code_span(str(PurePosixPath(model.path).parent))}"
        if plan.dataset:
            yield f"- Dataset: {code_span(plan.dataset.path)}"
