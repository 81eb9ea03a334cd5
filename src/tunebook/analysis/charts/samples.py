"""Where runs agree: sample by sample for dozens of runs, as a distribution over the samples for hundreds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import fmean

from tunebook.analysis.charts.figure import SHOWN, Figure, Row, axis, compact, layered, shown_only, tooltip
from tunebook.analysis.charts.scores import ScoreAxis, of_task
from tunebook.analysis.charts.series import short_names
from tunebook.analysis.records import TaskUse
from tunebook.analysis.values import Analysis

__all__ = ["agreement"]

_CELLS = 6_000
_RUNS = 60
_BINS = 20
_WRONG, _RIGHT = "#D55E00", "#56B4E9"

_Table = Mapping[str, Mapping[str, float]]  # run to sample to its mean score over repetitions


def agreement(analysis: Analysis, task: TaskUse, suffix: str) -> Figure:
    """Each sample's score in each run, the samples by how often they are right, the runs by their score."""
    name, title = f"sample_agreement{suffix}", f"Agreement by sample{of_task(task, suffix)}"
    table = _table(analysis, task)
    if len(table) < 2:  # noqa: PLR2004
        return Figure(name, title, reason="fewer than two evaluations have samples to compare")
    samples: dict[str, list[float]] = {}
    for scores in table.values():
        for sample, value in scores.items():
            samples.setdefault(sample, []).append(value)
    means = {sample: fmean(values) for sample, values in samples.items()}
    scale = ScoreAxis.of(analysis, task)
    if len(table) <= _RUNS and len(table) * len(means) <= _CELLS:
        return _matrix(Figure(name, title, is_wide=True), analysis, table, means, scale)
    return _distribution(Figure(name, title), means, len(table), scale)


def _table(analysis: Analysis, task: TaskUse) -> _Table:
    """The last evaluated epoch of each run, the headline measure."""
    table: dict[str, dict[str, float]] = {}
    for run, score in analysis.final_scores(task.name).items():
        samples = analysis.samples.get(score.evaluation)
        if samples is None or score.measure not in samples.values:
            continue
        found: dict[str, list[float]] = {}
        for sample, value in zip(samples.ids, samples.values[score.measure], strict=True):
            if value is not None:
                found.setdefault(sample, []).append(value)
        if found:
            table[run] = {sample: fmean(each) for sample, each in found.items()}
    return table


def _matrix(figure: Figure, analysis: Analysis, table: _Table, means: Mapping[str, float], scale: ScoreAxis) -> Figure:
    rows = list(_cells(analysis, table, means))
    is_binary = all(row["word"] != "in part" for row in rows)
    if is_binary:
        colour = axis("word", "nominal", "", scale={"domain": ["right", "wrong"], "range": [_RIGHT, _WRONG]})
        colour["legend"] = {"title": None}
    else:
        colour = axis("score", "quantitative", scale.measure, scale={"scheme": "viridis"})
    along = {"labels": False, "ticks": False}
    words = "Samples, most often right to most often wrong" if is_binary else "Samples, highest mean first"
    by_rank = {"field": "rank", "op": "min"}
    cells = {
        "transform": [shown_only()],
        "mark": {"type": "rect", "stroke": None},
        "encoding": {
            "x": axis("place", "ordinal", words, axis=along),
            "y": axis("name", "nominal", "", sort=by_rank, axis={"labelOverlap": False, "ticks": False}),
            "color": colour,
            "tooltip": tooltip(
                ("name", "Run"),
                ("sample", "Sample"),
                ("word", "Answer") if is_binary else ("score", scale.measure, ".3~g"),
                ("mean", "Mean of all runs", scale.number),
            ),
        },
    }
    caption = "A column a sample, a row a run (after its last evaluated epoch). Columns of one colour: all runs agree."
    spec = layered(rows, cells, params=[SHOWN])
    return Figure(figure.name, figure.title, caption, spec, 78 + 15 * max(len(table), 3), is_wide=True)


def _cells(analysis: Analysis, table: _Table, means: Mapping[str, float]) -> Iterator[Row]:
    names = short_names(analysis)
    numbers = {run.name: number for number, run in enumerate(analysis.runs)}
    order = sorted(means, key=lambda sample: (-means[sample], sample))
    places = {sample: place for place, sample in enumerate(order, start=1)}
    runs = sorted(table, key=lambda run: (-fmean(table[run].values()), numbers[run]))
    for rank, run in enumerate(runs, start=1):
        for sample, value in table[run].items():
            yield {
                "run": numbers[run],
                "name": names[run],
                "rank": rank,
                "sample": sample,
                "place": places[sample],
                "score": compact(value, 4),
                "word": {0.0: "wrong", 1.0: "right"}.get(value, "in part"),
                "mean": compact(means[sample], 4),
            }


def _distribution(figure: Figure, means: Mapping[str, float], runs: int, scale: ScoreAxis) -> Figure:
    low, high = (0.0, 1.0) if scale.is_percent else (min(means.values()), max(means.values()))
    width = (high - low) / _BINS or 1.0
    counts = [0] * _BINS
    for mean in means.values():
        counts[min(_BINS - 1, int((mean - low) / width))] += 1
    rows = [
        {"from": compact(low + place * width, 4), "to": compact(low + (place + 1) * width, 4), "samples": count}
        for place, count in enumerate(counts)
        if count
    ]
    title = (
        "Share of runs that get the sample right"
        if scale.is_percent
        else f"Mean {scale.measure} of the sample over all runs"
    )
    x = axis("from", "quantitative", title, scale={"domain": [low, high], "nice": False}, axis={"format": scale.ticks})
    y = axis("samples", "quantitative", "Samples", axis={"tickMinStep": 1, "format": "d"})
    words = tooltip(("from", "from", scale.number), ("to", "to", scale.number), ("samples", "Samples", "d"))
    bars = {
        "mark": {"type": "rect", "fill": "#56B4E9", "stroke": "#0072B2", "strokeWidth": 0.8},
        "encoding": {"x": x, "x2": {"field": "to"}, "y": y, "y2": {"datum": 0}, "tooltip": words},
    }
    never, always = (sum(mean == end for mean in means.values()) for end in (0.0, 1.0))
    caption = f"{len(means)} samples over {runs} runs, after the last evaluated epoch of each."
    caption += f" {always} are right in every run, {never} in none." if scale.is_percent else ""
    return Figure(figure.name, figure.title, caption, layered(rows, bars), 280)
