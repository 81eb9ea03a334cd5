"""Cautions: limits of the conclusions that the numbers allow."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.findings.finding import Finding
from tunebook.analysis.formatting import plural
from tunebook.analysis.statistics.measure_results import MeasureResults

__all__ = ["state_cautions"]

_FEW_SAMPLES = 30


def state_cautions(results: MeasureResults) -> Iterator[Finding]:
    """The cautions that apply to one measure of one task."""
    for caution in (_few_samples, _single_seed, _different_epochs, _unpaired_samples, _too_easy):
        text = caution(results)
        if text:
            yield Finding("caution", text)


def _few_samples(results: MeasureResults) -> str:
    fewest = min((score.n for score in results.table.finals.values()), default=0)
    if not 0 < fewest < _FEW_SAMPLES:
        return ""
    return f"{results.table.task} has {plural(fewest, 'sample')}: only large differences can be detected."


def _single_seed(results: MeasureResults) -> str:
    if len(results.table.tuned) < 2 or results.replicates:  # noqa: PLR2004  nothing to compare
        return ""
    return (
        "Each setting was trained once, with one seed: a difference between two settings may be due to chance in "
        "training. Only several seeds per setting can show it."
    )


def _different_epochs(results: MeasureResults) -> str:
    table = results.table
    epochs = {key.epoch for key in table.tuned_keys}
    if len(epochs) < 2 or any(factor.key == "epochs" for factor in results.factors):  # noqa: PLR2004  all alike
        return ""
    return (
        f"Runs differ in their last evaluated epoch on {table.task}, from epoch {min(epochs)} to epoch {max(epochs)}; "
        "each is compared after its own."
    )


def _unpaired_samples(results: MeasureResults) -> str:
    unpaired = [item.unpaired for item in results.comparisons if item.unpaired]
    if not unpaired:
        return ""
    return (
        f"{plural(len(unpaired), 'comparison')} on {results.table.task} left out samples that only one of the two runs "
        f"has, up to {plural(max(unpaired), 'sample')}."
    )


def _too_easy(results: MeasureResults) -> str:
    perfect = 0
    for run in results.table.tuned:
        score = results.table.finals[run.name]
        perfect += score.is_binary and score.value == 1
    if perfect < 2:  # noqa: PLR2004  a single run is the best
        return ""
    return f"{perfect} runs answered every sample of {results.table.task} correctly: the task is too easy to rank them."
