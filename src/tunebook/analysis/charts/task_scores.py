"""A task's headline scores with everything that its figures share: run labels, base models, axis, tooltips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.line_labels import MOST_LABELS
from tunebook.analysis.charts.marks import Row, Spec, TooltipEntry
from tunebook.analysis.formatting import Scale, scale_of
from tunebook.analysis.records import Measure, Score, TaskUse
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.statistics.measure_results import CostPoint
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.statistics.ranking import RankedSetting
from tunebook.analysis.statistics.seeds import Replicates
from tunebook.analysis.values import Analysis
from tunebook.core.plan import RunType

__all__ = ["BASE", "NOT_COMPARED", "TaskScores", "verdict_looks"]

_FORMATS = {True: (".0%", ".1%"), False: (".6~g", ".4~g")}  # of axes and tooltips, by whether scores are percent

BASE, NOT_COMPARED = "base model", "not compared"
_UNDETECTED = "no difference from base detected"
_GREY = "#8a8f96"
_OTHERS = {_UNDETECTED: (_GREY, "circle"), NOT_COMPARED: ("#56B4E9", "square"), BASE: ("#CC79A7", "diamond")}

_T = TypeVar("_T", CostPoint, Effect, Comparison, Replicates, RankedSetting)


def verdict_looks(measure: Measure) -> dict[str, tuple[str, str]]:
    """Colour and shape by verdict, in a legend's order; without a direction no colour says that a run is better."""
    found = {"higher than base": ("#56B4E9", "circle"), "lower than base": ("#E69F00", "circle")}
    if measure.has_direction:
        found = {"better than base": ("#0072B2", "circle"), "worse than base": ("#D55E00", "circle")}
    return found | _OTHERS


@dataclass(frozen=True)
class TaskScores:
    """The scores of a task's headline measure."""

    analysis: Analysis
    task: TaskUse

    @property
    def measure(self) -> str:
        """The name of the headline measure."""
        return self.task.headline.name

    @property
    def reading(self) -> str:
        """``exact (higher is better)``: the title of every axis of scores."""
        return f"{self.measure} ({self.task.headline.reading})"

    def verdict(self, difference: float, *, significant: bool) -> str:
        """The verdict on a tested difference from the base model."""
        if not significant or difference == 0:
            return _UNDETECTED
        if not self.task.headline.has_direction:
            return "higher than base" if difference > 0 else "lower than base"
        return "better than base" if self.task.headline.is_better(difference, 0) else "worse than base"

    @cached_property
    def scale(self) -> Scale:
        """Percent or numbers, as every output writes them."""
        return scale_of(self.task.headline)

    @cached_property
    def final(self) -> dict[str, Score]:
        """Run name to its score after its last evaluated epoch, in the plan's order."""
        return self.analysis.final_scores(self.task.name)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Run name to its place among the plan's runs: what rows call ``run``."""
        return {run.name: number for number, run in enumerate(self.analysis.runs)}

    @cached_property
    def base_rows(self) -> list[Row]:
        """The scores of the base models: the rows of a data set called ``bases``."""
        rows = []
        for score, row in self.rows():
            if self.analysis.run_of[score.evaluation.run].type is RunType.CONTROL:
                rows.append({"name": row["name"], "score": row["score"]})
        return rows

    @property
    def base_note(self) -> str:
        """The end of the caption of a figure that has :meth:`base_rule`."""
        return "; dashed: base model." if self.base_rows else "."

    def rows(self, scores: dict[str, Score] | None = None) -> Iterator[tuple[Score, Row]]:
        """Each run's score, final or given, with the fields that every figure draws."""
        for run, score in (self.final if scores is None else scores).items():
            row = {"run": self.numbers[run], "name": self.analysis.labels[run], "score": marks.compact(score.value)}
            yield score, row | marks.interval_fields(score.interval)

    def own(self, items: Iterable[_T]) -> list[_T]:
        """The statistics of this task's headline measure."""
        return [item for item in items if (item.task, item.measure) == (self.task.name, self.measure)]

    def shown_of(self, found: Iterable[str]) -> tuple[set[str], str]:
        """All of these runs as long as their lines can be distinguished, otherwise the base models and the best run.

        Returns:
            The runs, and the sentence on those that are left out, for the caption.
        """
        runs = list(dict.fromkeys(found))
        if len(runs) <= MOST_LABELS:
            return set(runs), ""
        chosen = [run for run in runs if self.analysis.run_of[run].type is RunType.CONTROL]
        best = self.analysis.best_score(self.task.name)
        if best is not None and best.evaluation.run in runs:
            chosen.append(best.evaluation.run)
        chosen = (chosen or runs)[-MOST_LABELS:]
        note = f" Of {len(runs)} runs, the base models and the best one by {self.measure} are drawn; the table has all."
        return set(chosen), note

    @property
    def ticks(self) -> str:
        """The axis's number format."""
        return _FORMATS[self.scale.is_percent][0]

    @property
    def number(self) -> str:
        """The tooltip's number format."""
        return _FORMATS[self.scale.is_percent][1]

    def channel(self, field: str) -> Spec:
        """The axis, as long as the scores and their intervals need."""
        ticks: Spec = {"format": self.ticks}
        if self.scale.is_percent:
            ticks["tickMinStep"] = 0.01  # ticks between two whole percents would be written alike
        return marks.axis(field, "quantitative", self.reading, scale={"zero": False, "nice": True}, axis=ticks)

    def base_rule(self, channel: str = "y") -> Spec:
        """A dashed line at every base model's score, out of the data set ``bases``."""
        words = marks.tooltip(("name", "Base model"), ("score", self.measure, self.number))
        encoding = {channel: self.channel("score"), "tooltip": words}
        return marks.layer({"type": "rule", "style": "reference"}, encoding, data="bases")

    def spec(self, rows: list[Row], *layers: Spec, along: str = "y", **datasets: list[Row]) -> Spec:
        """Layers over rows of runs, on top of the base models' scores, which lie along this axis."""
        datasets = {"bases": self.base_rows} | datasets
        return marks.layered(rows, self.base_rule(along), *layers, params=[marks.SHOWN], datasets=datasets)

    def bars(self, channels: Spec, look: Spec, *, along: str = "y", **others: Any) -> Spec:
        """The intervals of the scores, as rules along this axis."""
        ends = {along: self.channel("low"), f"{along}2": {"field": "high"}}
        return marks.layer({"type": "rule"} | look, channels | ends, **others)

    def tooltip(self, *others: TooltipEntry) -> list[Spec]:
        """The run, its score and its interval, and other entries."""
        score = ("score", self.measure, self.number)
        return marks.tooltip(("name", "Run"), score, ("low", "from", self.number), ("high", "to", self.number), *others)

    def mean_tooltip(self, *first: TooltipEntry) -> list[Spec]:
        """Entries, the mean score of some runs with its interval if there is one, and how many runs they are."""
        mean = ("mean", f"mean {self.measure}", self.number)
        ends = (("low", "from", self.number), ("high", "to", self.number))
        return marks.tooltip(*first, mean, *ends, ("runs", "Runs", "d"))
