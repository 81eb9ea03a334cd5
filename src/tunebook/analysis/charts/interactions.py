"""The figures of two factors together: lines over levels with the intervals of the cells, or a heat map."""

from __future__ import annotations

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.line_labels import label_lines
from tunebook.analysis.charts.marks import Row, Spec
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.formatting import is_number
from tunebook.analysis.records import FactorUse
from tunebook.analysis.statistics.balance import treatments_of
from tunebook.analysis.statistics.effects import Effect

__all__ = ["interactions"]

_NAME, _HEAT_MAP = "score_interaction", "score_heatmap"
_MOST_LINES = 6  # levels of both factors up to which cells are points on lines
_HEIGHT, _OFFSET_PX = 280, 6.0
_MOST_PAIRS = 3
_MOST_NUMBERS = 60  # cells that show their number
_MOST_FLAT = 8  # levels along the lower axis whose names lie flat


def interactions(scores: TaskScores) -> list[Figure]:
    """One figure per pair of factors, the pairs with the strongest interaction first."""
    title = f"{scores.measure} by two factors"
    if len(treatments_of(scores.analysis.factors)) < 2:  # noqa: PLR2004
        return [Figure(_NAME, title, reason="fewer than two factors were varied, apart from seeds")]
    pairs = [effect for effect in scores.own(scores.analysis.effects) if effect.means and not effect.is_main]
    if not pairs:
        return [Figure(_NAME, title, reason="no cell of two factors has a score yet")]
    pairs.sort(key=lambda effect: (effect.p is None, effect.p or 0.0))
    suffixes = [""] if len(pairs) == 1 else [f"-{number}" for number in range(1, _MOST_PAIRS + 1)]
    return [_figure(scores, effect, suffix) for effect, suffix in zip(pairs, suffixes, strict=False)]


def _figure(scores: TaskScores, effect: Effect, suffix: str) -> Figure:
    factors = {factor.key: factor for factor in scores.analysis.factors}
    across, down = (factors[key] for key in effect.factors)
    is_turned = len(across.levels) < len(down.levels)  # the factor with more levels lies along the lower axis
    if is_turned:
        across, down = down, across
    rows: list[Row] = []
    for cell in effect.means:
        first, second = reversed(cell.levels) if is_turned else cell.levels
        row = {"across": first, "down": second, "mean": marks.compact(cell.mean), "runs": cell.runs}
        rows.append(row | marks.interval_fields(cell.interval))
    caption = f"Mean {scores.measure} of {_run_count(rows)} in each cell, after the last evaluated epoch."
    title = f"{scores.measure} by {across.label} and {down.label}"
    if max(len(across.levels), len(down.levels)) <= _MOST_LINES:
        caption += f" One line per level of {down.label}; parallel lines mean no interaction."
        if any(row["low"] is not None for row in rows):
            caption += f" Bars: {scores.analysis.interval_title}s."
        return Figure(f"{_NAME}{suffix}", title, caption, _lines(scores, rows, across, down), _HEIGHT)
    if len(rows) < len(across.levels) * len(down.levels):
        caption += " Empty cells have no score."
    spec = marks.layered(rows, *_cells(rows, across, down, scores))
    return Figure(f"{_HEAT_MAP}{suffix}", title, caption, spec, 90 + 34 * max(2, len(down.levels)))


def _lines(scores: TaskScores, rows: list[Row], across: FactorUse, down: FactorUse) -> Spec:
    """The cell means as points on lines, a few pixels beside each other, so that intervals do not overlap."""
    levels = [level for level in down.levels if any(row["down"] == level for row in rows)]
    for row in rows:
        row["line"] = levels.index(row["down"])
    x = marks.axis("across", "ordinal", across.label, scale={"domain": list(across.levels)}, axis={"labelAngle": 0})
    has_numbers = all(map(is_number, down.levels))
    kind = "ordinal" if has_numbers else "nominal"
    colour = {"field": "down", "type": kind, "sort": None, "scale": {"domain": levels}, "legend": None}
    channels = {"x": x, "y": scores.channel("mean"), "color": colour}
    layers = [layer for line in range(len(levels)) for layer in _line(scores, channels, line, len(levels))]
    words = scores.mean_tooltip(("across", across.label), ("down", down.label))
    for layer in layers:
        layer["encoding"]["tooltip"] = words
    ends = {}
    for row in sorted(rows, key=lambda row: across.levels.index(row["across"])):
        ends[row["down"]] = row | {"label": f"{down.label} {row['down']}" if has_numbers else row["down"]}
    values = [row[key] for row in rows for key in ("mean", "low", "high") if row[key] is not None]
    labels = label_lines(
        list(ends.values()), channels, values, height=_HEIGHT, log=False, beside=9 + _OFFSET_PX * (len(levels) - 1) / 2
    )
    datasets = {"labels": list(labels.rows)}
    return marks.layered(rows, *layers, labels.layer, datasets=datasets, padding=labels.padding)


def _line(scores: TaskScores, channels: Spec, line: int, lines: int) -> list[Spec]:
    """The intervals, the line and the points of one level, moved sideways."""
    where, moved = f"datum.line === {line}", {"xOffset": _OFFSET_PX * (line - (lines - 1) / 2)}
    shared = {key: channels[key] for key in ("x", "color")}
    bars = {"strokeWidth": 1.6, "strokeOpacity": 0.8} | moved
    point = {"type": "point", "filled": True, "size": 60, "opacity": 1} | moved
    return [
        scores.bars(shared, bars, where=f"{where} && isValid(datum.low)"),
        marks.layer({"type": "line", "strokeWidth": 1.8} | moved, dict(channels), where=where),
        marks.layer(point, dict(channels), where=where),
    ]


def _run_count(rows: list[Row]) -> str:
    counts = [row["runs"] for row in rows]
    low, high = min(counts), max(counts)
    if low < high:
        return f"{low}–{high} runs"
    return "one run" if high == 1 else f"{high} runs"


def _cells(rows: list[Row], across: FactorUse, down: FactorUse, scores: TaskScores) -> list[Spec]:
    is_flat = len(across.levels) <= _MOST_FLAT
    columns = {"domain": list(across.levels)}
    shared = {
        "x": marks.axis("across", "ordinal", across.label, scale=columns, axis={"labelAngle": 0 if is_flat else -40}),
        "y": marks.axis("down", "ordinal", down.label, scale={"domain": list(down.levels)}),
        "tooltip": scores.mean_tooltip(("across", across.label), ("down", down.label)),
    }
    legend = {"format": scores.ticks, "orient": "right", "gradientLength": 110}
    colour = marks.axis("mean", "quantitative", f"mean {scores.reading}", scale={"scheme": "viridis"}, legend=legend)
    cells = marks.layer({"type": "rect", "stroke": "#ffffff", "strokeWidth": 1}, shared | {"color": colour})
    if len(rows) > _MOST_NUMBERS:
        return [cells]
    means = [row["mean"] for row in rows]
    on_bright = {"test": f"datum.mean > {(min(means) + max(means)) / 2!r}", "value": "#000000"}
    written = {
        "text": marks.axis("mean", "quantitative", "", format=".0%" if scores.scale.is_percent else ".3~g"),
        "color": {"condition": on_bright, "value": "#ffffff"},
    }
    return [cells, marks.layer({"type": "text", "fontSize": 12}, shared | written)]
