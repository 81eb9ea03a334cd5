"""What runs scored after their last evaluated epoch, and the figure of it, run by run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunebook.analysis.charts.figure import (
    POINTED,
    SHOWN,
    Figure,
    Row,
    Spec,
    axis,
    compact,
    hover,
    layered,
    shown_only,
    tooltip,
)
from tunebook.analysis.charts.series import short_names
from tunebook.analysis.records import RunRecord, Score, TaskUse
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.values import Analysis
from tunebook.analysis.wording import Scale, scale_of
from tunebook.core.plan import RunType

__all__ = ["ScoreAxis", "base_rule", "base_scores", "by_run", "of_task", "score_words"]

_ROWS = 60  # with more, runs have no row of their own, but a rank
_ROW_PX = 19
_WORDS = ("better than base", "not told apart from base", "worse than base", "not compared", "base model")
_COLOURS = ("#0072B2", "#8a8f96", "#D55E00", "#56B4E9", "#CC79A7")
_SHAPES = ("circle", "circle", "circle", "circle", "diamond")


@dataclass(frozen=True)
class ScoreAxis:
    """How a task's headline measure is shown: as percent or as numbers, as all reports write it."""

    task: str
    measure: str
    words: Scale

    @classmethod
    def of(cls, analysis: Analysis, task: TaskUse) -> ScoreAxis:
        """As its scores are."""
        measure = task.measures[0] if task.measures else ""
        return cls(task.name, measure, scale_of(score.value for score in analysis.scores(task.name)))

    @property
    def is_percent(self) -> bool:
        """Whether scores are shares."""
        return self.words.is_percent

    @property
    def axis(self) -> Spec:
        """The axis itself: no tick between two whole percents, which would be written alike."""
        return {"format": self.ticks} | ({"tickMinStep": 0.01} if self.is_percent else {})

    @property
    def ticks(self) -> str:
        """The axis's number format."""
        return ".0%" if self.is_percent else "~g"

    @property
    def number(self) -> str:
        """The tooltip's number format."""
        return ".1%" if self.is_percent else ".4~g"

    def channel(self, field: str, **others: Any) -> Spec:
        """The axis, as long as the scores and their intervals need."""
        scale: Spec = {"zero": False, "nice": True}
        return axis(field, "quantitative", self.measure, scale=scale, axis=self.axis) | others


def by_run(analysis: Analysis, task: TaskUse, suffix: str) -> Figure:
    """Every run's score with its interval, sorted, beside its base model."""
    title = f"Score by run{of_task(task, suffix)}"
    scores = analysis.final_scores(task.name)
    if not scores:
        return Figure(f"score_by_run{suffix}", title, reason=f"no evaluation of {task.name} has a score yet")
    scale = ScoreAxis.of(analysis, task)
    rows = sorted(_score_rows(analysis, scores), key=lambda row: (-row["score"], row["number"]))
    for rank, row in enumerate(rows, start=1):
        row["rank"] = rank
    level = f"{100 * analysis.level:g} %"
    method = next((score.interval.method for score in scores.values() if score.interval), "")
    caption = f"Points: scores after the last evaluated epoch; bars: {level} intervals ({method}). " if method else ""
    caption += (
        "Dashed: base model. Colours: paired comparison with the base model on the same samples, corrected (Holm)."
    )
    if len(rows) <= _ROWS:
        height = 70 + _ROW_PX * max(len(rows), 3)
        return Figure(f"score_by_run{suffix}", title, caption, _rows_spec(rows, scale), height, is_wide=True)
    caption += f" {len(rows)} runs, sorted by score; point at one to see which it is."
    return Figure(f"score_by_run{suffix}", title, caption, _ranks_spec(rows, scale), 330, is_wide=True)


def base_scores(analysis: Analysis, task: TaskUse) -> list[Row]:
    """The scores of the task's base models: the rows of a data set called ``bases``."""
    names, scores = short_names(analysis), analysis.final_scores(task.name)
    return [
        {"name": names[run.name], "score": compact(scores[run.name].value)}
        for run in analysis.runs
        if run.type is RunType.CONTROL and run.name in scores
    ]


