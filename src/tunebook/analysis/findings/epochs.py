"""The finding about the change from the first evaluated epoch to the last."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.findings.phrases import COULD_BE_CHANCE, Phrases
from tunebook.analysis.statistics.intervals import ALPHA
from tunebook.analysis.statistics.measure_results import MeasureResults
from tunebook.analysis.wording import p_text, plural

__all__ = ["state_epochs"]


def state_epochs(results: MeasureResults) -> Iterator[Finding]:
    """The mean score after the first and after the last evaluated epoch."""
    change = results.epochs
    if change is None:
        return
    scale, test = Phrases(results).scale, change.test
    span = "From the first to the last epoch"
    if change.epochs is not None:
        span = f"From epoch {change.epochs[0]} to epoch {change.epochs[1]}"
    text = (
        f"{span}, the mean score of {plural(change.runs, 'run')} on {results.table.task} goes from "
        f"{scale.value(change.before)} to {scale.value(change.after)}: "
        f"{scale.difference(test.difference, test.interval)}, {test.name}, {p_text(test.p)}, n = {change.n}."
    )
    is_significant = test.p < ALPHA
    if not is_significant and test.difference != 0:
        text += COULD_BE_CHANCE
    yield Finding("epochs", text, is_significant)
