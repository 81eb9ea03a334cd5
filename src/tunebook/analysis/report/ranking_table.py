"""The report's ranking of settings: each one's value, and its difference from the best one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.findings.finding import TO_RETRAINING, TO_SAMPLES
from tunebook.analysis.formatting import plural
from tunebook.analysis.report import cells
from tunebook.analysis.report.answer_words import selection_text
from tunebook.analysis.report.content import Block, Cell, Column, Table, Text
from tunebook.analysis.statistics.ranking import RankedSetting
from tunebook.analysis.values import Analysis

__all__ = ["ranking_blocks"]

_MOST = 10
_MEANS = "Means are over the runs of a setting; their intervals come from the variation between seeds, pooled over all."
_NOTE = "Differences are from the best one; their intervals hold for all of them together, and p is corrected likewise"
_SCOPES = {"seeds": TO_RETRAINING, "samples": TO_SAMPLES}


def ranking_blocks(analysis: Analysis, scores: TaskScores, number: int) -> Iterator[Block]:
    """How sure the order is, and the best settings of a task's headline measure; nothing without scores.

    Args:
        number: of the task, from 1.
    """
    ranked = scores.own(analysis.ranking)
    if not ranked:
        return
    yield Text(_sentence(scores, ranked))
    scale = scores.scale

    def difference(item: RankedSetting) -> Cell:
        return cells.difference(item.difference, item.simultaneous or item.difference_interval, scale)

    unit = "Setting" if any(len(item.runs) > 1 for item in ranked) else "Run"
    interval = analysis.interval_title
    columns = (
        Column("setting", unit, lambda item: cells.text(item.setting), is_long=True),
        Column("runs", "Runs", lambda item: cells.number(len(item.runs)), is_number=True),
        Column(
            "value",
            scores.measure,
            lambda item: cells.score(item.value, item.interval, scale),
            is_number=True,
            detail=interval,
        ),
        Column("difference", "From the best", difference, is_number=True, detail=interval),
        Column("p", "p", lambda item: cells.p_value(item.p_holm, item.significant), is_number=True, detail="verdict"),
    )
    note = _note(ranked)
    table = Table.of(f"ranking-{number}", f"Ranking: {scores.task.name}", columns, ranked[:_MOST], note=note)
    yield table if unit == "Setting" else table.without("runs")


def _note(ranked: Sequence[RankedSetting]) -> str:
    """Explains the values, the correction of their differences, and the scope of these."""
    parts = []
    if any(len(item.runs) > 1 for item in ranked):
        parts.append(_MEANS)
    tested = [item for item in ranked if item.family is not None]
    if tested:
        size = plural(tested[0].family.size, "test") if tested[0].family else ""
        parts.append(f"{_NOTE}, over {size}: this {_SCOPES[tested[0].generalizes]}.")
    return " ".join(parts)


def _sentence(scores: TaskScores, ranked: Sequence[RankedSetting]) -> str:
    """How many there are, what the choice of the best one does to its value, and how sure the order is."""
    noun = "settings" if any(len(item.runs) > 1 for item in ranked) else "runs"
    if len(ranked) == 1:
        return f"One of the {noun} has a score ({scores.reading}) so far."
    order = "best" if scores.task.headline.has_direction else "highest"
    text = f"{len(ranked)} {noun} by {scores.reading}, the {order} first."
    if len(ranked) > _MOST:
        text = f"The {_MOST} {order} of {len(ranked)} {noun} by {scores.reading}."
    best, *others = ranked
    if any(item.value != best.value for item in others):
        text = f"{text} {selection_text([best], scores.task, scores.scale, shown=best.value)}".rstrip()
    tested = [item for item in others if item.significant is not None]
    ties = sum(not item.significant for item in tested)
    if not tested:
        return f"{text} No test compared them with the best one: their order may be chance."
    if not ties:
        return f"{text} The best one differs significantly from all others."
    many = "one other" if ties == 1 else f"{ties} others"
    return f"{text} No difference between the best one and {many} was detected: their order may be chance."
