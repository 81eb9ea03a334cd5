"""The report's ranking of settings that were trained with several seeds."""

from __future__ import annotations

from typing import Any

from tunebook.analysis.findings.finding import TO_RETRAINING, TO_SAMPLES
from tunebook.analysis.formatting import plural
from tunebook.analysis.records import TaskUse
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Cell, Column, Table
from tunebook.analysis.statistics.ranking import RankedSetting
from tunebook.analysis.values import Analysis

__all__ = ["ranking_table"]

_MEANS = "Means are over the runs of a setting; their intervals come from the variation between seeds, pooled over all."
_TESTS = {
    "seeds": f"The differences are tested against the variation between seeds: this {TO_RETRAINING}.",
    "samples": f"The differences are tested over the samples: this {TO_SAMPLES}.",
}


def ranking_table(analysis: Analysis, task: TaskUse, key: str) -> Table | None:
    """The settings by the headline measure, the best first; ``None`` unless a setting has several runs."""
    measure = task.headline
    items = [item for item in analysis.ranking if (item.task, item.measure) == (task.name, measure.name)]
    if not any(len(item.runs) > 1 for item in items):
        return None
    scale = analysis.scale(task.name, measure.name)

    def difference(item: RankedSetting) -> Cell:
        return cells.difference(item.difference, item.difference_interval, scale)

    def simultaneous(item: RankedSetting) -> Cell:
        return cells.text(scale.interval(item.simultaneous))

    looks: dict[str, Any] = {"is_number": True, "detail": analysis.interval_title}
    columns = (
        Column("setting", "Setting", lambda item: cells.text(item.setting), is_long=True),
        Column("runs", "Runs", lambda item: cells.number(len(item.runs)), is_number=True),
        Column("mean", "Mean", lambda item: cells.score(item.value, item.interval, scale), note=_MEANS, **looks),
        Column("best", "Against the best", difference, note=_note(items), **looks),
        Column("simultaneous", "Simultaneous interval", simultaneous, is_number=True),
        Column("p", "p", lambda item: cells.p_value(item.p_holm, item.significant), is_number=True, detail="verdict"),
    )
    title = f"Settings, the {'best' if measure.has_direction else 'highest'} first: {task.name} ({measure.name})"
    return Table.of(key, title, columns, items)


def _note(items: list[RankedSetting]) -> str:
    """What the differences generalize to, how they were corrected, and the best one's value without its luck."""
    parts = [_TESTS[item.generalizes] for item in items if item.generalizes][:1]
    families = [item.family for item in items if item.family is not None]
    if families:
        parts.append(
            "The best setting was chosen by these values, so p-values and simultaneous intervals are corrected over "
            f"all {plural(families[0].size, 'pair')} of settings."
        )
    return " ".join(parts)
