"""Preserves what a person wrote in a plan: own sections, and paragraphs, subsections and code in tunebook's sections.

Pure. Values and tables are the new plan's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, takewhile

from tunebook.core.markdown import MarkdownSection, parse_markdown, split_lines, title_key
from tunebook.core.plan.document import SECTIONS
from tunebook.core.plan.hypotheses import HypothesesSection
from tunebook.core.plan.section import SectionOfParts

__all__ = ["find_section", "trimmed", "with_own_sections", "with_own_text"]

# A person may write in Notes, so it is kept like a section of one's own.
_SECTIONS = {title_key(section.title) for section in SECTIONS} - {"notes"} | {*HypothesesSection.aliases}
_SUBSECTIONS = {
    title_key(part.title) for section in SECTIONS if isinstance(section, SectionOfParts) for part in section.parts
}
_FACTS = {"type", "total runs", "total experiments", "scientific question", "created"}
_WRITTEN = ("Do this before you run the experiment;",)
_FACT = re.compile(r"(?:[-*+]\s+)?\*\*(?P<name>[^*]+?):?\*\*")
_LIST = re.compile(r"\s*(?:[-*+]|\d+[.)])\s")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_TOP = 2

_Block = list[str]
"""Lines without a blank one between them, or with code."""


def trimmed(lines: Sequence[str]) -> list[str]:
    """The lines without blank ones at the end."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return list(lines[:end])


# --- own sections --------------------------------------------------------------------------------------------------


def with_own_sections(before: str, text: str) -> str:
    """The new plan with a person's own sections, and with what is above and directly below the old title."""
    lines, _ = split_lines(before)
    title, *others = parse_markdown(before).sections or [MarkdownSection("", 1, 0)]
    first_section = title.sections[0].line - 1 if title.sections else title.end_line
    heading, *rest = text.split("\n")
    text = "\n".join([heading, *trimmed(lines[title.line : first_section]), *rest])
    own = [section for section in (*title.sections, *others) if not _is_ours(section)]
    text = _with_sections(text, own, lines)
    above = trimmed(lines[: title.line - 1])
    return "\n".join([*above, "", text]) if above else text


def find_section(text: str, title: str) -> MarkdownSection | None:
    """The second-level section of this title, given as its key."""
    for section in parse_markdown(text).walk():
        if section.level == _TOP and title_key(section.title) == title:
            return section
    return None


def _is_ours(section: MarkdownSection) -> bool:
    return section.level > 1 and title_key(section.title) in _SECTIONS


def _with_sections(text: str, own: Sequence[MarkdownSection], old: Sequence[str]) -> str:
    """Adds a person's sections at the end; if the new plan has one of the title, its lines follow the old ones."""
    if not own:
        return text
    lines, _ = split_lines(text)
    of_title: dict[str, MarkdownSection] = {}
    for section in parse_markdown(text).walk():
        if section.level == _TOP:
            of_title.setdefault(title_key(section.title), section)
    gone: set[int] = set()
    blocks: dict[object, list[str]] = {}  # by the title, under which a later section of the same title finds it
    for section in own:
        title = title_key(section.title)
        block = trimmed(old[section.line - 1 : section.end_line])
        written = of_title.pop(title, None)
        if written is not None:
            gone.update(range(written.line - 1, written.end_line))
            block += _further(lines[written.line : written.end_line], block)
        elif title in blocks:
            block += _further(blocks.pop(title)[1:], block)
        blocks[title if section.level == _TOP else section.line] = block
    kept = [line for number, line in enumerate(lines) if number not in gone]
    whole = trimmed(kept)
    for block in blocks.values():
        whole += ["", *block]
    return "\n".join(whole) + "\n"


def _further(lines: Sequence[str], known: Sequence[str]) -> list[str]:
    """The lines that have a text which is not known."""
    texts = set(known)
    return [line for line in lines if line.strip() and line not in texts]


