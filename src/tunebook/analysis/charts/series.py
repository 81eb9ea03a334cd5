"""Which colour a run has: its own while runs are few, that of a factor's level when they are many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tunebook.analysis.charts.figure import Spec, one_line
from tunebook.analysis.records import FactorUse, RunRecord
from tunebook.analysis.values import Analysis

__all__ = ["Series", "is_number", "series_of", "short_names"]

_OWN_COLOUR = 6  # as many as there are colours that can be told apart
_DOZENS = 40
_LEVELS = 8
_NO_LEVEL = "–"


@dataclass(frozen=True)
class Series:
    """How runs are told apart.

    Attributes:
        title: of the legend; empty if all are drawn alike.
        values: run name to what the legend says.
        order: the legend's entries.
        is_ordered: whether they are steps on a scale.
        runs: how many runs there are.
        explains: whether what they are told apart by has to do with what the figure shows.
    """

    title: str
    values: Mapping[str, str]
    order: tuple[str, ...]
    is_ordered: bool
    runs: int
    explains: bool = False

    def colour(self) -> Spec:
        """The colour channel."""
        if not self.title:
            return {}
        channel: Spec = {
            "field": "series",
            "type": "ordinal" if self.is_ordered else "nominal",
            "title": one_line(self.title),
            "scale": {"domain": list(self.order)},
            "sort": None,
        }
        return {"color": channel}

    def mark(self, kind: str, **others: Any) -> Spec:
        """A mark, in the one colour if all are drawn alike."""
        return {"type": kind} | ({} if self.title else {"style": "one-colour"}) | others

    @property
    def is_crowded(self) -> bool:
        """Whether marks have to be small and to show through each other."""
        return self.runs > _DOZENS

    @property
    def opacity(self) -> float:
        """Of a line."""
        if self.runs <= _OWN_COLOUR:
            return 0.95
        return 0.4 if self.is_crowded else 0.7

    @property
    def caption(self) -> str:
        """What the colours mean, where the legend does not name runs."""
        if self.title == "Run":
            return ""
        by = f", coloured by {self.title}" if self.title else ""
        by += ", the factor that tells them apart most" if self.explains else ""
        return f" {self.runs} runs{by}; point at one to see which it is."


def series_of(analysis: Analysis, runs: Sequence[RunRecord], outcomes: Mapping[str, float]) -> Series:
    """How these runs are told apart in one figure.

    Args:
        outcomes: run name to what the figure shows of it in the end; the factor that explains it best colours it.
    """
    names = short_names(analysis)
    if len(runs) <= _OWN_COLOUR:
        return Series("Run", names, tuple(names[run.name] for run in runs), is_ordered=False, runs=len(runs))
    factors = [each for each in analysis.factors if not each.is_seed and 1 < len(each.levels) <= _LEVELS]
    if not factors:
        return Series("", names, (), is_ordered=False, runs=len(runs))
    explained = [_explained(each, runs, outcomes) for each in factors]
    factor = factors[explained.index(max(explained))]
    values = {run.name: run.levels.get(factor.key, _NO_LEVEL) for run in runs}
    used = tuple(level for level in (*factor.levels, _NO_LEVEL) if level in values.values())
    is_ordered = all(map(is_number, factor.levels))
    return Series(factor.label, values, used, is_ordered=is_ordered, runs=len(runs), explains=max(explained) > 0)


def _explained(factor: FactorUse, runs: Sequence[RunRecord], outcomes: Mapping[str, float]) -> float:
    """The part of the outcomes' variance that lies between a factor's levels, less what chance would put there."""
    groups: dict[str, list[float]] = {}
    for run in runs:
        if run.name in outcomes:
            groups.setdefault(run.levels.get(factor.key, _NO_LEVEL), []).append(outcomes[run.name])
    values = [value for group in groups.values() for value in group]
    if len(values) <= len(groups):
        return 0.0
    mean = fmean(values)
    total = sum((value - mean) ** 2 for value in values)
    within = sum((value - fmean(group)) ** 2 for group in groups.values() for value in group)
    if total == 0:
        return 0.0
    return 1 - within / total * (len(values) - 1) / (len(values) - len(groups))  # adjusted R²


def short_names(analysis: Analysis) -> dict[str, str]:
    """Run name to its directory's name, which says what differs; its own name if two share one."""
    directories = [run.directory for run in analysis.runs]
    return {
        run.name: run.directory if run.directory and directories.count(run.directory) == 1 else run.name
        for run in analysis.runs
    }


def is_number(text: str) -> bool:
    """Whether a level is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
