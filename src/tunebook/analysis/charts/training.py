"""The figures of training: loss over steps, and the learning rate that was used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, median

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.line_labels import MOST_LABELS, label_lines
from tunebook.analysis.charts.marks import Row, Spec
from tunebook.analysis.charts.series import Series, series_of
from tunebook.analysis.formatting import plural
from tunebook.analysis.records import RunRecord
from tunebook.analysis.values import Analysis

__all__ = ["learning_rates", "losses"]

_MOST_POINTS = 9_000  # of all runs together: what a browser draws at once, and a report carries
_LEAST, _MOST = 12, 300  # points of one run
_RATE_POINTS = 60
_LOG_LOSS_FROM = 20  # times the median loss: from here on a linear axis would hide most of the curve
_LOG_RATE_FROM = 10  # times the lowest peak
_HEIGHT, _RATE_HEIGHT = 320, 240
_MOST_PEAKS = 8  # with more, colours run along a scale

_Points = tuple[tuple[int, float], ...]  # step and value


def losses(analysis: Analysis) -> Figure:
    """Training and validation loss of all runs over the optimizer's steps."""
    title = "Training and validation loss"
    rows, widest = _loss_rows(analysis)
    if not rows:
        return Figure("loss", title, reason="no run has logged a loss yet")
    outcomes: dict[str, float] = {}
    values = []
    for row in rows:
        values.append(row["loss"])
        if row["kind"] == "training":
            outcomes[analysis.runs[row["run"]].name] = row["loss"]
    drawn = dict.fromkeys(row["run"] for row in rows)
    series = series_of(analysis, [analysis.runs[number] for number in drawn], outcomes)
    for row in rows:
        row["series"] = series.values[analysis.runs[row["run"]].name]
    is_log = min(values) > 0 and max(values) > _LOG_LOSS_FROM * median(values)
    caption = _loss_caption(analysis, rows, widest)
    if is_log:
        caption += " The loss axis is logarithmic."
    spec = _loss_spec(rows, series, is_log=is_log)
    return Figure("loss", title, caption + series.caption, spec, _HEIGHT, is_wide=True, hint=series.hint)