# --- own text in tunebook's sections -------------------------------------------------------------------------------


def with_own_text(before: str, text: str) -> str:
    """The new plan with what a person wrote in the old one's sections.

    Paragraphs, code and subsections that tunebook does not write are kept, and facts that were added to the overview.
    What was at a section's beginning stays there; everything else comes to its end.
    """
    old, _ = split_lines(before)
    for section in parse_markdown(before).walk():
        title = title_key(section.title)
        is_whole = title == "status" or HypothesesSection().is_titled(section.title)
        # These sections are carried over as a whole.
        if section.level != _TOP or title not in _SECTIONS or is_whole:
            continue
        for part in section.walk():
            if part is section or title_key(part.title) in _SUBSECTIONS:
                text = _with_blocks(text, section, part, old)
        for part in section.sections:
            if title_key(part.title) not in _SUBSECTIONS:
                text = _with_subsection(text, section.title, old[part.line - 1 : part.end_line])
    return text


def _with_blocks(text: str, section: MarkdownSection, part: MarkdownSection, old: Sequence[str]) -> str:
    """Puts a person's blocks of one part of a section into the same part of the new plan."""
    blocks = list(_blocks(old[part.line : _own_end(part)]))
    first = list(takewhile(_is_own, blocks))
    later = list(filter(_is_own, blocks[len(first) :]))
    facts: list[str] = []
    if title_key(section.title) == "overview":
        facts += chain.from_iterable(map(_own_facts, blocks))
    target = _find(text, section.title, part.title)
    if target is None or not (first or facts or later):
        return text
    lines, _ = split_lines(text)
    end = _own_end(target)
    body: list[str] = []
    for block in first:
        body += [*block, ""]
    body += [*trimmed(lines[target.line : end]), *facts]
    for block in later:
        body += ["", *block]
    return "\n".join([*lines[: target.line], *body, "", *lines[end:]]).rstrip("\n") + "\n"


def _own_end(section: MarkdownSection) -> int:
    """The last line before a section's first subsection."""
    return section.sections[0].line - 1 if section.sections else section.end_line


def _blocks(lines: Sequence[str]) -> Iterator[_Block]:
    block: _Block = []
    is_code = False
    for line in lines:
        is_code ^= bool(_FENCE.match(line))
        if line.strip() or is_code:
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _is_own(block: _Block) -> bool:
    """Whether a block is a person's: not a table, a list or a fact, which tunebook reads or writes."""
    line = block[0]
    is_written = line.lstrip().startswith(("|", *_WRITTEN)) or line.startswith(" ")
    return not (is_written or _LIST.match(line) or _FACT.match(line))


def _own_facts(block: _Block) -> Iterator[str]:
    """Bullets of the overview that tunebook does not know, with the lines that continue them."""
    if _is_own(block):
        return
    is_kept = False
    for line in block:
        if not line.startswith((" ", "\t")):
            fact = _FACT.match(line)
            is_known = fact is not None and fact["name"].strip().lower() in _FACTS
            is_kept = bool(_LIST.match(line)) and not is_known
        if is_kept:
            yield line


def _find(text: str, title: str, subtitle: str) -> MarkdownSection | None:
    """The subsection in the new plan; its section if that has no such subsection."""
    section = find_section(text, title_key(title))
    if section is None or subtitle == title:
        return section
    for part in section.sections:
        if title_key(part.title) == title_key(subtitle):
            return part
    return section


def _with_subsection(text: str, title: str, own: Sequence[str]) -> str:
    """Adds a person's subsection at the end of its section, or at the end of a plan that has lost the section."""
    section = find_section(text, title_key(title))
    lines, _ = split_lines(text)
    end = section.end_line if section else len(lines)
    parts = ("\n".join(lines[:end]).rstrip("\n"), "\n".join(own).strip("\n"), "\n".join(lines[end:]))
    return "\n\n".join(part for part in parts if part).rstrip("\n") + "\n"
