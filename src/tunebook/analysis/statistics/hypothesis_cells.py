"""The evaluations that a hypothesis compares: both sides of each combination of the other factors' levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from tunebook.analysis.formatting import shortened
from tunebook.analysis.records import EvaluationKey
from tunebook.analysis.statistics.scores import ScoreTable
from tunebook.core.contrasts import Contrast
from tunebook.core.plan import Plan
from tunebook.core.plan.settings import evaluations

__all__ = ["Cell", "NotTestableError", "cell_scores", "planned_epochs", "scored_cells", "side_means", "values_of"]


class NotTestableError(Exception):
    """A hypothesis cannot be tested; the message says why."""


Cell = tuple[list[EvaluationKey], list[EvaluationKey]]
_Planned = Mapping[tuple[str, str], int]
_Values = dict[EvaluationKey, list[float]]


def planned_epochs(plan: Plan) -> _Planned:
    """Run and task to the last epoch that is planned, -1 for models that are not trained here."""
    last: dict[tuple[str, str], int] = {}
    for item in evaluations(plan):
        key = (item.run, item.task)
        last[key] = max(last.get(key, -1), -1 if item.epoch is None else item.epoch)
    return last


def scored_cells(
    contrast: Contrast, tables: tuple[ScoreTable, ScoreTable], planned: _Planned
) -> tuple[list[Cell], tuple[str, ...]]:
    """Each cell's evaluations after the last planned epoch, and the names of the runs that have none with a score."""
    cells: list[Cell] = []
    missing: dict[str, None] = {}
    for cell in contrast.cells:
        sides = []
        for table, names in zip(tables, (cell.left, cell.right), strict=True):
            keys, absent = _scored(table, names, planned)
            missing |= dict.fromkeys(absent)
            sides.append(keys)
        if contrast.is_of_tasks:
            both = {key.run for key in sides[0]} & {key.run for key in sides[1]}
            sides = [[key for key in keys if key.run in both] for keys in sides]
            if not both:
                raise NotTestableError(f"no run of {shortened(cell.left)} has scores of both tasks yet")
        cells.append((sides[0], sides[1]))
    return cells, tuple(missing)


def _scored(table: ScoreTable, names: Sequence[str], planned: _Planned) -> tuple[list[EvaluationKey], list[str]]:
    """The last planned evaluations that have a score, and the names of the other runs."""
    scored = {score.evaluation for score in table.scores if score.value is not None}
    keys: list[EvaluationKey] = []
    absent: list[str] = []
    for name in dict.fromkeys(names):
        final = EvaluationKey(name, table.task, planned[name, table.task])
        if final in scored:
            keys.append(final)
        else:
            absent.append(name)
    if not keys:
        raise NotTestableError(f"{shortened(absent)} {'has' if len(absent) == 1 else 'have'} no score yet")
    return keys, absent


def values_of(table: ScoreTable, keys: Sequence[EvaluationKey], samples: Sequence[str]) -> _Values:
    """The values of the samples, in their order, of each evaluation."""
    found: _Values = {}
    for key in keys:
        own = table.values(key)
        found[key] = [own[sample] for sample in samples]
    return found


def side_means(values: _Values, cells: Sequence[Cell], side: int) -> list[float]:
    """Each sample's mean over the cells, of its means over the runs of a cell."""
    columns = []
    for cell in cells:
        runs = [values[key] for key in cell[side]]
        columns.append([fmean(own) for own in zip(*runs, strict=True)])
    return [fmean(own) for own in zip(*columns, strict=True)]


def cell_scores(cells: Sequence[Cell], values: Sequence[_Values]) -> list[tuple[list[float], list[float]]]:
    """The runs' scores of both sides of each cell, on the samples of the test."""
    scores = []
    for cell in cells:
        ours, theirs = ([fmean(own[key]) for key in keys] for own, keys in zip(values, cell, strict=True))
        scores.append((ours, theirs))
    return scores
