"""The figures of each two factors: the mean score in every cell."""

from __future__ import annotations

from tunebook.analysis.charts.figure import Figure, Row, Spec, axis, compact, layer, layered
from tunebook.analysis.charts.task_scores import TaskScores
from tunebook.analysis.records import FactorUse
from tunebook.analysis.statistics.effects import Effect, treatments_of

__all__ = ["heat_maps"]

_NAME, _TITLE = "score_heatmap", "Score by two factors"
_MOST_PAIRS = 3
_MOST_NUMBERS = 60  # cells that show their number
_MOST_FLAT = 8  # levels along the lower axis whose names lie flat


def heat_maps(scores: TaskScores) -> list[Figure]:
    """One figure per pair of factors, the pairs with the strongest interaction first."""
    if len(treatments_of(scores.analysis.factors)) < 2:  # noqa: PLR2004
        return [Figure(_NAME, _TITLE, reason="fewer than two factors were varied, apart from seeds")]
    pairs = [effect for effect in scores.own(scores.analysis.effects) if effect.means and not effect.is_main]
    if not pairs:
        return [Figure(_NAME, _TITLE, reason="no cell of two factors has a score yet")]
    pairs.sort(key=lambda effect: (effect.p is None, effect.p or 0.0))
    if len(pairs) == 1:
        return [_heat_map(scores, pairs[0], _NAME)]
    numbered = enumerate(pairs[:_MOST_PAIRS], start=1)
    return [_heat_map(scores, effect, f"{_NAME}-{number}") for number, effect in numbered]


def _heat_map(scores: TaskScores, effect: Effect, name: str) -> Figure:
    factors = {factor.key: factor for factor in scores.analysis.factors}
    across, down = (factors[key] for key in effect.factors)
    is_turned = len(across.levels) < len(down.levels)  # the factor with more levels lies along the lower axis
    if is_turned:
        across, down = down, across
    rows: list[Row] = []
    for cell in effect.means:
        first, second = reversed(cell.levels) if is_turned else cell.levels
        rows.append({"across": first, "down": second, "mean": compact(cell.mean), "runs": cell.runs})
    caption = f"Mean score of {_run_count(rows)} in each cell, after the last evaluated epoch."
    if len(rows) < len(across.levels) * len(down.levels):
        caption += " Empty cells have no score."
    spec = layered(rows, *_layers(rows, across, down, scores))
    return Figure(name, f"{across.label} × {down.label}", caption, spec, 90 + 34 * max(2, len(down.levels)))


def _run_count(rows: list[Row]) -> str:
    counts = [row["runs"] for row in rows]
    low, high = min(counts), max(counts)
    if low < high:
        return f"{low}–{high} runs"
    return "one run" if high == 1 else f"{high} runs"


def _layers(rows: list[Row], across: FactorUse, down: FactorUse, scores: TaskScores) -> list[Spec]:
    is_flat = len(across.levels) <= _MOST_FLAT
    columns = {"domain": list(across.levels)}
    shared = {
        "x": axis("across", "ordinal", across.label, scale=columns, axis={"labelAngle": 0 if is_flat else -40}),
        "y": axis("down", "ordinal", down.label, scale={"domain": list(down.levels)}),
        "tooltip": scores.mean_tooltip(("across", across.label), ("down", down.label)),
    }
    legend = {"format": scores.ticks, "orient": "right", "gradientLength": 110}
    colour = axis("mean", "quantitative", f"mean {scores.measure}", scale={"scheme": "viridis"}, legend=legend)
    cells = layer({"type": "rect", "stroke": "#ffffff", "strokeWidth": 1}, shared | {"color": colour})
    if len(rows) > _MOST_NUMBERS:
        return [cells]
    means = [row["mean"] for row in rows]
    on_bright = {"test": f"datum.mean > {(min(means) + max(means)) / 2!r}", "value": "#000000"}
    written = {
        "text": axis("mean", "quantitative", "", format=".0%" if scores.scale.is_percent else ".3~g"),
        "color": {"condition": on_bright, "value": "#ffffff"},
    }
    return [cells, layer({"type": "text", "fontSize": 12}, shared | written)]
