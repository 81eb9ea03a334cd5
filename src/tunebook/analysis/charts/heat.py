"""The mean score in each cell of two factors."""

from __future__ import annotations

from tunebook.analysis.charts.figure import Figure, Row, Spec, axis, compact, layered, tooltip
from tunebook.analysis.charts.scores import ScoreAxis, of_task
from tunebook.analysis.records import FactorUse, TaskUse
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.values import Analysis

__all__ = ["heat_maps"]

_MOST = 3  # pairs of factors
_NUMBERS = 60  # cells with their number written in
_UPRIGHT = 8  # levels along the lower axis whose names stand upright


def heat_maps(analysis: Analysis, task: TaskUse, suffix: str) -> tuple[Figure, ...]:
    """A figure a pair of factors, of the pairs with the strongest interaction first."""
    name, title = f"score_heatmap{suffix}", f"Score by two factors{of_task(task, suffix)}"
    if sum(not factor.is_seed for factor in analysis.factors) < 2:  # noqa: PLR2004
        return (Figure(name, title, reason="fewer than two factors were varied, seeds aside"),)
    pairs = [
        effect
        for effect in analysis.effects
        if effect.task == task.name and effect.measure in task.measures[:1] and any(cell.runs for cell in effect.cells)
    ]
    pairs.sort(key=lambda effect: (effect.p is None, effect.p or 0.0))
    if not pairs:
        return (Figure(name, title, reason="no cell of two factors has a score yet"),)
    scale = ScoreAxis.of(analysis, task)
    return tuple(
        _heat_map(analysis, effect, scale, f"{name}{f'-{number}' if len(pairs) > 1 else ''}", of_task(task, suffix))
        for number, effect in enumerate(pairs[:_MOST], start=1)
    )


def _heat_map(analysis: Analysis, effect: Effect, scale: ScoreAxis, name: str, of: str) -> Figure:
    across, down = (next(each for each in analysis.factors if each.key == key) for key in effect.factors)
    rows: list[Row] = [
        {"across": cell.first, "down": cell.second, "mean": compact(cell.mean), "runs": cell.runs}
        for cell in effect.cells
        if cell.runs
    ]
    if len(across.levels) < len(down.levels):  # the longer one lies
        across, down = down, across
        rows = [row | {"across": row["down"], "down": row["across"]} for row in rows]
    counts = sorted({row["runs"] for row in rows})
    of_runs = "one run" if counts == [1] else f"{'–'.join(map(str, dict.fromkeys((counts[0], counts[-1]))))} runs"
    caption = f"Mean score of {of_runs} in each cell, after the last evaluated epoch."
    caption += "" if len(rows) == len(across.levels) * len(down.levels) else " Empty cells have no score."
    spec = layered(rows, *_layers(rows, across, down, scale))
    return Figure(name, f"{across.label} × {down.label}{of}", caption, spec, 90 + 34 * max(2, len(down.levels)))


def _layers(rows: list[Row], across: FactorUse, down: FactorUse, scale: ScoreAxis) -> list[Spec]:
    angle = 0 if len(across.levels) <= _UPRIGHT else -40
    words = tooltip(
        ("across", across.label),
        ("down", down.label),
        ("mean", f"mean {scale.measure}", scale.number),
        ("runs", "Runs", "d"),
    )
    shared = {
        "x": axis("across", "ordinal", across.label, scale={"domain": list(across.levels)}, axis={"labelAngle": angle}),
        "y": axis("down", "ordinal", down.label, scale={"domain": list(down.levels)}),
        "tooltip": words,
    }
    legend = {"format": scale.ticks, "orient": "right", "gradientLength": 110}
    colour = axis("mean", "quantitative", f"mean {scale.measure}", scale={"scheme": "viridis"}, legend=legend)
    cells = {
        "mark": {"type": "rect", "stroke": "#ffffff", "strokeWidth": 1},
        "encoding": shared | {"color": colour},
    }
    middle = (min(row["mean"] for row in rows) + max(row["mean"] for row in rows)) / 2
    on_bright = {"test": f"datum.mean > {middle!r}", "value": "#000000"}
    numbers = {
        "mark": {"type": "text", "fontSize": 12},
        "encoding": shared
        | {
            "text": axis("mean", "quantitative", "", format=".0%" if scale.is_percent else ".3~g"),
            "color": {"condition": on_bright, "value": "#ffffff"},
        },
    }
    return [cells, numbers] if len(rows) <= _NUMBERS else [cells]
