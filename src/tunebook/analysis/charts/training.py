"""How runs trained: loss over steps, and the learning rate that was used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, median

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
from tunebook.analysis.charts.series import Series, series_of, short_names
from tunebook.analysis.records import RunRecord
from tunebook.analysis.values import Analysis
from tunebook.artifacts.curve import Curve

__all__ = ["learning_rates", "losses"]

_POINTS = 9_000  # of all runs together: what a browser draws at once, and a page carries
_LEAST, _MOST = 12, 300  # points of one run
_RATE_POINTS = 60
_SPREAD = 20  # from here on a linear axis would hide most of what is to be seen
_OWN_SCHEDULE = 6
_PEAKS = 8


def losses(analysis: Analysis) -> Figure:
    """Training and validation loss of all runs over the optimizer's steps."""
    title, trained = "Training and validation loss", _trained(analysis)
    rows = [row for run in trained for row in _loss_rows(run, _budget(trained))]
    if not rows:
        return Figure("loss", title, reason="no run has logged a loss yet")
    final = {row["name"]: row["loss"] for row in rows if row["kind"] == "training"}
    series = series_of(analysis, [run for run in trained if run.name in {row["name"] for row in rows}], final)
    values = [row["loss"] for row in rows]
    is_log = min(values) > 0 and max(values) > _SPREAD * median(values)
    caption = _loss_caption(analysis, rows) + (" The loss axis is logarithmic." if is_log else "")
    y = axis("loss", "quantitative", "Loss", scale=_scale(is_log))
    spec = _loss_spec(_named(rows, analysis, series), series, y)
    return Figure("loss", title, caption + series.caption, spec, 320, is_wide=True)


def _loss_caption(analysis: Analysis, rows: list[Row]) -> str:
    validated = any(row["kind"] == "validation" for row in rows)
    caption = "Solid: training" + ("; dashed: validation." if validated else "; no run was validated during training.")
    width = max(row.pop("of") for row in rows)
    caption += f" Each point is the mean of up to {width} logged steps." if width > 1 else ""
    lost = sum(run.training.diverged_steps for run in analysis.runs if run.training)
    return caption + (f" {lost} logged losses were not finite and cannot be drawn." if lost else "")


def learning_rates(analysis: Analysis) -> Figure:
    """The learning rate that the optimizer used over the steps: a line a run, or a line a schedule for many runs."""
    title, trained = "Learning-rate schedule", _trained(analysis)
    schedules = {run.name: tuple(_schedule(run)) for run in trained}
    schedules = {name: points for name, points in schedules.items() if points}
    if not schedules:
        return Figure("learning_rate", title, reason="no run has logged its learning rate")
    peaks = {name: max(rate for _, rate in points) for name, points in schedules.items()}
    is_log = max(peaks.values()) > _SPREAD / 2 * min(peaks.values())
    lowest = min(peaks.values()) / 100 if is_log else 0.0
    caption = "As the optimizer used it; runs with one schedule share a line." + (
        " The axis is logarithmic and ends at a hundredth of the lowest peak." if is_log else ""
    )
    y = axis("rate", "quantitative", "Learning rate", scale=_scale(is_log), axis={"format": "~e", "tickCount": 5})
    if len(schedules) <= _OWN_SCHEDULE:
        rows = _rate_rows(_shared(schedules, short_names(analysis)), lowest)
        names = list(dict.fromkeys(row["name"] for row in rows))
        colour: Spec = {"title": "Run", "type": "nominal", "sort": None, "scale": {"domain": names}}
    else:
        rows = _rate_rows(_distinct(schedules), lowest)
        few = len(set(peaks.values())) <= _PEAKS
        colour = {"title": "Peak", "type": "ordinal" if few else "quantitative", "legend": {"format": "~e"}}
    return Figure("learning_rate", title, caption, _rate_spec(rows, y, colour), 240)


def _scale(is_log: bool) -> Spec:  # noqa: FBT001
    return {"type": "log"} if is_log else {"zero": False, "nice": True}


def _trained(analysis: Analysis) -> list[RunRecord]:
    return [run for run in analysis.runs if run.training and run.training.curve.steps]


