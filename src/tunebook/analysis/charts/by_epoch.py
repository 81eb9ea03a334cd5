"""The figure of scores over the epochs that were evaluated."""

from __future__ import annotations

from tunebook.analysis.charts.figure import SHOWN, Figure, Row, Spec, axis, emphasized, hover, layer, layered
from tunebook.analysis.charts.series import Series, series_of
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.records import Score

__all__ = ["by_epoch"]


def by_epoch(scores: TaskScores) -> Figure:
    """One line per run that was evaluated after several epochs."""
    epochs = _scores_by_epoch(scores)
    uses: dict[str, int] = {}
    for found in epochs.values():
        for run in found:
            uses[run] = uses.get(run, 0) + 1
    drawn = {run for run, count in uses.items() if count > 1}
    if not drawn:
        reason = "no run has been evaluated after more than one epoch"
        return scores.no_figure("score_by_epoch", "Score by epoch", reason)
    outcomes = {run: scores.final[run].value or 0.0 for run in drawn}
    series = series_of(scores.analysis, [run for run in scores.analysis.runs if run.name in drawn], outcomes)
    rows: list[Row] = []
    for epoch, found in epochs.items():
        for score, row in scores.rows(found):
            run = score.evaluation.run
            if run in drawn:
                rows.append(row | {"series": series.values[run], "epoch": epoch})
    rows.sort(key=lambda row: (row["run"], row["epoch"]))
    datasets = {"bases": scores.base_rows}
    spec = layered(rows, scores.base_rule(), *_layers(scores, series), params=[SHOWN], datasets=datasets)
    caption = "Scores after each evaluated epoch" + ("; dashed: base model." if scores.base_rows else ".")
    name, title = scores.name("score_by_epoch"), scores.title("Score by epoch")
    return Figure(name, title, caption + series.caption, spec, 300, hint=series.hint)


def _scores_by_epoch(scores: TaskScores) -> dict[int, dict[str, Score]]:
    """Epoch to each run's score after it; base models have none."""
    epochs: dict[int, dict[str, Score]] = {}
    for score in scores.analysis.scores(scores.task.name):
        key = score.evaluation
        if key.epoch >= 0 and score.value is not None:
            epochs.setdefault(key.epoch, {})[key.run] = score
    return epochs


def _layers(scores: TaskScores, series: Series) -> tuple[Spec, Spec]:
    x = axis("epoch", "ordinal", "Epoch (from 0)", axis={"labelAngle": 0, "grid": True})
    shared = {"x": x, "y": scores.channel("score"), "detail": {"field": "run", "type": "nominal"}} | series.colour()
    opacity = emphasized(1, series.opacity)
    width = emphasized(3.5, series.choose(1.8, 1))
    lines = layer(series.mark("line"), shared | {"strokeOpacity": opacity, "strokeWidth": width}, is_filtered=True)
    mark = series.mark("point", filled=True, size=series.choose(55, 16))
    words = scores.tooltip(("epoch", "Epoch", "d"))
    return lines | hover(), layer(mark, shared | {"fillOpacity": opacity, "tooltip": words}, is_filtered=True)
