"""How scores change over the epochs that were evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tunebook.analysis.charts.figure import POINTED, SHOWN, Figure, Row, Spec, axis, compact, hover, layered, shown_only
from tunebook.analysis.charts.scores import ScoreAxis, base_rule, base_scores, of_task, score_words
from tunebook.analysis.charts.series import Series, series_of, short_names
from tunebook.analysis.records import Score, TaskUse
from tunebook.analysis.values import Analysis

__all__ = ["by_epoch"]


def by_epoch(analysis: Analysis, task: TaskUse, suffix: str) -> Figure:
    """A line a run that was evaluated after several epochs."""
    name, title = f"score_by_epoch{suffix}", f"Score by epoch{of_task(task, suffix)}"
    epochs: dict[str, list[Score]] = {}
    for score in analysis.scores(task.name):
        if score.evaluation.epoch >= 0 and score.value is not None:
            epochs.setdefault(score.evaluation.run, []).append(score)
    epochs = {
        run: sorted(scores, key=lambda score: score.evaluation.epoch)
        for run, scores in epochs.items()
        if len(scores) > 1
    }
    if not epochs:
        return Figure(name, title, reason="no run has been evaluated after more than one epoch")
    runs = [run for run in analysis.runs if run.name in epochs]
    series = series_of(analysis, runs, {run: scores[-1].value or 0.0 for run, scores in epochs.items()})
    scale, bases = ScoreAxis.of(analysis, task), base_scores(analysis, task)
    rows = list(_rows(analysis, epochs, series))
    spec = layered(rows, base_rule(scale), *_layers(series, scale), params=[SHOWN], datasets={"bases": bases})
    caption = "Scores after each evaluated epoch" + ("; dashed: base model." if bases else ".") + series.caption
    return Figure(name, title, caption, spec, 300)


def _rows(analysis: Analysis, epochs: Mapping[str, Sequence[Score]], series: Series) -> Iterator[Row]:
    names = short_names(analysis)
    for number, run in enumerate(analysis.runs):
        for score in epochs.get(run.name, ()):
            yield {
                "run": number,
                "name": names[run.name],
                "series": series.values[run.name],
                "epoch": score.evaluation.epoch,
                "score": compact(score.value),
                "low": compact(score.interval.low) if score.interval else None,
                "high": compact(score.interval.high) if score.interval else None,
            }


def _layers(series: Series, scale: ScoreAxis) -> tuple[Spec, Spec]:
    x = axis("epoch", "ordinal", "Epoch (from 0)", axis={"labelAngle": 0, "grid": True})
    shared = {"x": x, "y": scale.channel("score"), "detail": {"field": "run", "type": "nominal"}} | series.colour()
    opacity = {"condition": POINTED | {"value": 1}, "value": series.opacity}
    width = {"condition": POINTED | {"value": 3.5}, "value": 1 if series.is_crowded else 1.8}
    lines = {
        "transform": [shown_only()],
        "params": [hover("pointed", "run")],
        "mark": series.mark("line"),
        "encoding": shared | {"strokeOpacity": opacity, "strokeWidth": width},
    }
    points = {
        "transform": [shown_only()],
        "mark": series.mark("point", filled=True, size=16 if series.is_crowded else 55),
        "encoding": shared | {"fillOpacity": opacity, "tooltip": score_words(scale, ("epoch", "Epoch", "d"))},
    }
    return lines, points
