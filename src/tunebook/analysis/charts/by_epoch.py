"""The figure of scores over the epochs that were evaluated."""

from __future__ import annotations

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.marks import Row, Spec
from tunebook.analysis.charts.series import Series, series_of
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.records import Score

__all__ = ["by_epoch"]

_NAME, _TITLE = "score_by_epoch", "Score by epoch"


def by_epoch(scores: TaskScores) -> Figure:
    """One line per run that was evaluated after several epochs."""
    found = _scores_over_epochs(scores)
    if not found:
        return Figure(_NAME, _TITLE, reason="no run has been evaluated after more than one epoch")
    outcomes = {run: scores.final[run].value or 0.0 for run in found}
    series = series_of(scores.analysis, [scores.analysis.run_of[run] for run in found], outcomes)
    rows: list[Row] = []
    for run, own in found.items():
        for score in own:
            ((_, row),) = scores.rows({run: score})
            rows.append(row | {"series": series.values[run], "epoch": score.evaluation.epoch})
    spec = scores.spec(rows, *_layers(scores, series))
    caption = f"Scores after each evaluated epoch{scores.base_note}{series.caption}"
    return Figure(_NAME, _TITLE, caption, spec, 300, hint=series.hint)


def _scores_over_epochs(scores: TaskScores) -> dict[str, list[Score]]:
    """The scores of each run that has several, by epoch; the runs are in the plan's order."""
    found: dict[str, list[Score]] = {run: [] for run in scores.final}
    for score in scores.analysis.scores(scores.task.name):
        if score.evaluation.epoch >= 0 and score.value is not None:
            found[score.evaluation.run].append(score)
    return {run: sorted(own, key=lambda score: score.evaluation) for run, own in found.items() if len(own) > 1}


def _layers(scores: TaskScores, series: Series) -> tuple[Spec, Spec]:
    x = marks.axis("epoch", "ordinal", "Epoch (from 0)", axis={"labelAngle": 0, "grid": True})
    shared = {"x": x, "y": scores.channel("score"), "detail": {"field": "run", "type": "nominal"}} | series.colour()
    opacity = marks.emphasized(1, series.opacity)
    width = marks.emphasized(3.5, series.choose(1.8, 1))
    lines = marks.layer(
        series.mark("line"), shared | {"strokeOpacity": opacity, "strokeWidth": width}, is_filtered=True
    )
    mark = series.mark("point", filled=True, size=series.choose(55, 16))
    words = scores.tooltip(("epoch", "Epoch", "d"))
    return lines | marks.hover(), marks.layer(
        mark, shared | {"fillOpacity": opacity, "tooltip": words}, is_filtered=True
    )
