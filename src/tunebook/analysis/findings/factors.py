"""Findings about the varied factors and about seeds."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.findings.finding import (
    FEW_RUNS,
    TO_RETRAINING,
    TO_SAMPLES,
    Finding,
    count_significant,
    level_text,
)
from tunebook.analysis.formatting import Scale, p_text, percent_text, plural
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.statistics.measure_results import MeasureResults
from tunebook.analysis.statistics.seeds import Replicates

__all__ = ["state_effects", "state_seeds"]


def state_effects(results: MeasureResults) -> Iterator[Finding]:
    """Each main effect, tested or not, and each interaction that was tested."""
    scale = results.scale
    for effect in results.effects:
        if effect.is_main:
            yield Finding("effect", _main_effect(scale, effect), effect.significant)
        elif effect.p is not None:
            yield Finding("interaction", _interaction(effect), effect.significant)


def _main_effect(scale: Scale, effect: Effect) -> str:
    (label,) = effect.labels
    levels = [f"{scale.value(item.mean)} at {level_text(item.levels[0])}" for item in effect.means]
    means = f"mean score {', '.join(levels)}"
    if effect.p is None:
        return f"{label}: {means}; not tested: {effect.note}."
    if effect.significant:
        head = f"{label} makes a difference on {effect.task}"
    else:
        head = f"No effect of {label} on {effect.task} was detected"
    return f"{head}: {means}; {_test(effect)}."


def _interaction(effect: Effect) -> str:
    one, two = effect.labels
    if effect.significant:
        return f"The effects of {one} and {two} on {effect.task} depend on each other: {_test(effect)}."
    return f"No interaction of {one} and {two} on {effect.task} was detected: {_test(effect)}."


def _test(effect: Effect) -> str:
    statistic = ""
    if effect.df is not None:
        statistic = f"F({effect.df[0]:g}, {effect.df[1]:g}) = {effect.statistic:.2f}, "
    if effect.generalizes == "seeds":
        scope = f"tested against the variation between seeds: {TO_RETRAINING}"
    else:
        scope = f"tested over samples: {TO_SAMPLES}"
    return f"{statistic}{p_text(effect.p_holm)}, {scope}"


def state_seeds(results: MeasureResults) -> Iterator[Finding]:
    """The settings over their seeds against the base model, and the variation between seeds."""
    groups = results.replicates
    compared = [item for item in groups if item.difference is not None]
    if len(compared) > 1:
        better, worse = count_significant(groups)
        text = (
            f"Averaged over their seeds, {better} of {len(compared)} settings score significantly higher on "
            f"{results.table.task} than their base model and {worse} significantly lower (paired tests of each "
            f"sample's mean over the seeds, Holm's correction: {TO_SAMPLES})."
        )
        yield Finding("seeds", text, significant=better + worse > 0)
    if len(groups) > FEW_RUNS:
        yield Finding("seeds", _variation(results))
    else:
        for item in groups:
            yield Finding("seeds", _setting(results.scale, item))


def _variation(results: MeasureResults) -> str:
    groups, scale = results.replicates, results.scale
    deviations = [item.sd for item in groups if item.sd is not None]
    first, second = sorted(groups, key=lambda item: -item.mean)[:2]
    return (
        f"Scores on {results.table.task} vary between seeds: the standard deviations of {len(groups)} settings are "
        f"{scale.value(min(deviations))} to {scale.value(max(deviations))}. "
        f"The highest mean is that of {_mean(scale, first)}, the next that of {_mean(scale, second)}."
    )


def _setting(scale: Scale, item: Replicates) -> str:
    text = f"{_mean(scale, item)} on {item.task}, standard deviation between seeds {scale.value(item.sd)}"
    if item.difference is not None:
        difference = scale.difference(item.difference, item.difference_interval)
        text += f"; difference from the base model over the samples {difference}, {p_text(item.p_holm)}"
        if not item.significant:
            text += ", which could be chance"
    return f"{text}."


def _mean(scale: Scale, item: Replicates) -> str:
    interval = ""
    if item.interval is not None:
        interval = f", {percent_text(item.interval.level)} interval {scale.interval(item.interval)}"
    return f"{item.setting} with {scale.value(item.mean)} ({plural(len(item.runs), 'seed')}{interval})"