def _loss_rows(analysis: Analysis) -> tuple[list[Row], int]:
    """Points of every curve, and how many logged steps one point stands for at most."""
    trained = _trained(analysis)
    budget = max(_LEAST, min(_MOST, _MOST_POINTS // max(1, len(trained))))
    rows: list[Row] = []
    widest = 1
    for number, run in trained:
        for kind, points in _loss_curves(run):
            width = math.ceil(len(points) / budget) or 1
            widest = max(widest, width)
            row = {"run": number, "name": analysis.labels[run.name], "kind": kind}
            rows += [row | {"step": step, "loss": loss} for step, loss in _thinned(points, width)]
    return rows, widest


def _trained(analysis: Analysis) -> list[tuple[int, RunRecord]]:
    """Runs with a curve, each with its number in the plan's order."""
    return [
        (number, run)
        for number, run in enumerate(analysis.runs)
        if run.training is not None and run.training.curve.steps
    ]


def _finite(steps: Sequence[int], values: Sequence[float | None]) -> _Points:
    """The points of a curve that can be drawn."""
    points = zip(steps, values, strict=True)
    return tuple((step, value) for step, value in points if value is not None and math.isfinite(value))


def _loss_curves(run: RunRecord) -> Iterator[tuple[str, _Points]]:
    if run.training is not None:
        curve = run.training.curve
        yield "training", _finite(curve.steps, curve.losses)
        yield "validation", _finite(curve.validation_steps, curve.validation_losses)


def _thinned(points: _Points, width: int) -> Iterator[tuple[int, float]]:
    """The mean of each ``width`` neighbouring points, at the last one's step."""
    for start in range(0, len(points), width):
        window = points[start : start + width]
        yield window[-1][0], marks.compact(fmean(value for _, value in window)) or 0.0


def _loss_caption(analysis: Analysis, rows: Sequence[Row], widest: int) -> str:
    caption = "Solid: training; dashed: validation."
    if all(row["kind"] == "training" for row in rows):
        caption = "Solid: training; no run was validated during training."
    if widest > 1:
        caption += f" Each point is the mean of up to {widest} logged steps."
    lost = sum(training.diverged_steps for training in analysis.trainings)
    if lost:
        caption += f" {plural(lost, 'logged loss', 'logged losses')} could not be drawn: not a finite number."
    return caption


def _loss_spec(rows: list[Row], series: Series, *, is_log: bool) -> Spec:
    """A line for each run and kind of loss, and points for validations; the run under the pointer stands out."""
    y = marks.axis("loss", "quantitative", "Loss", scale=marks.log_or_linear(is_log), axis={"format": ".6~g"})
    channels = {"x": marks.step_axis(), "y": y} | series.colour()
    shared = channels | {"detail": {"field": "run", "type": "nominal"}}
    dashes = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": ["training", "validation"], "range": [[1, 0], [5, 3]]},
        "legend": None,
    }
    opacity = marks.emphasized(1, series.opacity)
    drawn = {
        "strokeDash": dashes,
        "strokeWidth": marks.emphasized(3.5, series.choose(1.6, 1)),
        "strokeOpacity": opacity,
    }
    lines = marks.layer(series.mark("line"), shared | drawn, is_filtered=True) | marks.hover()
    mark = series.mark("point", filled=True, size=series.choose(36, 9))
    is_validation = "datum.kind === 'validation'"
    validations = marks.layer(mark, shared | {"fillOpacity": opacity}, where=is_validation, is_filtered=True)
    words = marks.tooltip(("name", "Run"), ("kind", "Loss of"), ("step", "Step", "d"), ("loss", "Loss", ".4f"))
    points = marks.pointers(shared | {"tooltip": words}, is_filtered=True)
    layers = [lines, validations, points]
    if not series.names_runs:
        return marks.layered(rows, *layers, params=[marks.SHOWN])
    ends = {row["run"]: row | {"label": row["name"]} for row in rows if row["kind"] == "training"}
    labels = label_lines(list(ends.values()), channels, [row["loss"] for row in rows], height=_HEIGHT, log=is_log)
    datasets = {"labels": list(labels.rows)}
    layers.append(labels.layer)
    return marks.layered(rows, *layers, params=[marks.SHOWN], datasets=datasets, padding=labels.padding)


def learning_rates(analysis: Analysis) -> Figure:
    """The learning rate that the optimizer used: one line per run, or one per schedule for many runs."""
    title = "Learning-rate schedule"
    users: dict[_Points, list[str]] = {}
    for _, run in _trained(analysis):
        points = _schedule(run)
        if points:
            users.setdefault(points, []).append(analysis.labels[run.name])
    if not users:
        return Figure("learning_rate", title, reason="no run has logged its learning rate")
    if all(_is_constant(points) for points in users):
        return Figure("learning_rate", title, reason="every run kept its learning rate constant")
    peaks = list(map(_peak, users))
    caption = "The learning rate that the optimizer used; runs with the same schedule share a line."
    is_log = max(peaks) > _LOG_RATE_FROM * min(peaks)
    lowest = -math.inf
    if is_log:
        lowest = min(peaks) / 100
        caption += " The axis is logarithmic and ends at a hundredth of the lowest peak."
    rows = _rate_rows(users, lowest, has_names=sum(map(len, users.values())) <= MOST_LABELS)
    return Figure("learning_rate", title, caption, _rate_spec(rows, is_log=is_log), _RATE_HEIGHT)


def _is_constant(points: _Points) -> bool:
    return len({rate for _, rate in points}) == 1


def _rate_rows(users: Mapping[_Points, Sequence[str]], lowest: float, *, has_names: bool) -> list[Row]:
    rows: list[Row] = []
    for number, (points, runs) in enumerate(users.items(), start=1):
        name = ", ".join(runs)
        if not has_names:
            name = f"schedule {number}: {plural(len(runs), 'run')}"
        row = {"name": name, "peak": _peak(points)}
        rows += [row | {"step": step, "rate": rate} for step, rate in points if rate > lowest]
    return rows


def _schedule(run: RunRecord) -> _Points:
    """Steps and rates: some evenly spaced ones, the peak and the last."""
    if run.training is None:
        return ()
    points = _finite(run.training.curve.steps, run.training.curve.learning_rates)
    if not points:
        return ()
    peak = max(range(len(points)), key=lambda place: points[place][1])
    every = math.ceil(len(points) / _RATE_POINTS)
    places = sorted({*range(0, len(points), every), peak, len(points) - 1})
    return tuple((points[place][0], marks.compact(points[place][1], 4) or 0.0) for place in places)


def _peak(points: _Points) -> float:
    return max(rate for _, rate in points)


def _rate_spec(rows: list[Row], *, is_log: bool) -> Spec:
    """One line per schedule, with its name while they are few; otherwise coloured by its peak."""
    ticks = {"tickCount": 5, "labelExpr": "datum.value === 0 ? '0' : format(datum.value, '~e')"}
    y = marks.axis("rate", "quantitative", "Learning rate", scale=marks.log_or_linear(is_log), axis=ticks)
    names = list(dict.fromkeys(row["name"] for row in rows))
    colour: Spec = {"field": "peak", "title": "Peak", "type": "quantitative", "legend": {"format": "~e"}}
    if len(names) <= MOST_LABELS:
        scale = {"domain": names}
        colour = {"field": "name", "type": "nominal", "sort": None, "scale": scale, "legend": None}
    elif len({row["peak"] for row in rows}) <= _MOST_PEAKS:
        colour["type"] = "ordinal"
    channels = {"x": marks.step_axis(), "y": y, "color": colour}
    shared = channels | {"detail": {"field": "name", "type": "nominal"}}
    lines = marks.layer({"type": "line"}, shared | {"strokeWidth": marks.emphasized(3.5, 1.8)}) | marks.hover("name")
    words = marks.tooltip(("name", "Run"), ("step", "Step", "d"), ("rate", "Learning rate", ".3~e"))
    points = marks.pointers(shared | {"tooltip": words})
    if len(names) > MOST_LABELS:
        return marks.layered(rows, lines, points)
    ends = list({row["name"]: row | {"label": row["name"]} for row in rows}.values())
    rates = [row["rate"] for row in rows]
    labels = label_lines(ends, channels, rates, height=_RATE_HEIGHT, log=is_log)
    datasets = {"labels": list(labels.rows)}
    return marks.layered(rows, lines, points, labels.layer, datasets=datasets, padding=labels.padding)