def base_rule(scale: ScoreAxis, channel: str = "y") -> Spec:
    """A dashed line at every base model's score, out of the data set ``bases``."""
    words = tooltip(("name", "Base model"), ("score", scale.measure, scale.number))
    return {
        "data": {"name": "bases"},
        "mark": {"type": "rule", "style": "reference"},
        "encoding": {channel: scale.channel("score"), "tooltip": words},
    }


def score_words(scale: ScoreAxis, *others: tuple[str, str] | tuple[str, str, str]) -> list[Spec]:
    """A tooltip with the run, its score and its interval."""
    return tooltip(
        ("name", "Run"),
        ("score", scale.measure, scale.number),
        ("low", "from", scale.number),
        ("high", "to", scale.number),
        *others,
    )


def of_task(task: TaskUse, suffix: str) -> str:
    """The end of a title: the task's name if there are several."""
    return f": {task.name}" if suffix else ""


def _score_rows(analysis: Analysis, scores: Mapping[str, Score]) -> Iterable[Row]:
    names = short_names(analysis)
    verdicts = {
        (each.task, each.measure, each.run, each.epoch): each for each in analysis.comparisons if each.against == "base"
    }
    for number, run in enumerate(analysis.runs):
        score = scores.get(run.name)
        if score is None:
            continue
        found = verdicts.get((score.evaluation.task, score.measure, run.name, score.evaluation.epoch))
        yield {
            "run": number,
            "number": number,
            "name": names[run.name],
            "score": compact(score.value),
            "low": compact(score.interval.low) if score.interval else None,
            "high": compact(score.interval.high) if score.interval else None,
            "n": score.n,
            "verdict": _verdict(run, found),
        }


def _verdict(run: RunRecord, comparison: Comparison | None) -> str:
    if run.type is RunType.CONTROL:
        return _WORDS[4]
    if comparison is None:
        return _WORDS[3]
    if not comparison.significant:
        return _WORDS[1]
    return _WORDS[0 if comparison.difference > 0 else 2]


def _verdict_channels(rows: Sequence[Row]) -> Spec:
    used = [index for index, word in enumerate(_WORDS) if any(row["verdict"] == word for row in rows)]
    domain = [_WORDS[index] for index in used]
    legend = {"title": None}
    return {
        "color": {
            "field": "verdict",
            "type": "nominal",
            "scale": {"domain": domain, "range": [_COLOURS[index] for index in used]},
            "legend": legend,
        },
        "shape": {
            "field": "verdict",
            "type": "nominal",
            "scale": {"domain": domain, "range": [_SHAPES[index] for index in used]},
            "legend": legend,
        },
    }


def _rows_spec(rows: list[Row], scale: ScoreAxis) -> Spec:
    """A row a run."""
    y = axis("name", "nominal", "", sort={"field": "rank", "op": "min"}, axis={"grid": False, "labelOverlap": False})
    return _with_intervals(rows, scale, "x", {"y": y}, size=80)


def _ranks_spec(rows: list[Row], scale: ScoreAxis) -> Spec:
    """A rank a run."""
    x = axis(
        "rank", "quantitative", "Rank", scale={"nice": False, "domain": [0.3, len(rows) + 0.7]}, axis={"grid": False}
    )
    return _with_intervals(rows, scale, "y", {"x": x}, size=26)


def _with_intervals(rows: list[Row], scale: ScoreAxis, channel: str, other: Spec, size: int) -> Spec:
    channels = _verdict_channels(rows)
    bars = {
        "transform": [shown_only()],
        "mark": {"type": "rule", "strokeWidth": 1.6 if size > 40 else 1, "strokeOpacity": 0.75},  # noqa: PLR2004
        "encoding": other
        | {channel: scale.channel("low"), f"{channel}2": {"field": "high"}, "color": channels["color"]},
    }
    points = {
        "transform": [shown_only()],
        "params": [hover("pointed", "run")],
        "mark": {"type": "point", "filled": True, "opacity": 1},
        "encoding": other
        | channels
        | {
            channel: scale.channel("score"),
            "size": {"condition": POINTED | {"value": size * 2.5}, "value": size},
            "tooltip": score_words(scale, ("n", "Samples", "d"), ("verdict", "Comparison")),
        },
    }
    bases = [row for row in rows if row["verdict"] == _WORDS[4]]
    return layered(rows, base_rule(scale, channel), bars, points, params=[SHOWN], datasets={"bases": bases})
