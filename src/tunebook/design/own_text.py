"""What a person wrote into the sections that a page planned again gets anew: paragraphs and subsections. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from tunebook.core.markdown import MarkdownSection, parse_markdown, split_lines

__all__ = ["with_own_text"]

_SUBSECTIONS = {
    "models",
    "dataset",
    "evaluation tasks",
    "configuration",
    "evaluation matrix",
    "training",
    "evaluation",
    "disk space",
}
_FACTS = {"type", "total runs", "total experiments", "scientific question", "created"}
_WRITTEN = ("To be done before this experiment can run;",)
_FACT = re.compile(r"(?:[-*+]\s+)?\*\*(?P<name>[^*]+?):?\*\*")
_LIST = re.compile(r"\s*(?:[-*+]|\d+[.)])\s")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_TOP = 2


def with_own_text(before: str, text: str, titles: set[str]) -> str:
    """The new page with what a person wrote on the old one within the sections of these titles (in lower case).

    Paragraphs, code and subsections that tunebook does not write are kept, and so are facts of the overview; what stood
    at a section's beginning stays there, everything else comes to its end. Values and tables are the new page's.
    """
    old, _ = split_lines(before)
    for section in parse_markdown(before).walk():
        if section.level == _TOP and section.title.lower() in titles:
            text = _with_section(text, section, old)
    return text


def _with_section(text: str, section: MarkdownSection, old: Sequence[str]) -> str:
    for part in section.walk():
        if part is section or part.title.lower() in _SUBSECTIONS:
            body = old[part.line : part.sections[0].line - 1 if part.sections else part.end_line]
            is_overview = section.title.lower() == "overview"
            blocks = list(_blocks(body))
            first = list(takewhile(_is_own, blocks))
            rest = [block for block in blocks[len(first) :] if _is_own(block)]
            facts = [line for block in blocks for line in _own_facts(block)] if is_overview else []
            text = _put(text, section.title, part.title, first, facts, rest)
    for part in section.sections:
        if part.title.lower() not in _SUBSECTIONS:
            text = _append(text, section.title, old[part.line - 1 : part.end_line])
    return text


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Lines up to a blank one; code between fences is not divided."""
    block: list[str] = []
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


def _is_own(block: Sequence[str]) -> bool:
    """Whether it is no table, list or fact, which are read or written by tunebook."""
    line = block[0]
    return not (line.lstrip().startswith(("|", *_WRITTEN)) or _LIST.match(line) or _FACT.match(line) or line[:1] == " ")


def _own_facts(block: Sequence[str]) -> Iterator[str]:
    """Bullets of the overview, with the lines that go on with them, that tunebook does not know."""
    is_kept = False
    for line in block if not _is_own(block) else ():
        if line[:1] not in {" ", "\t"}:
            fact = _FACT.match(line)
            is_kept = bool(_LIST.match(line)) and (fact is None or fact["name"].strip().lower() not in _FACTS)
        if is_kept:
            yield line


def _found(text: str, title: str, subtitle: str) -> MarkdownSection | None:
    sections = (part for part in parse_markdown(text).walk() if part.level == _TOP)
    section = next((part for part in sections if part.title.lower() == title.lower()), None)
    if section is None or subtitle.lower() == title.lower():
        return section
    return next((part for part in section.sections if part.title.lower() == subtitle.lower()), section)


def _put(text: str, title: str, subtitle: str, first: list[list[str]], facts: list[str], rest: list[list[str]]) -> str:
    section = _found(text, title, subtitle)
    if section is None or not (first or facts or rest):
        return text
    lines, _ = split_lines(text)
    end = section.sections[0].line - 1 if section.sections else section.end_line
    body = lines[section.line : end]
    while body and not body[-1].strip():
        body.pop()
    body += facts
    for block in reversed(first):
        body[:0] = [*block, ""]
    for block in rest:
        body += ["", *block]
    return "\n".join([*lines[: section.line], *body, "", *lines[end:]]).rstrip("\n") + "\n"


def _append(text: str, title: str, own: Sequence[str]) -> str:
    section = _found(text, title, title)
    lines, _ = split_lines(text)
    end = section.end_line if section else len(lines)
    kept, after = "\n".join(lines[:end]).rstrip("\n"), "\n".join(lines[end:])
    return "\n\n".join(part for part in (kept, "\n".join(own).strip("\n"), after) if part).rstrip("\n") + "\n"
