"""Cautions: what limits the conclusions that the numbers allow."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.statistics.measure_results import MeasureResults
from tunebook.analysis.wording import plural

__all__ = ["state_cautions"]

_FEW_SAMPLES = 30


def state_cautions(results: MeasureResults) -> Iterator[Finding]:
    """The cautions that apply to one measure of one task."""
    for text in _cautions(results):
        yield Finding("caution", text)


def _cautions(results: MeasureResults) -> Iterator[str]:
    table = results.table
    finals, tuned, task = table.finals, table.tuned, table.task
    fewest = min((score.n for score in finals.values()), default=0)
    if 0 < fewest < _FEW_SAMPLES:
        yield f"{task} has {plural(fewest, 'sample')}: only large differences can be detected."
    if len(tuned) > 1 and not results.replicates:
        yield (
            "Each setting was trained once, with one seed: a difference between two settings may be due to chance in "
            "training. Only several seeds per setting can show it."
        )
    epochs = {finals[run.name].evaluation.epoch for run in tuned}
    if len(epochs) > 1 and not any(factor.key == "epochs" for factor in results.factors):
        yield (
            f"Runs differ in their last evaluated epoch on {task}, from epoch {min(epochs)} to epoch {max(epochs)}; "
            "each is compared after its own."
        )
    unpaired = [item.unpaired for item in results.comparisons if item.unpaired]
    if unpaired:
        yield (
            f"{plural(len(unpaired), 'comparison')} on {task} left out samples that only one of the two runs has, up "
            f"to {plural(max(unpaired), 'sample')}."
        )
    perfect = [run for run in tuned if finals[run.name].is_binary and finals[run.name].value == 1]
    if len(perfect) > 1:
        yield f"{len(perfect)} runs answered every sample of {task} correctly: the task is too easy to rank them."
