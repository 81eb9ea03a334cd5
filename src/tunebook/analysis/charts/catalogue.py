"""All figures of an analysis, in reading order; those without data give the reason."""

from __future__ import annotations

import re
from dataclasses import replace

from tunebook.analysis.charts.agreement import agreement
from tunebook.analysis.charts.by_cost import by_cost
from tunebook.analysis.charts.by_difference import by_difference
from tunebook.analysis.charts.by_epoch import by_epoch
from tunebook.analysis.charts.by_factor import by_factor
from tunebook.analysis.charts.by_group import by_group
from tunebook.analysis.charts.by_run import by_run
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.interactions import interactions
from tunebook.analysis.charts.reliability import reliability
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.charts.training import learning_rates, losses
from tunebook.analysis.values import Analysis

__all__ = ["figures"]


def figures(analysis: Analysis) -> tuple[Figure, ...]:
    """Every figure, of every task; with several tasks a figure's name and title end with the task's."""
    found: list[Figure] = []
    for task, suffix in zip(analysis.tasks, _suffixes(analysis), strict=True):
        for part, drawn in _of_task(TaskScores(analysis, task)).items():
            for figure in drawn:
                title = f"{figure.title}: {task.name}" if suffix else figure.title
                found.append(replace(figure, name=figure.name + suffix, title=title, task=task.name, part=part))
    training = [replace(figure, part="training") for figure in (losses(analysis), learning_rates(analysis))]
    return (*found, *training)


def _of_task(scores: TaskScores) -> dict[str, list[Figure]]:
    """A task's figures, by the part of the report that shows them."""
    return {
        "differences": [by_difference(scores)],
        "scores": [by_run(scores)],
        "risk": list(reliability(scores)),
        "groups": list(by_group(scores)),
        "effects": [*interactions(scores), *by_factor(scores)],
        "epochs": [by_epoch(scores)],
        "cost": [by_cost(scores)],
        "agreement": [agreement(scores)],
    }


def _suffixes(analysis: Analysis) -> list[str]:
    """The end of each task's file names: empty for a single task; its letters and digits, numbered if they clash."""
    if len(analysis.tasks) == 1:
        return [""]
    found: list[str] = []
    used: set[str] = set()
    for task in analysis.tasks:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", task.name).strip("_")[:60] or "task"
        suffix, number = f"-{plain}", 2
        while suffix.lower() in used:  # some file systems ignore case
            suffix, number = f"-{plain}_{number}", number + 1
        used.add(suffix.lower())
        found.append(suffix)
    return found
