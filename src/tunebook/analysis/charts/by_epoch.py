"""The figure of scores over the epochs that were evaluated."""

from __future__ import annotations

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.line_labels import label_lines
from tunebook.analysis.charts.marks import Row, Spec
from tunebook.analysis.charts.series import Series, series_of
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.records import Score

__all__ = ["by_epoch"]

_NAME, _HEIGHT = "score_by_epoch", 300


def by_epoch(scores: TaskScores) -> Figure:
    """One line per run that was evaluated after several epochs."""
    found = _scores_over_epochs(scores)
    title = f"{scores.measure} by epoch"
    if not found:
        return Figure(_NAME, title, reason="no run has been evaluated after more than one epoch")
    outcomes = {run: scores.final[run].value or 0.0 for run in found}
    series = series_of(scores.analysis, [scores.analysis.run_of[run] for run in found], outcomes)
    rows: list[Row] = []
    for run, own in found.items():
        for score in own:
            ((_, row),) = scores.rows({run: score})
            rows.append(row | {"series": series.values[run], "epoch": score.evaluation.epoch})
    caption = f"Scores after each evaluated epoch{scores.base_note}{series.caption}"
    return Figure(_NAME, title, caption, _spec(scores, series, rows), _HEIGHT, hint=series.hint)


def _scores_over_epochs(scores: TaskScores) -> dict[str, list[Score]]:
    """The scores of each run that has several, by epoch; the runs are in the plan's order."""
    found: dict[str, list[Score]] = {run: [] for run in scores.final}
    for score in scores.analysis.scores(scores.task.name):
        if score.evaluation.epoch >= 0 and score.value is not None:
            found[score.evaluation.run].append(score)
    return {run: sorted(own, key=lambda score: score.evaluation) for run, own in found.items() if len(own) > 1}


def _spec(scores: TaskScores, series: Series, rows: list[Row]) -> Spec:
    x = marks.axis("epoch", "ordinal", "Epoch (from 0)", axis={"labelAngle": 0, "grid": True})
    channels = {"x": x, "y": scores.channel("score")} | series.colour()
    shared = channels | {"detail": {"field": "run", "type": "nominal"}}
    opacity = marks.emphasized(1, series.opacity)
    width = marks.emphasized(3.5, series.choose(1.8, 1))
    look = {"strokeOpacity": opacity, "strokeWidth": width}
    lines = marks.layer(series.mark("line"), shared | look, is_filtered=True) | marks.hover()
    mark = series.mark("point", filled=True, size=series.choose(55, 16))
    words = {"fillOpacity": opacity, "tooltip": scores.tooltip(("epoch", "Epoch", "d"))}
    points = marks.layer(mark, shared | words, is_filtered=True)
    if not series.names_runs:
        return scores.spec(rows, lines, points)
    ends = list({row["run"]: row | {"label": row["name"]} for row in rows}.values())
    values = [row["score"] for row in (*rows, *scores.base_rows)]
    labels = label_lines(ends, channels, values, height=_HEIGHT, log=False)
    spec = scores.spec(rows, lines, points, labels.layer, labels=list(labels.rows))
    return spec | {"padding": labels.padding}
