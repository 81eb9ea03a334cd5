"""The headings of a plan: which section each is, which are a person's own, and which are near a known one.

Numbers, emoji and remarks in parentheses do not matter. A heading that is only near a known one is a problem: what is
below it would be ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tunebook.core.markdown import MarkdownSection, title_key
from tunebook.core.plan.section import OwnSection, Reading, Section, SectionOfParts

__all__ = ["find_headings"]


def find_headings(
    root: MarkdownSection, sections: Sequence[Section], reading: Reading
) -> Mapping[str, list[MarkdownSection]]:
    """The headings of each section, in the order of the text; there may be several of the same name."""
    found: dict[str, list[MarkdownSection]] = {section.title: [] for section in sections}
    parts = [part for section in sections if isinstance(section, SectionOfParts) for part in section.parts]
    candidates = [section for section in (*sections, *(part for part in parts if part.stands_alone)) if section.decides]
    without_effect: list[MarkdownSection] = []
    for heading in _upper(root):
        section = next((section for section in sections if section.is_titled(heading.title)), None)
        parent = _parent_of_part(heading, sections)
        if section is not None:
            found[section.title].append(_without_sections(heading, sections))
        elif parent is not None:
            around = MarkdownSection(parent.title, heading.level, heading.line, sections=[heading])
            found[parent.title].append(around)
        elif heading is not _title(root):
            reading.leave(_without_sections(heading, sections), candidates)
        elif heading.blocks:
            reading.own.append(OwnSection(heading.title, heading.line, heading.blocks[-1].line))
        is_read = parent is not None or (section is not None and section.decides)
        if not is_read and heading.level > 1:
            without_effect.append(heading)
    for heading in without_effect:
        _report_nested(heading, candidates, reading)
    return found


def _title(root: MarkdownSection) -> MarkdownSection | None:
    return next((heading for heading in root.sections if heading.level == 1), None)


def _upper(root: MarkdownSection) -> Iterator[MarkdownSection]:
    """The headings that can be sections; deeper ones do not count, since several are named Configuration."""
    for heading in root.sections:
        yield heading
        if heading.level == 1:
            yield from heading.sections


def _without_sections(heading: MarkdownSection, sections: Sequence[Section]) -> MarkdownSection:
    """Below a first-level heading, one section can be inside another: its blocks belong to the inner one."""
    if heading.level > 1:
        return heading
    kept = [part for part in heading.sections if not any(section.is_titled(part.title) for section in sections)]
    return replace(heading, sections=kept)


def _parent_of_part(heading: MarkdownSection, sections: Sequence[Section]) -> SectionOfParts | None:
    """The section that a heading such as ``## Evaluation Matrix`` is a part of."""
    for section in sections:
        if isinstance(section, SectionOfParts):
            for part in section.parts:
                if part.stands_alone and part.is_titled(heading.title):
                    return section
    return None


def _report_nested(heading: MarkdownSection, sections: Sequence[Section], reading: Reading) -> None:
    """A section that decides what runs, but is below a heading that does not."""
    for below in heading.sections:
        for part in below.walk():
            section = next((section for section in sections if title_key(section.title) == title_key(part.title)), None)
            if section is not None:
                message = f"`{part.title}` is below `{heading.title}`, and is not read there"
                hint = f"make it `## {section.title}`, or give it a clearly different name"
                reading.problem(message, part.line, hint)
