"""The figure of where runs agree: sample by sample for dozens of runs, a distribution over samples for hundreds."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.marks import Row
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.statistics.scores import sample_values
from tunebook.core.measures import Direction

__all__ = ["agreement"]

_NAME, _TITLE = "sample_agreement", "Agreement by sample"
_MOST_CELLS = 6_000
_MOST_RUNS = 60
_BINS = 20
_WRONG, _RIGHT = "#D55E00", "#56B4E9"

_Table = Mapping[str, Mapping[str, float]]  # run to sample to its mean score over repetitions


def agreement(scores: TaskScores) -> Figure:
    """Each sample's score in each run: the samples by how often they are right, the runs by their score."""
    table = _table(scores)
    if len(table) < 2:  # noqa: PLR2004
        return Figure(_NAME, _TITLE, reason="fewer than two evaluations have samples to compare")
    samples: dict[str, list[float]] = {}
    for values in table.values():
        for sample, value in values.items():
            samples.setdefault(sample, []).append(value)
    means = {sample: fmean(values) for sample, values in samples.items()}
    if len(table) <= _MOST_RUNS and len(table) * len(means) <= _MOST_CELLS:
        return _matrix(scores, table, means)
    return _distribution(scores, means, len(table))


def _table(scores: TaskScores) -> _Table:
    """The last evaluated epoch of each run, the headline measure."""
    table: dict[str, Mapping[str, float]] = {}
    for run, score in scores.final.items():
        samples = scores.analysis.samples.get(score.evaluation)
        values = sample_values(samples, score.measure) if samples is not None else {}
        if values:
            table[run] = values
    return table


def _matrix(scores: TaskScores, table: _Table, means: Mapping[str, float]) -> Figure:
    rows = _cells(scores, table, means)
    along = "Samples, best mean first" if scores.task.headline.has_direction else "Samples, highest mean first"
    colour = marks.axis("score", "quantitative", scores.reading, scale={"scheme": "viridis"})
    answer: tuple[str, str] | tuple[str, str, str] = ("score", scores.measure, ".3~g")
    if scores.task.headline.has_direction and all(row["word"] != "in part" for row in rows):
        along = "Samples, most often right to most often wrong"
        colour = marks.axis("word", "nominal", "", scale={"domain": ["right", "wrong"], "range": [_RIGHT, _WRONG]})
        colour["legend"] = {"title": None}
        answer = ("word", "Answer")
    names = marks.axis(
        "name", "nominal", "", sort={"field": "rank", "op": "min"}, axis={"labelOverlap": False, "ticks": False}
    )
    words = marks.tooltip(("name", "Run"), ("sample", "Sample"), answer, ("mean", "Mean of all runs", scores.number))
    x = marks.axis("place", "ordinal", along, axis={"labels": False, "ticks": False})
    encoding = {"x": x, "y": names, "color": colour, "tooltip": words}
    cells = marks.layer({"type": "rect", "stroke": None}, encoding, is_filtered=True)
    caption = "One column per sample, one row per run (after its last evaluated epoch). All runs agree where a column"
    caption += " has one colour."
    spec = marks.layered(rows, cells, params=[marks.SHOWN])
    height = 78 + 15 * max(len(table), 3)
    return Figure(_NAME, _TITLE, caption, spec, height, is_wide=True)


def _cells(scores: TaskScores, table: _Table, means: Mapping[str, float]) -> list[Row]:
    goodness = scores.task.headline.goodness
    order = sorted(means, key=lambda sample: (-goodness(means[sample]), sample))
    places = {sample: place for place, sample in enumerate(order, start=1)}
    runs = sorted(table, key=lambda run: (-goodness(fmean(table[run].values())), scores.numbers[run]))
    best, worst = sorted((0.0, 1.0), key=scores.task.headline.goodness, reverse=True)
    words = {best: "right", worst: "wrong"}
    rows = []
    for rank, run in enumerate(runs, start=1):
        for sample, value in table[run].items():
            row = {
                "run": scores.numbers[run],
                "name": scores.analysis.labels[run],
                "rank": rank,
                "sample": sample,
                "place": places[sample],
                "score": marks.compact(value, 4),
                "word": words.get(value, "in part"),
                "mean": marks.compact(means[sample], 4),
            }
            rows.append(row)
    return rows


def _distribution(scores: TaskScores, means: Mapping[str, float], runs: int) -> Figure:
    caption = f"{len(means)} samples over {runs} runs, after the last evaluated epoch of each."
    low, high = min(means.values()), max(means.values())
    if scores.scale.is_percent:
        low, high = 0.0, 1.0
    if scores.scale.is_percent and scores.task.headline.direction is Direction.HIGHER:
        title = "Share of runs that get the sample right"
        ends = list(means.values())
        caption += f" {ends.count(1.0)} are right in every run, {ends.count(0.0)} in none."
    else:
        title = f"Mean {scores.measure} of the sample over all runs"
    rows = _bins(means, low, high)
    domain = {"domain": [low, high], "nice": False}
    words = marks.tooltip(("from", "from", scores.number), ("to", "to", scores.number), ("samples", "Samples", "d"))
    encoding = {
        "x": marks.axis("from", "quantitative", title, scale=domain, axis={"format": scores.ticks}),
        "x2": {"field": "to"},
        "y": marks.axis("samples", "quantitative", "Samples", axis={"tickMinStep": 1, "format": "d"}),
        "y2": {"datum": 0},
        "tooltip": words,
    }
    bars = marks.layer({"type": "rect", "fill": "#56B4E9", "stroke": "#0072B2", "strokeWidth": 0.8}, encoding)
    return Figure(_NAME, _TITLE, caption, marks.layered(rows, bars), 280)


def _bins(means: Mapping[str, float], low: float, high: float) -> list[Row]:
    """The histogram's bars that are not empty."""
    width = (high - low) / _BINS or 1.0
    counts = [0] * _BINS
    for mean in means.values():
        counts[min(_BINS - 1, int((mean - low) / width))] += 1
    rows = []
    for place, count in enumerate(counts):
        if count:
            start, end = low + place * width, low + (place + 1) * width
            rows.append({"from": marks.compact(start, 4), "to": marks.compact(end, 4), "samples": count})
    return rows
