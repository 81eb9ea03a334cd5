"""The sections that decide nothing: Prerequisites, Naming Conventions, Notes and Quick Reference."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType

from tunebook.core.markdown import code_span, escape_text, fact_line
from tunebook.core.plan.section import Section, SectionReader, Writing
from tunebook.core.plan.values import Plan

__all__ = [
    "NamingConventionsSection",
    "NotesSection",
    "PrerequisitesSection",
    "QuickReferenceSection",
    "SectionForPeople",
]


class SectionForPeople(Section):
    """Nothing in it decides what runs."""

    decides = False

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        source.ignore_all()
        return plan


class PrerequisitesSection(SectionForPeople):
    """A checklist of the resources that are still missing."""

    title = "Prerequisites"

    def write(self, target: Writing) -> Iterator[str]:
        if target.details.prerequisites:
            yield "Do this before you run the experiment; `tunebook check` lists the missing resources."
            yield ""
            for item in target.details.prerequisites:
                yield f"- [ ] {item}"


class NamingConventionsSection(SectionForPeople):
    """How the experiment and its runs are named."""

    title = "Naming Conventions"

    def write(self, target: Writing) -> Iterator[str]:
        for name, text in target.details.naming:
            yield fact_line(name, code_span(text))


class NotesSection(SectionForPeople):
    """A bullet per note."""

    title = "Notes"

    def write(self, target: Writing) -> Iterator[str]:
        for note in target.details.notes:
            # At the start of a block, `#` would begin a heading and `1.` a list.
            yield "- " + re.sub(r"^(\d*)([#>+=|~<.)-])", r"\1\\\2", escape_text(note))


class QuickReferenceSection(Section):
    """Paths by name."""

    title = "Quick Reference"

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        source.ignore("paths")
        paths: dict[str, str] = {}
        for bullet in source.bullets:
            if bullet.name and bullet.value.text:
                source.take(bullet)
                paths[bullet.key] = bullet.value.value
        return replace(plan, paths=MappingProxyType(paths))

    def write(self, target: Writing) -> Iterator[str]:
        plan = target.plan
        yield from ("", "**Paths:**", f"- Experiment: {code_span(target.details.directory)}")
        for model in plan.models[:1]:
            yield f"- Models: {code_span(str(PurePosixPath(model.path).parent))}"
        if plan.dataset:
            yield f"- Dataset: {code_span(plan.dataset.path)}"
