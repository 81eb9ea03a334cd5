"""Findings about settings that were trained with several seeds."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.findings.effect_words import compared_words, family_text, interval_text, measure_text
from tunebook.analysis.findings.finding import COULD_BE_CHANCE, TO_SAMPLES, Finding
from tunebook.analysis.formatting import FEW_RUNS, p_text, plural
from tunebook.analysis.statistics.measure_results import MeasureResults
from tunebook.analysis.statistics.seeds import Replicates

__all__ = ["state_seeds"]


def state_seeds(results: MeasureResults) -> Iterator[Finding]:
    """The settings over their seeds against the base model, and the variation between seeds."""
    groups = results.replicates
    compared = [item for item in groups if item.difference is not None]
    if len(compared) > 1:
        yield _against_base(results, compared)
    if len(groups) > FEW_RUNS:
        yield Finding("seeds", _variation(results))
    else:
        for item in groups:
            yield Finding("seeds", _setting(results, item))


def _against_base(results: MeasureResults, compared: list[Replicates]) -> Finding:
    """How many settings differ significantly from their base model, in each direction."""
    measure = results.table.measure
    words = [compared_words(measure, item.difference or 0.0) for item in compared if item.significant]
    good, bad = ("better", "worse") if measure.has_direction else ("higher", "lower")
    how = ("paired tests of each sample's mean over the seeds", family_text(compared[0].family))
    tests = ", ".join(filter(None, how))
    text = (
        f"Averaged over their seeds, {words.count(good)} of {len(compared)} settings score significantly {good} on "
        f"{measure_text(results)} than their base model and {words.count(bad)} significantly {bad} "
        f"({tests}: {TO_SAMPLES})."
    )
    return Finding("seeds", text, significant=bool(words))


def _variation(results: MeasureResults) -> str:
    groups, scale = results.replicates, results.scale
    deviations = [item.sd for item in groups if item.sd is not None]
    return (
        f"Scores on {measure_text(results)} vary between seeds: the standard deviations of {len(groups)} settings are "
        f"{scale.amount(min(deviations))} to {scale.amount(max(deviations))}."
    )


def _setting(results: MeasureResults, item: Replicates) -> str:
    scale = results.scale
    mean = f"{scale.value(item.mean)} ({plural(len(item.runs), 'seed')})"
    text = f"{item.setting}: mean {mean} on {measure_text(results)}"
    if item.sd is not None:
        text += f", standard deviation between seeds {scale.amount(item.sd)}"
    if item.difference is None:
        return f"{text}."
    size = item.family.size if item.family is not None else 1
    together = f", simultaneous for {plural(size, 'setting')}" if item.simultaneous is not None and size > 1 else ""
    interval = interval_text(item.simultaneous or item.difference_interval, scale, together)
    text += f"; difference from the base model {scale.change(item.difference)}{interval}, {p_text(item.p_holm)}"
    text += f" after {family_text(item.family)}." if size > 1 else "."
    return text if item.significant or item.difference == 0 else text + COULD_BE_CHANCE
