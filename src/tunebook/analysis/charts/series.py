"""The colours of runs: one for each run while they are few, that of a factor's level when they are many."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean
from typing import Any

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.line_labels import MOST_LABELS
from tunebook.analysis.charts.marks import Spec
from tunebook.analysis.formatting import MISSING, is_number
from tunebook.analysis.records import FactorUse, RunRecord
from tunebook.analysis.statistics.balance import treatments_of
from tunebook.analysis.values import Analysis

__all__ = ["Series", "series_of"]

_CROWDED = 40
_RUN = "Run"
_MOST_LEVELS = 8


@dataclass(frozen=True)
class Series:
    """The colour groups of runs in one figure.

    Attributes:
        title: of the legend; empty if all runs are drawn alike.
        values: run name to its entry in the legend.
        order: the legend's entries.
        is_ordered: whether they are steps on a scale.
        runs: how many runs there are.
        explains: whether the groups differ in what the figure shows.
    """

    title: str
    values: Mapping[str, str]
    order: tuple[str, ...]
    is_ordered: bool
    runs: int
    explains: bool = False

    @property
    def names_runs(self) -> bool:
        """Whether each run has a colour and its name at its line's end; the others have a legend."""
        return self.title == _RUN

    def colour(self) -> Spec:
        """The colour channel."""
        if not self.title:
            return {}
        channel: Spec = {
            "field": "series",
            "type": "ordinal" if self.is_ordered else "nominal",
            "title": marks.one_line(self.title),
            "scale": {"domain": list(self.order)},
            "sort": None,
        }
        if self.names_runs:
            channel["legend"] = None
        return {"color": channel}

    def mark(self, kind: str, **others: Any) -> Spec:
        """A mark, in the one colour if all runs are drawn alike."""
        style = {} if self.title else {"style": "one-colour"}
        return {"type": kind} | style | others

    def choose(self, usual: float, crowded: float) -> float:
        """A size for a few dozen runs, or the smaller one for many."""
        return usual if self.runs <= _CROWDED else crowded

    @property
    def opacity(self) -> float:
        """A line's opacity: many lines have to show through each other."""
        return 0.95 if self.runs <= MOST_LABELS else self.choose(0.7, 0.4)

    @property
    def caption(self) -> str:
        """The meaning of the colours, where lines have no names."""
        if self.names_runs:
            return ""
        text = f" {self.runs} runs"
        if self.title:
            text += f", coloured by {self.title}"
        if self.explains:
            text += ", the factor whose levels differ most"
        return f"{text}."

    @property
    def hint(self) -> str:
        """How to learn a run's name, where lines have no names."""
        return "" if self.names_runs else "Point at a run to see its name."


def series_of(analysis: Analysis, runs: Sequence[RunRecord], outcomes: Mapping[str, float]) -> Series:
    """The colour groups of these runs in one figure.

    Args:
        outcomes: run name to the last value that the figure shows; the factor that explains it best colours the runs.
    """
    if len(runs) <= MOST_LABELS:
        names = tuple(analysis.labels[run.name] for run in runs)
        return Series(_RUN, analysis.labels, names, is_ordered=False, runs=len(runs))
    best, chosen = -math.inf, None
    for factor in treatments_of(analysis.factors):
        explained = _explained(factor, runs, outcomes)
        if 1 < len(factor.levels) <= _MOST_LEVELS and explained > best:
            best, chosen = explained, factor
    if chosen is None:
        return Series("", analysis.labels, (), is_ordered=False, runs=len(runs))
    values = {run.name: run.levels.get(chosen.key, MISSING) for run in runs}
    present = set(values.values())
    order = tuple(filter(present.__contains__, (*chosen.levels, MISSING)))
    is_ordered = all(map(is_number, chosen.levels))
    return Series(chosen.label, values, order, is_ordered=is_ordered, runs=len(runs), explains=best > 0)


def _explained(factor: FactorUse, runs: Sequence[RunRecord], outcomes: Mapping[str, float]) -> float:
    """The share of the outcomes' variance that a factor's levels explain: adjusted R²."""
    groups: dict[str, list[float]] = {}
    for run in runs:
        if run.name in outcomes:
            groups.setdefault(run.levels.get(factor.key, MISSING), []).append(outcomes[run.name])
    values = list(chain.from_iterable(groups.values()))
    if len(values) <= len(groups):
        return 0.0
    total = _squares(values)
    if total == 0:
        return 0.0
    within = sum(map(_squares, groups.values()))
    return 1 - within / total * (len(values) - 1) / (len(values) - len(groups))


def _squares(values: Sequence[float]) -> float:
    """The sum of squared deviations from the mean."""
    mean = fmean(values)
    return sum((value - mean) ** 2 for value in values)
