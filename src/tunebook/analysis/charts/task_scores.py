"""A task's headline scores with everything that its figures share: run labels, base models, axis, tooltips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tunebook.analysis.charts.figure import (
    Figure,
    Row,
    Spec,
    TooltipEntry,
    axis,
    compact,
    interval_fields,
    layer,
    tooltip,
)
from tunebook.analysis.formatting import Scale, run_labels, scale_of
from tunebook.analysis.records import Score, TaskUse
from tunebook.analysis.values import Analysis
from tunebook.core.plan import RunType

__all__ = ["TaskScores"]

_FORMATS = {True: (".0%", ".1%"), False: ("~g", ".4~g")}  # of axes and tooltips, by whether scores are percent


@dataclass(frozen=True)
class TaskScores:
    """The scores of a task's headline measure.

    Attributes:
        suffix: end of the names of the task's figures; empty if there is one task only.
    """

    analysis: Analysis
    task: TaskUse
    suffix: str = ""

    @property
    def measure(self) -> str:
        """The headline measure."""
        return self.task.measures[0] if self.task.measures else ""

    @cached_property
    def scale(self) -> Scale:
        """Percent or numbers, as every output writes them."""
        return scale_of(score.value for score in self.analysis.scores(self.task.name))

    @cached_property
    def final(self) -> dict[str, Score]:
        """Run name to its score after its last evaluated epoch, in the plan's order."""
        return self.analysis.final_scores(self.task.name)

    @cached_property
    def labels(self) -> dict[str, str]:
        """Run name to its short name."""
        return run_labels(self.analysis.runs)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Run name to its place among the plan's runs: what rows call ``run``."""
        return {run.name: number for number, run in enumerate(self.analysis.runs)}

    @cached_property
    def base_rows(self) -> list[Row]:
        """The scores of the base models: the rows of a data set called ``bases``."""
        return [
            {"name": self.labels[run.name], "score": compact(self.final[run.name].value)}
            for run in self.analysis.runs
            if run.type is RunType.CONTROL and run.name in self.final
        ]

    def rows(self, scores: dict[str, Score] | None = None) -> Iterator[tuple[Score, Row]]:
        """Each run's score, final or given, with the fields that every figure draws."""
        chosen = self.final if scores is None else scores
        for run, number in self.numbers.items():
            if run in chosen:
                score = chosen[run]
                row = {"run": number, "name": self.labels[run], "score": compact(score.value)}
                yield score, row | interval_fields(score.interval)

    # What a figure is called, and why there is none.

    def name(self, stem: str) -> str:
        """A figure's name."""
        return f"{stem}{self.suffix}"

    def title(self, words: str) -> str:
        """A figure's title: it ends with the task's name if there are several."""
        return f"{words}: {self.task.name}" if self.suffix else words

    def no_figure(self, stem: str, title: str, reason: str) -> Figure:
        """A figure without data."""
        return Figure(self.name(stem), self.title(title), reason=reason)

    # How scores are drawn.

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
        return axis(field, "quantitative", self.measure, scale={"zero": False, "nice": True}, axis=ticks)

    def base_rule(self, channel: str = "y") -> Spec:
        """A dashed line at every base model's score, out of the data set ``bases``."""
        words = tooltip(("name", "Base model"), ("score", self.measure, self.number))
        encoding = {channel: self.channel("score"), "tooltip": words}
        return layer({"type": "rule", "style": "reference"}, encoding, data="bases")

    def tooltip(self, *others: TooltipEntry) -> list[Spec]:
        """The run, its score and its interval, and other entries."""
        score = ("score", self.measure, self.number)
        return tooltip(("name", "Run"), score, ("low", "from", self.number), ("high", "to", self.number), *others)

    def mean_tooltip(self, *first: TooltipEntry) -> list[Spec]:
        """Entries, the mean score of some runs with its interval if there is one, and how many runs they are."""
        mean = ("mean", f"mean {self.measure}", self.number)
        ends = (("low", "from", self.number), ("high", "to", self.number))
        return tooltip(*first, mean, *ends, ("runs", "Runs", "d"))
