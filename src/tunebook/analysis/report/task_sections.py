"""The report's section on one task: scores, effects, epochs, cost, and where the runs agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.formatting import plural
from tunebook.analysis.report.content import Block, Entries, Entry, Section, Style, Table, Text
from tunebook.analysis.report.effect_tables import effect_blocks
from tunebook.analysis.report.group_section import group_blocks
from tunebook.analysis.report.number_section import number_blocks
from tunebook.analysis.report.ranking_table import ranking_blocks
from tunebook.analysis.report.risk_section import risk_blocks
from tunebook.analysis.report.tables import score_tables, seed_table
from tunebook.analysis.values import Analysis

__all__ = ["left_out", "task_section"]

_PARTS = {
    "scores": "Scores",
    "risk": "Risk and calibration",
    "numbers": "Predicted numbers",
    "groups": "Scores by group",
    "effects": "Effects of the varied factors",
    "epochs": "Epochs",
    "cost": "Cost",
    "agreement": "Agreement between runs",
}
_ABOVE = {"risk": risk_blocks, "numbers": number_blocks}


def task_section(analysis: Analysis, scores: TaskScores, figures: Sequence[Figure], number: int) -> Section:
    """One task with its sub-headings; figures without data are a folded list at its end.

    Args:
        figures: the task's own.
        number: of the task, from 1: keys of sections and tables end with it.
    """
    blocks: list[Block] = []
    if scores.task.description:
        measures = ", ".join(f"{each.name} ({each.reading})" for each in scores.task.measures)
        description = scores.task.description.rstrip(". ")
        blocks.append(Text(f"{description}. Measures: {measures or 'none yet'}."))
    own = _of_task(analysis, scores)
    for part, title in _parts(scores):
        found = [*_before(own, scores, part, number), *_drawn(figures, part), *_after(own, scores, part, number)]
        if found:
            blocks += [Text(title, Style.HEADING), *found]
    blocks += left_out(figures)
    return Section(f"task-{number}", f"Task: {scores.task.name}", tuple(blocks), short=scores.task.name)


def _parts(scores: TaskScores) -> list[tuple[str, str]]:
    """The parts with their titles; risk and numbers first, if the plan names a measure of them."""
    parts = list(_PARTS.items())
    if scores.task.wanted is not None:
        parts.sort(key=lambda item: item[0] not in {"risk", "numbers"})
    return parts


def _of_task(analysis: Analysis, scores: TaskScores) -> Analysis:
    """The analysis with this task's statistics only."""
    name = scores.task.name
    return replace(
        analysis,
        effects=tuple(item for item in analysis.effects if item.task == name),
        replicates=tuple(item for item in analysis.replicates if item.task == name),
    )


def _drawn(figures: Sequence[Figure], part: str) -> Iterator[Figure]:
    for figure in figures:
        if figure.part == part and figure.spec:
            yield figure


def _before(analysis: Analysis, scores: TaskScores, part: str, number: int) -> Iterator[Block]:
    """The blocks above a part's figures."""
    if part in _ABOVE:
        yield from _ABOVE[part](analysis, scores, number)
    if part == "scores":
        yield from ranking_blocks(analysis, scores, number)


def _after(analysis: Analysis, scores: TaskScores, part: str, number: int) -> Iterator[Block]:
    """The blocks below a part's figures."""
    if part == "scores":
        if analysis.replicates:
            yield Text("Settings over seeds", Style.SUBHEADING)
            yield replace(seed_table(analysis), key=f"seeds-{number}").without("task")
        yield from score_tables(analysis, scores.task)
    if part == "groups":
        yield from group_blocks(analysis, scores, number)
    if part == "effects" and analysis.effects:
        for block in effect_blocks(analysis, f"effects-{number}"):
            yield block.without("task") if isinstance(block, Table) else block


def left_out(figures: Sequence[Figure]) -> Iterator[Block]:
    """A folded list of the figures that have no data, with the reasons."""
    entries = tuple(Entry(figure.reason, figure.title) for figure in figures if not figure.spec)
    if entries:
        yield Entries(entries, fold=f"{plural(len(entries), 'figure')} left out")
