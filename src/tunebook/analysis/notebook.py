"""How an analysis shows itself in a notebook: its findings and its runs, every text escaped. Pure."""

from __future__ import annotations

from html import escape

from tunebook.analysis.frames import runs_frame
from tunebook.analysis.values import Analysis
from tunebook.analysis.wording import plural, scale_of

__all__ = ["notebook_html"]

_MOST_ROWS = 30
_MARKS = {True: "✓", False: "·", None: "•"}


def notebook_html(analysis: Analysis) -> str:
    """A heading, the findings, what is missing, and a row a run with its score and interval."""
    parts = [f"<h3>{escape(analysis.name)}</h3>"]
    if analysis.question:
        parts.append(f"<p><em>{escape(analysis.question)}</em></p>")
    items = [f"<li>{_MARKS[item.significant]} {escape(item.text)}</li>" for item in analysis.findings]
    parts.append(
        f'<ul style="list-style:none;padding-left:0">{"".join(items)}</ul>' if items else "<p>No findings.</p>"
    )
    if analysis.gaps:
        parts.append(f"<p>{plural(len(analysis.gaps), 'planned result')} missing: see <code>.analysis.gaps</code>.</p>")
    return "".join(parts) + _runs(analysis)


def _runs(analysis: Analysis) -> str:
    """The runs in short: factors, loss and scores; the whole of it is ``.runs``."""
    frame = runs_frame(analysis)
    if frame.empty:
        return ""
    factors = {factor.key: factor.label for factor in analysis.factors if factor.key in frame}
    short = frame[["directory", *factors, "training_tail_loss"]].rename(
        columns={"directory": "Run", **factors, "training_tail_loss": "Loss"}
    )
    for task in analysis.tasks:
        scale = scale_of(score.value for score in analysis.scores(task.name))
        values = analysis.final_scores(task.name)
        found = [values.get(run) for run in frame["run"]]
        short[task.name] = [scale.value(score.value) if score else "" for score in found]
        short[f"{task.name}: interval"] = [scale.interval(score.interval) if score else "" for score in found]
    more = f"<p>{len(short) - _MOST_ROWS} more in <code>.runs</code>.</p>" if len(short) > _MOST_ROWS else ""
    table: str = short.head(_MOST_ROWS).to_html(index=False, na_rep="", escape=True, float_format="{:.4g}".format)
    return table + more
