"""All figures of an analysis, in the order in which they are read; those without data say why."""

from __future__ import annotations

import re

from tunebook.analysis.charts.costs import score_by_cost
from tunebook.analysis.charts.effects import by_factor
from tunebook.analysis.charts.epochs import by_epoch
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.heat import heat_maps
from tunebook.analysis.charts.samples import agreement
from tunebook.analysis.charts.scores import by_run
from tunebook.analysis.charts.training import learning_rates, losses
from tunebook.analysis.records import TaskUse
from tunebook.analysis.values import Analysis

__all__ = ["figures"]


def figures(analysis: Analysis) -> tuple[Figure, ...]:
    """Every figure, of every task; with several tasks a figure's name and title end with the task's."""
    of_tasks = [
        figure
        for task, suffix in zip(analysis.tasks, _suffixes(analysis), strict=True)
        for figure in _of_task(analysis, task, suffix)
    ]
    return (*of_tasks, losses(analysis), learning_rates(analysis))


def _of_task(analysis: Analysis, task: TaskUse, suffix: str) -> tuple[Figure, ...]:
    return (
        by_run(analysis, task, suffix),
        *by_factor(analysis, task, suffix),
        *heat_maps(analysis, task, suffix),
        by_epoch(analysis, task, suffix),
        score_by_cost(analysis, task, suffix),
        agreement(analysis, task, suffix),
    )


def _suffixes(analysis: Analysis) -> list[str]:
    """A file name's end for each task: none for a single one; its letters and digits, numbered if they clash."""
    if len(analysis.tasks) == 1:
        return [""]
    found: list[str] = []
    for task in analysis.tasks:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", task.name).strip("_")[:60] or "task"
        suffix, number = f"-{plain}", 2
        while suffix.lower() in (each.lower() for each in found):
            suffix, number = f"-{plain}_{number}", number + 1
        found.append(suffix)
    return found
