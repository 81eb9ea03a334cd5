"""``## Hypotheses``: contrasts that are stated before the data, one per item of a list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tunebook.core.hypotheses import Hypothesis
from tunebook.core.hypothesis_grammar import GRAMMAR, HypothesisError, has_relation, parse_hypothesis
from tunebook.core.markdown import Block, Bullet, Table, without_comments
from tunebook.core.plan.section import Section, SectionReader, Writing
from tunebook.core.plan.values import Plan

__all__ = ["HypothesesSection"]

_AS_ITEM = "write each hypothesis as an item of a list: `- **H1:** rank64 > rank4`"


class HypothesesSection(Section):
    """Each item that compares something is a hypothesis; paragraphs, and items below one, are the author's words."""

    title = "Hypotheses"
    aliases = ("hypothesis", "hypotheses before the data", "preregistered hypotheses")

    def read(self, source: SectionReader, plan: Plan) -> Plan:
        found: list[Hypothesis] = []
        names: dict[str, int | None] = {}
        for text, block in _texts([item.block for item in source.items]):
            source.take(block)
            hypothesis = _read(text, block, source)
            if hypothesis is None:
                continue
            first = names.setdefault(hypothesis.name or f"line {block.line}", block.line)
            if first != block.line:
                message = f"hypothesis `{hypothesis.name}` is given twice, first on line {first}"
                source.problem(message, block.line, "give it another name")
            found.append(hypothesis)
        return replace(plan, hypotheses=tuple(found))

    def write(self, target: Writing) -> Iterator[str]:
        for hypothesis in target.plan.hypotheses:
            yield f"- {hypothesis.text}"


def _texts(blocks: list[Block]) -> Iterator[tuple[str, Block]]:
    """Each block with its text; lines that continue an item belong to its text."""
    joined: list[tuple[str, Block]] = []
    last_line = 0
    for block in blocks:
        text = block.raw if isinstance(block, Bullet) else block.text
        is_continued = block.line == last_line + 1 and isinstance(block, Bullet) and not block.is_item
        if is_continued and isinstance(joined[-1][1], Bullet):
            before, first = joined[-1]
            joined[-1] = (f"{before} {text}", first)
        else:
            joined.append((text, block))
        last_line = block.line
    yield from joined


def _read(text: str, block: Block, source: SectionReader) -> Hypothesis | None:
    """The hypothesis of a block; ``None`` for words, and with a problem where a hypothesis may be meant."""
    if not isinstance(block, Bullet) or block.is_quoted or not block.is_item:
        if isinstance(block, Table) or has_relation(without_comments(text)):
            source.problem(f"`{_short(text)}` in `{source.section.title}` is not read", block.line, _AS_ITEM)
        return None
    is_words = block.depth > 0 or not block.value.raw or source.section.is_remark(block)
    if is_words and not has_relation(text):
        return None
    try:
        return parse_hypothesis(text, block.line)
    except HypothesisError as error:
        source.problem(f"hypothesis: {error}", block.line, error.hint or f"write {GRAMMAR}")
        return None


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"  # noqa: PLR2004
