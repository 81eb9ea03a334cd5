"""The figure of every difference from the base model: the forest plot at the head of a report."""

from __future__ import annotations

from collections.abc import Sequence

from tunebook.analysis.charts import marks
from tunebook.analysis.charts.figure import Figure
from tunebook.analysis.charts.marks import Row, Spec
from tunebook.analysis.charts.task_scores import TaskScores, verdict_looks
from tunebook.analysis.formatting import p_text, plural
from tunebook.analysis.records import Interval
from tunebook.analysis.statistics.pairwise import Comparison
from tunebook.analysis.statistics.seeds import Replicates

__all__ = ["by_difference"]

_NAME = "score_difference"
_MOST_RUNS = 12  # with more runs and several seeds per setting, settings have the rows
_MOST_NAMED = 60
_ROW_PX = 22
_BETWEEN = "\u2003" * 4

_Tested = Comparison | Replicates


def by_difference(scores: TaskScores) -> Figure:
    """One row per run, or per setting over its seeds: the paired difference from the base model with its interval."""
    title = f"{scores.measure}: difference from the base model"
    runs = scores.analysis.final_comparisons(scores.task.name)
    settings = [item for item in scores.own(scores.analysis.replicates) if item.difference is not None]
    tested: Sequence[_Tested] = runs
    noun = "run"
    if settings and len(runs) > _MOST_RUNS:
        tested, noun = settings, "setting"
    if not tested:
        return Figure(_NAME, title, reason="no run was compared with a base model on the same samples")
    rows = _rows(scores, tested)
    height = 84 + _ROW_PX * max(len(rows), 2)
    hint = ""
    if len(rows) > _MOST_NAMED:
        height, hint = 420, "Point at a row to see its name."
    caption = _caption(scores, rows, tested, noun)
    return Figure(_NAME, title, caption, _spec(scores, rows), height, is_wide=True, hint=hint)


def _rows(scores: TaskScores, tested: Sequence[_Tested]) -> list[Row]:
    """The best difference first; of a measure without a direction, the highest."""
    points = 100 if scores.scale.is_percent else 1
    measure = scores.task.headline
    rows: list[Row] = []
    for item in sorted(tested, key=lambda item: -measure.goodness(item.difference)):
        difference = item.difference or 0.0
        interval = _interval(item)
        low = high = None
        if interval is not None:
            low, high = points * interval.low, points * interval.high
        row = {
            "rank": len(rows) + 1,
            "difference": marks.compact(points * difference),
            "low": marks.compact(low),
            "high": marks.compact(high),
            "p": p_text(item.p_holm).removeprefix("p ").removeprefix("= "),
            "verdict": scores.verdict(difference, significant=bool(item.significant)),
        }
        rows.append(_subject(scores, item) | row)
    return rows


def _interval(item: _Tested) -> Interval | None:
    """The interval that holds together with those of the family, on which the verdicts are decided."""
    if item.simultaneous is not None:
        return item.simultaneous
    return item.interval if isinstance(item, Comparison) else item.difference_interval


def _subject(scores: TaskScores, item: _Tested) -> Row:
    if isinstance(item, Comparison):
        return {"run": scores.numbers[item.run], "name": scores.analysis.labels[item.run], "runs": 1}
    return {"name": item.setting, "runs": len(item.runs)}


def _spec(scores: TaskScores, rows: list[Row]) -> Spec:
    """Rows by name while they fit, otherwise by rank; a line at zero."""
    is_named = len(rows) <= _MOST_NAMED
    if is_named:
        sort = {"field": "rank", "op": "min"}
        y = marks.axis("name", "nominal", "", sort=sort, axis={"grid": False, "labelOverlap": False, "labelLimit": 260})
    else:
        domain = {"domain": [len(rows) + 0.7, 0.3], "nice": False}
        y = marks.axis("rank", "quantitative", "Rank", scale=domain, axis={"grid": False, "tickMinStep": 1})
    present = {row["verdict"] for row in rows}
    looks = {name: look for name, look in verdict_looks(scores.task.headline).items() if name in present}
    channels = marks.categories("verdict", looks, {})
    is_filtered = all("run" in row for row in rows)
    x = _across(scores, "difference")
    bars = {"y": y, "x": _across(scores, "low"), "x2": {"field": "high"}, "color": channels["color"]}
    thickness, size = (2.0, 95.0) if is_named else (1.0, 26.0)
    words = marks.tooltip(
        ("name", "Run or setting"),
        ("difference", "Difference", "+.4~g"),
        ("low", "from", ".4~g"),
        ("high", "to", ".4~g"),
        ("p", "p (corrected)"),
        ("verdict", "Verdict"),
    )
    point = {"y": y, "x": x, "tooltip": words, "size": marks.emphasized(size * 2, size)}
    zero = marks.layer({"type": "rule", "style": "reference"}, {"x": _across(scores, "at")}, data="zero")
    look = {"type": "rule", "strokeWidth": thickness, "strokeOpacity": 1 if is_named else 0.45}
    intervals = marks.layer(look, bars, where="isValid(datum.low)", is_filtered=is_filtered)
    points = marks.layer({"type": "point", "filled": True, "opacity": 1}, channels | point, is_filtered=is_filtered)
    layers = [zero, intervals, points | marks.hover("name")]
    return marks.layered(rows, *layers, params=[marks.SHOWN], datasets={"zero": [{"at": 0}]})


def _across(scores: TaskScores, field: str) -> Spec:
    """The axis of differences; its title names the measure and what lies on either side of zero."""
    lower, higher = "lower", "higher"
    if scores.task.headline.has_direction:
        is_higher_better = scores.task.headline.is_better(1, 0)
        lower, higher = (
            ("lower (worse)", "higher (better)") if is_higher_better else ("lower (better)", "higher (worse)")
        )
    unit = "percentage points" if scores.scale.is_percent else "units of the measure"
    name = marks.one_line(scores.measure)
    channel = marks.axis(field, "quantitative", "", scale={"zero": True, "nice": True})
    ticks = {"format": "+.6~g", "tickCount": 7}
    return channel | {
        "title": [name, f"← {lower}{_BETWEEN}{higher} →", f"difference in {unit}"],
        "axis": ticks,
    }


def _caption(scores: TaskScores, rows: Sequence[Row], tested: Sequence[_Tested], noun: str) -> str:
    bars = f"{scores.analysis.interval_title}s"
    if all(item.simultaneous is not None for item in tested):
        bars += " that hold for all rows together"
    of = "the run's score after its last evaluated epoch minus that of its base model, on the same samples"
    if noun == "setting":
        of = "the mean over a setting's seeds minus the base model, on the same samples"
    tests = ", ".join(sorted({item.test for item in tested if item.test})) or "paired tests"
    text = f"Points: {of}; bars: {bars}. Colours: {tests}"
    text += f", corrected (Holm) over {plural(len(rows), noun)}." if len(rows) > 1 else "."
    together = [item.simultaneous for item in tested if item.significant and item.simultaneous is not None]
    if any(interval.contains_zero for interval in together):
        text += (
            " Where a bar reaches 0 although a difference was detected, Holm's correction decides: it is less strict "
            "than intervals that hold together."
        )
    if len(rows) > _MOST_NAMED:
        text += f" {plural(len(rows), noun)}, sorted by difference."
    return text
