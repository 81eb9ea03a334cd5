"""The headings of a plan: which section each is, which are a person's own, and which are near a known one.

Numbers, emoji and remarks in parentheses do not matter. A heading that is only near a known one is a problem: what is
below it would be ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tunebook.core.markdown import MarkdownSection, title_key
from tunebook.core.plan.near import near_section, report_near
from tunebook.core.plan.section import OwnSection, Reading, Section, SectionOfParts

__all__ = ["Headings", "find_headings", "own_sections"]


@dataclass
class Headings:
    """The headings of each section, in the order of the text, and a person's own sections."""

    of: dict[str, list[MarkdownSection]] = field(default_factory=dict)
    own: list[MarkdownSection] = field(default_factory=list)


def find_headings(root: MarkdownSection, sections: Sequence[Section], reading: Reading) -> Headings:
    """Finds every section, also a second one of the same name; a heading near a known one is a problem."""
    found = Headings()
    for heading in _upper(root):
        section = next((section for section in sections if section.is_titled(heading.title)), None)
        parent = _parent_of_part(heading, sections)
        if section is not None:
            found.of.setdefault(section.title, []).append(_without_sections(heading, sections))
        elif parent is not None:
            around = MarkdownSection(parent.title, heading.level, heading.line, sections=[heading])
            found.of.setdefault(parent.title, []).append(around)
        elif heading is not _title(root):
            found.own.append(heading)
            _report_near(heading, sections, reading)
    for heading in (*found.own, *_for_people(found, sections)):
        _report_nested(heading, sections, reading)
    return found


def own_sections(root: MarkdownSection, found: Headings) -> tuple[OwnSection, ...]:
    """A person's own sections, and the text between the title and the first section."""
    title = _title(root)
    own = [OwnSection(heading.title, heading.line, heading.end_line) for heading in found.own]
    if title is not None and title.blocks:
        own.append(OwnSection(title.title, title.line, title.blocks[-1].line))
    return tuple(sorted(own, key=lambda section: section.line))


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


def _report_near(heading: MarkdownSection, sections: Sequence[Section], reading: Reading) -> None:
    parts = [part for section in sections if isinstance(section, SectionOfParts) for part in section.parts]
    candidates = [*sections, *(part for part in parts if part.stands_alone)]
    near = near_section(heading.title, [section for section in candidates if section.decides])
    if near is not None:
        report_near(heading, near, reading)


def _for_people(found: Headings, sections: Sequence[Section]) -> Iterator[MarkdownSection]:
    for section in sections:
        if not section.decides:
            yield from found.of.get(section.title, ())


def _report_nested(heading: MarkdownSection, sections: Sequence[Section], reading: Reading) -> None:
    """A section that decides what runs, but is below a heading that does not."""
    upper = [section for section in sections if section.decides]
    for below in heading.sections:
        for part in below.walk():
            section = next((section for section in upper if title_key(section.title) == title_key(part.title)), None)
            if section is not None and heading.level > 1:
                message = f"`{part.title}` is below `{heading.title}`, and is not read there"
                hint = f"make it `## {section.title}`, or give it a clearly different name"
                reading.problem(message, part.line, hint)
