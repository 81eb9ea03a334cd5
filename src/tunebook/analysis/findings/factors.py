"""Findings about the varied factors: interactions first, then main effects, trends, and the balance of the design."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tunebook.analysis.findings.effect_words import (
    compared_words,
    difference_text,
    effect_test,
    family_text,
    interval_text,
    means_text,
    measure_text,
    result_text,
    scope_text,
)
from tunebook.analysis.findings.finding import Finding, level_text
from tunebook.analysis.formatting import FEW_RUNS, MISSING, listed, shortened
from tunebook.analysis.statistics.balance import Balance
from tunebook.analysis.statistics.effects import Effect, is_comparison
from tunebook.analysis.statistics.measure_results import MeasureResults
from tunebook.analysis.statistics.simple_effects import Reversal, SimpleEffect
from tunebook.analysis.statistics.trends import Trend

__all__ = ["state_balance", "state_effects"]


def state_effects(results: MeasureResults) -> Iterator[Finding]:
    """Significant interactions, each main effect with its trend, tested or not, and the other tested interactions."""
    interactions = [effect for effect in results.effects if not effect.is_main and effect.p is not None]
    for effect in interactions:
        if effect.significant:
            yield Finding("interaction", _dependence(results, effect), effect.significant)
    for effect in results.effects:
        if effect.is_main and not is_comparison(effect, results.comparisons):  # which is a finding of its own
            yield Finding("effect", _main_effect(results, effect), effect.significant)
        if effect.trend is not None:
            yield Finding("trend", _trend(results, effect, effect.trend), effect.trend.test.significant)
    for effect in interactions:
        if not effect.significant:
            one, two = effect.labels
            text = f"No interaction of {one} and {two} on {measure_text(results)} was detected: {effect_test(effect)}."
            yield Finding("interaction", text, effect.significant)


def _main_effect(results: MeasureResults, effect: Effect) -> str:
    (label,) = effect.labels
    measure, means = measure_text(results), means_text(effect.means, results.scale)
    if effect.p is None:
        return f"{label} on {measure}: {means}; not tested: {effect.note}."
    parts = [means, difference_text(effect, results.table.measure, results.scale), effect_test(effect)]
    details = "; ".join(filter(None, parts))
    if effect.depends_on:
        average = f"Averaged over the levels of {listed(effect.depends_on)}, on which its effect depends"
        if effect.significant:
            return f"{average}, {label} makes a difference on {measure}: {details}."
        return f"{average}, no effect of {label} on {measure} was detected: {details}."
    if effect.significant:
        return f"{label} makes a difference on {measure}: {details}."
    return f"No effect of {label} on {measure} was detected: {details}."


def _dependence(results: MeasureResults, effect: Effect) -> str:
    """A significant interaction, what it consists of, and whether levels change places."""
    one, two = effect.labels
    head = f"The effects of {one} and {two} on {measure_text(results)} depend on each other"
    sentences = [f"{head}: {effect_test(effect)}."]
    if effect.reversal is not None:
        sentences.append(_reversal(results, effect.reversal))
    for label in effect.labels:
        own = [item for item in effect.simple_effects if item.label == label and item.test is not None]
        if own:
            sentences.append(_simple_effects(own))
    return " ".join(sentences)


def _reversal(results: MeasureResults, reversal: Reversal) -> str:
    here, there = reversal.differences
    first, second = level_text(reversal.first), level_text(reversal.second)
    words = [compared_words(results.table.measure, value) for value in (here, there)]
    scale = results.scale
    facts = (
        f"{reversal.label} {first} is {words[0]} than {second} by {scale.amount(here)} at {reversal.at_label} "
        f"{level_text(reversal.here)}, and {words[1]} by {scale.amount(there)} at {level_text(reversal.there)}"
    )
    if reversal.is_significant:
        return f"The order of levels reverses: {facts}, each significant by Bonferroni's correction."
    return f"In these means the order of levels reverses, which could be chance: {facts}."


def _simple_effects(items: Sequence[SimpleEffect]) -> str:
    """At which levels of the other factor an effect was detected."""
    first = items[0]
    found = [level_text(item.level) for item in items if item.test is not None and item.test.significant]
    correction = family_text(first.test.family if first.test is not None else None)
    ending = f" ({correction})" if correction else ""
    if not found:
        return f"An effect of {first.label} was detected at no single level of {first.at_label}{ending}."
    if len(found) == len(items):
        return f"An effect of {first.label} was detected at every level of {first.at_label}{ending}."
    names = shortened(found) if len(found) > FEW_RUNS else listed(found)
    count = f"{len(found)} of {len(items)} levels of {first.at_label}"
    return f"An effect of {first.label} was detected at {count}: {names}{ending}."


def _trend(results: MeasureResults, effect: Effect, trend: Trend) -> str:
    test = trend.test
    slope = f"{results.scale.change(trend.slope)} per {trend.unit.name}{interval_text(trend.interval, results.scale)}"
    if effect.depends_on:
        slope += f", averaged over the levels of {listed(effect.depends_on)}"
    correction = family_text(test.family, test.p, test.p_holm)
    tested = ", ".join(filter(None, (result_text(test), correction, scope_text(effect.generalizes))))
    head = f"No trend of the scores on {measure_text(results)} over {trend.label} was detected"
    if test.significant and trend.departure is not None and trend.departure.significant:
        way = "upwards" if trend.slope > 0 else "downwards"
        head = f"Scores on {measure_text(results)} go {way} with {trend.label} on average, but not on a straight line"
    elif test.significant:
        head = f"Scores on {measure_text(results)} {'rise' if trend.slope > 0 else 'fall'} with {trend.label}"
    return f"{head}: {slope}; {tested}.{_departure(trend)}"


def _departure(trend: Trend) -> str:
    """Whether the means lie on a straight line."""
    found = trend.departure
    if found is None:
        return ""
    line = f"a straight line over {'log ' if trend.unit.is_logarithmic else ''}{trend.label}"
    if found.significant:
        return f" The means depart from {line}: {result_text(found)}."
    return f" No departure from {line} was detected: {result_text(found)}."


def state_balance(results: MeasureResults) -> Iterator[Finding]:
    """A caution if some combinations of levels have no scored run, or fewer than others."""
    balance = results.balance
    if not balance.treatments or balance.is_balanced or len(results.table.tuned) < 2:  # noqa: PLR2004  a comparison
        return
    facts = " and ".join(filter(None, (_missing(balance), _uneven(balance))))
    weight = "estimated means give each level of a factor the same weight, however many runs it has"
    yield Finding("caution", f"The design is unbalanced on {results.table.task}: {facts}; {weight}.")


def _cells(balance: Balance) -> str:
    labels = listed([factor.label for factor in balance.treatments])
    return f"combinations of {labels}" if len(balance.treatments) > 1 else f"levels of {labels}"


def _missing(balance: Balance) -> str:
    """How many combinations have no scored run, and the first of them."""
    if not balance.missing:
        return ""
    names = [" × ".join(map(level_text, cell)) for cell in balance.missing_cells(FEW_RUNS)]
    more = f" and {balance.missing - FEW_RUNS} more" if balance.missing > FEW_RUNS else ""
    return f"no run has a score in {balance.missing} of {balance.cells} {_cells(balance)} ({', '.join(names)}{more})"


def _uneven(balance: Balance) -> str:
    """The combinations that have fewer scored runs than others, with their numbers."""
    most = max(balance.counts.values())
    fewer = []
    for cell, count in sorted(balance.counts.items(), key=lambda item: item[1]):
        if count < most:
            fewer.append(f"{' × '.join(level_text(level or MISSING) for level in cell)}: {count}")
    if not fewer:
        return ""
    subject = "of the others" if balance.missing else f"of {balance.cells} {_cells(balance)}"
    return f"{len(fewer)} {subject} have fewer scored runs than {most} ({shortened(fewer)})"
