"""Keeps the section of hypotheses as a person wrote it; only hypotheses that an update gives change its lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tunebook.core.hypotheses import Hypothesis
from tunebook.core.markdown import MarkdownSection, parse_markdown, split_lines
from tunebook.core.plan import Plan
from tunebook.core.plan.hypotheses import HypothesesSection
from tunebook.design.preserve import trimmed

__all__ = ["with_hypotheses"]

_LEVEL = 2  # a subsection of this title is a person's own
_ITEM = re.compile(r"(?P<mark>\s*(?:[-*+]|\d+[.)])\s+)")


def with_hypotheses(before: str, old: Plan, text: str, new: Plan) -> str:
    """The new plan with the old one's section of hypotheses.

    Args:
        text: the new plan's text, in which the section has only the hypotheses.
    """
    then, now = _section(before), _section(text)
    if then is None:
        return text
    kept = _kept_lines(before, then, old, new)
    lines, _ = split_lines(text)
    start, end = _place(text, lines) if now is None else (now.line - 1, now.end_line)
    return "\n".join([*trimmed(lines[:start]), "", *kept, "", *lines[end:]]) + "\n"


def _section(text: str) -> MarkdownSection | None:
    """The section of hypotheses, by any of its titles."""
    for section in parse_markdown(text).walk():
        if section.level == _LEVEL and HypothesesSection().is_titled(section.title):
            return section
    return None


def _place(text: str, lines: Sequence[str]) -> tuple[int, int]:
    """Where the section goes in a plan that has none: before the second section."""
    sections = [section for section in parse_markdown(text).walk() if section.level > 1]
    place = sections[1].line - 1 if len(sections) > 1 else len(lines)
    return place, place


def _kept_lines(text: str, section: MarkdownSection, old: Plan, new: Plan) -> list[str]:
    """The section's lines, with the hypotheses that the new plan has instead of others of their name, and with more."""
    lines, _ = split_lines(text)
    wanted = {hypothesis.text: hypothesis for hypothesis in new.hypotheses}
    by_name = {hypothesis.name: hypothesis for hypothesis in new.hypotheses if hypothesis.name}
    replaced = {item.line: by_name.get(item.name) for item in old.hypotheses if item.text not in wanted}
    kept = list(_edited(lines, section, replaced))
    known = {item.text for item in old.hypotheses} | {item.text for item in replaced.values() if item is not None}
    added = [f"- {text}" for text in wanted if text not in known]
    return [*trimmed(kept), *added]


def _edited(lines: Sequence[str], section: MarkdownSection, replaced: dict[int, Hypothesis | None]) -> Iterator[str]:
    """The section's lines; a line that continues a replaced hypothesis goes with it."""
    is_gone = False
    for number in range(section.line, section.end_line + 1):
        line = lines[number - 1]
        mark = _ITEM.match(line)
        if number in replaced and mark is not None:
            is_gone = True
            hypothesis = replaced[number]
            if hypothesis is not None:
                yield f"{mark['mark']}{hypothesis.text}"
            continue
        is_gone = is_gone and bool(line.strip()) and mark is None
        if not is_gone:
            yield line
