"""The report's section on hypotheses: verdicts with their tests, what was frozen when, and what is exploratory."""

from __future__ import annotations

from tunebook.analysis.findings.hypotheses import change_sentences, explained_verdict, frozen_text, hypothesis_scale
from tunebook.analysis.formatting import capitalized, percent_text
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Block, Cell, Column, Section, Style, Table, Text
from tunebook.analysis.statistics.hypotheses import HypothesisResult
from tunebook.analysis.values import Analysis

__all__ = ["hypotheses_section", "hypotheses_table"]

_HOW = (
    "Each hypothesis was tested on the samples that both sides have, and its p-value is corrected among the hypotheses "
    "only (Holm). A direction or a margin is tested one-sided, an equivalence by two one-sided tests. “>” means a "
    "higher value, which need not be the better one. A hypothesis is contradicted if the two-sided p-value of the "
    "opposite, corrected likewise, is below the level. Each interval is that of its own hypothesis, not corrected."
)
_ALL_EXPLORATORY = (
    "No hypothesis of a plan was tested: everything in this report is exploratory. Its p-values show what to test in "
    "new data, and not what is confirmed."
)
_NOT_FROZEN = (
    "tunebook submitted no job here and froze nothing, so that it cannot know which hypotheses are older than the "
    "results: everything in this report is exploratory."
)
_OTHERS = "Everything else in this report is exploratory: no hypothesis of the plan is about it."


def hypotheses_section(analysis: Analysis) -> Section:
    """The verdicts; or that everything is exploratory."""
    blocks: list[Block] = []
    if not analysis.hypotheses:
        blocks.append(Text(_ALL_EXPLORATORY))
    else:
        others = _OTHERS if analysis.frozen else _NOT_FROZEN
        blocks += [hypotheses_table(analysis), Text(others), Text(_HOW, Style.NOTE)]
    blocks += map(Text, change_sentences(analysis.frozen))
    return Section("hypotheses", "Hypotheses", tuple(blocks))


def hypotheses_table(analysis: Analysis) -> Table:
    """One row per hypothesis."""

    def difference(item: HypothesisResult) -> Cell:
        level = f"{percent_text(item.interval.level)} interval" if item.interval is not None else ""
        return cells.difference(item.difference, item.interval, hypothesis_scale(item, analysis.tasks), note=level)

    def words(item: HypothesisResult) -> Cell:
        return cells.text(f"{item.contrast} — {item.words}" if item.words else item.contrast)

    def tested(item: HypothesisResult) -> Cell:
        family = item.family
        if not item.test:
            return Cell()
        return Cell(item.test, item.test, f"{family.name}: {family.size}" if family.size > 1 else "")

    def measured(item: HypothesisResult) -> Cell:
        return cells.text(f"{item.measure} on {item.task}" if item.measure else "")

    def since(item: HypothesisResult) -> Cell:
        text = frozen_text(item.frozen)
        if item.frozen.removed:
            text += f"; no longer on the plan since {item.frozen.removed}"
        return cells.text(f"exploratory: {text}" if item.is_exploratory else text)

    columns = [
        Column("name", "Hypothesis", lambda item: cells.text(capitalized(item.name))),
        Column("contrast", "In the plan's words", words, is_long=True),
        Column("verdict", "Verdict", lambda item: cells.text(explained_verdict(item)), is_long=True),
        Column("difference", "Difference", difference, is_number=True, note="Differences are left side − right side."),
        Column("p", "p (Holm)", lambda item: cells.p_value(item.deciding_p, item.significant), is_number=True),
        Column("test", "Test", tested, is_long=True),
        Column("measure", "Measure", measured),
        Column("frozen", "Frozen", since, is_long=True),
    ]
    return Table.of("hypotheses", "Hypotheses", columns, analysis.hypotheses, file="hypotheses.csv")