def _budget(trained: Sequence[RunRecord]) -> int:
    return max(_LEAST, min(_MOST, _POINTS // max(1, len(trained))))


def _named(rows: list[Row], analysis: Analysis, series: Series) -> list[Row]:
    """Rows with what the legend and the tooltip say; ``run`` is the run's number in the page's order."""
    numbers = {run.name: number for number, run in enumerate(analysis.runs)}
    short = short_names(analysis)
    return [
        row | {"run": numbers[row["name"]], "name": short[row["name"]], "series": series.values[row["name"]]}
        for row in rows
    ]


def _loss_rows(run: RunRecord, budget: int) -> Iterator[Row]:
    curve = run.training.curve if run.training else Curve()
    for kind, steps, values in (
        ("training", curve.steps, curve.losses),
        ("validation", curve.validation_steps, curve.validation_losses),
    ):
        logged = [(step, value) for step, value in zip(steps, values, strict=True) if value is not None]
        logged = [(step, value) for step, value in logged if math.isfinite(value)]
        width = math.ceil(len(logged) / budget) or 1
        for start in range(0, len(logged), width):
            window = logged[start : start + width]
            loss = compact(fmean(value for _, value in window))
            yield {"name": run.name, "kind": kind, "step": window[-1][0], "loss": loss, "of": len(window)}


def _loss_spec(rows: list[Row], series: Series, y: Spec) -> Spec:
    """A line a run and kind, and points for validations; the run under the pointer stands out."""
    x = axis("step", "quantitative", "Step", axis={"format": "~s", "tickMinStep": 1}, scale={"nice": False})
    dashes = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": ["training", "validation"], "range": [[1, 0], [5, 3]]},
        "legend": None,
    }
    shared = {"x": x, "y": y, "detail": {"field": "run", "type": "nominal"}} | series.colour()
    shown = [shown_only()]
    lines = {
        "transform": shown,
        "params": [hover("pointed", "run")],
        "mark": series.mark("line"),
        "encoding": shared
        | {
            "strokeDash": dashes,
            "strokeWidth": {"condition": POINTED | {"value": 3.5}, "value": 1 if series.is_crowded else 1.6},
            "strokeOpacity": {"condition": POINTED | {"value": 1}, "value": series.opacity},
        },
    }
    validations = {
        "transform": [*shown, {"filter": "datum.kind === 'validation'"}],
        "mark": series.mark("point", filled=True, size=9 if series.is_crowded else 36),
        "encoding": shared | {"fillOpacity": {"condition": POINTED | {"value": 1}, "value": series.opacity}},
    }
    pointers = {
        "name": "pointers",
        "transform": shown,
        "mark": {"type": "point", "filled": True, "size": 60, "opacity": 0},
        "encoding": shared
        | {"tooltip": tooltip(("name", "Run"), ("kind", "Loss of"), ("step", "Step", "d"), ("loss", "Loss", ".4f"))},
    }
    return layered(rows, lines, validations, pointers, params=[SHOWN])


def _schedule(run: RunRecord) -> Iterator[tuple[int, float]]:
    """Steps and rates: some evenly spaced ones, the peak and the last."""
    curve = run.training.curve if run.training else Curve()
    logged = [
        (step, value)
        for step, value in zip(curve.steps, curve.learning_rates, strict=True)
        if value is not None and math.isfinite(value)
    ]
    if not logged:
        return
    peak = max(range(len(logged)), key=lambda index: logged[index][1])
    every = math.ceil(len(logged) / _RATE_POINTS)
    for index in sorted({*range(0, len(logged), every), peak, len(logged) - 1}):
        yield logged[index][0], float(f"{logged[index][1]:.4g}")


def _shared(
    schedules: dict[str, tuple[tuple[int, float], ...]], names: Mapping[str, str]
) -> dict[str, tuple[tuple[int, float], ...]]:
    runs: dict[tuple[tuple[int, float], ...], list[str]] = {}
    for name, points in schedules.items():
        runs.setdefault(points, []).append(names[name])
    return {", ".join(of): points for points, of in runs.items()}


def _distinct(schedules: dict[str, tuple[tuple[int, float], ...]]) -> dict[str, tuple[tuple[int, float], ...]]:
    runs: dict[tuple[tuple[int, float], ...], int] = {}
    for points in schedules.values():
        runs[points] = runs.get(points, 0) + 1
    return {
        f"schedule {number}: {count} run{'s' if count > 1 else ''}": points
        for number, (points, count) in enumerate(runs.items(), start=1)
    }


def _rate_rows(schedules: dict[str, tuple[tuple[int, float], ...]], lowest: float) -> list[Row]:
    return [
        {"name": name, "step": step, "rate": rate, "peak": max(value for _, value in points)}
        for name, points in schedules.items()
        for step, rate in points
        if rate > lowest or not lowest
    ]


def _rate_spec(rows: list[Row], y: Spec, colour: Spec) -> Spec:
    by = {"field": "name" if colour["title"] == "Run" else "peak"} | colour
    x = axis("step", "quantitative", "Step", axis={"format": "~s", "tickMinStep": 1}, scale={"nice": False})
    shared = {"x": x, "y": y, "detail": {"field": "name", "type": "nominal"}, "color": by}
    lines = {
        "params": [hover("pointed", "name")],
        "mark": "line",
        "encoding": shared | {"strokeWidth": {"condition": POINTED | {"value": 3.5}, "value": 1.8}},
    }
    pointers = {
        "name": "pointers",
        "mark": {"type": "point", "filled": True, "size": 60, "opacity": 0},
        "encoding": shared
        | {"tooltip": tooltip(("name", "Run"), ("step", "Step", "d"), ("rate", "Learning rate", ".3~e"))},
    }
    return layered(rows, lines, pointers)
