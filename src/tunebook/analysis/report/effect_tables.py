"""The report's tables of effects: tests, means of levels, trends, simple effects; and what the tests generalize to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tunebook.analysis.formatting import Scale, capitalized
from tunebook.analysis.records import Family
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Block, Cell, Column, Style, Table, Text
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.statistics.fits import FactorTest
from tunebook.analysis.values import Analysis

__all__ = ["effect_blocks"]

_FILE = "effects.csv"
_F_NOTE = "F compares the differences between levels with those that chance would make; df are its degrees of freedom."
_P_NOTE = "P-values are corrected for the number of tests of their family."
_VERDICT_NOTE = "“Not detected” does not mean that there is no effect."


def effect_blocks(analysis: Analysis, key: str) -> Iterator[Block]:
    """The tables of effects that have rows, and what their tests generalize to.

    Args:
        key: of the table of tests; the keys of the other tables begin with it.
    """
    yield replace(_effect_table(analysis), key=key)
    yield from _scopes(analysis)
    for name, table in {
        "levels": _mean_table(analysis),
        "trends": _trend_table(analysis),
        "simple": _simple_effect_table(analysis),
    }.items():
        if table.rows:
            yield Text(table.label, Style.SUBHEADING)
            yield replace(table, key=f"{key}-{name}")


@dataclass(frozen=True)
class _Part:
    """A part of an effect that has a row of its own.

    Attributes:
        part: a mean, a trend or a simple effect.
    """

    effect: Effect
    part: Any
    scale: Scale


def _effect_table(analysis: Analysis) -> Table:
    """Main effects and interactions with their tests."""
    difference_note = (
        "The largest difference is that between the levels with the highest and the lowest mean; its interval is "
        "simultaneous over all pairs of levels."
    )
    eta_note = "Partial η² is the effect's share of the variance between runs that the other effects leave."

    def difference(effect: Effect) -> Cell:
        if effect.difference is None:
            return Cell()
        found, scale = effect.difference, analysis.scale(effect.task, effect.measure)
        return cells.difference(found.difference, found.interval, scale)

    def levels(effect: Effect) -> Cell:
        return cells.text("" if effect.difference is None else f"{effect.difference.high} − {effect.difference.low}")

    columns = (
        Column("effect", "Effect", lambda effect: cells.text(" × ".join(effect.labels))),
        Column("task", "Task", lambda effect: cells.text(effect.task)),
        Column("measure", "Measure", lambda effect: cells.text(effect.measure)),
        Column("levels", "Levels", levels),
        Column(
            "difference",
            "Largest difference",
            difference,
            is_number=True,
            note=difference_note,
            detail=analysis.interval_title,
        ),
        Column("f", "F", lambda effect: cells.number(effect.statistic, ".2f"), is_number=True, note=_F_NOTE),
        Column("df", "df", lambda effect: _df(effect.df), is_number=True),
        Column("p", "p", lambda effect: cells.p_value(effect.p_holm, effect.significant), is_number=True, note=_P_NOTE),
        Column(
            "eta",
            "Partial η²",
            lambda effect: cells.number(effect.partial_eta_squared, ".3f"),
            is_number=True,
            note=eta_note,
        ),
        Column("test", "Test", lambda effect: cells.text(effect.test), is_long=True),
        Column("family", "Family of tests", lambda effect: _family(effect.family), is_long=True),
        Column("verdict", "Verdict", _verdict, is_long=True, note=_VERDICT_NOTE),
    )
    return Table.of("effects", "Effects of the varied factors", columns, analysis.effects, file=_FILE)


def _df(df: tuple[float, float] | None) -> Cell:
    return cells.text(", ".join(f"{each:g}" for each in df or ()))


def _family(family: Family | None) -> Cell:
    """The family's name, its size and its correction."""
    if family is None:
        return Cell()
    if family.size == 1:
        return cells.text(f"{family.name}: 1 test, not corrected")
    return cells.text(f"{family.name}: {family.size} tests, {family.correction}")


def _verdict(effect: Effect) -> Cell:
    verdict = {True: "significant", False: "not detected", None: "not tested"}[effect.significant]
    if effect.depends_on:
        verdict += f", an average over levels of {', '.join(effect.depends_on)}, on which the effect depends"
    if effect.note:
        verdict += f": {effect.note}"
    return cells.text(verdict)


def _scopes(analysis: Analysis) -> Iterator[Text]:
    """A note on what the tests of the effects generalize to, if there are tests."""
    found = []
    for effect in analysis.effects:
        if effect.test:
            scope = "to new test samples, not to retraining"
            if effect.generalizes == "seeds":
                scope = "to retraining with other seeds, not to other samples"
            found.append(f"{capitalized(effect.test)}: its p-value generalizes {scope}.")
    if found:
        yield Text(" ".join(dict.fromkeys(found)), Style.NOTE)


def _mean_table(analysis: Analysis) -> Table:
    """One row per level of each main effect."""
    parts = []
    for effect in analysis.effects:
        if effect.is_main:
            scale = analysis.scale(effect.task, effect.measure)
            parts += [_Part(effect, item, scale) for item in effect.means]
    is_estimated = any(effect.has_raw_means for effect in analysis.effects)
    title, note = "Mean", "Intervals are of each mean by itself; differences have intervals of their own."
    if is_estimated:
        title = "Estimated mean"
        note += (
            " The estimated mean is the model's, with equal weight of the other factors' levels; it differs from the "
            "mean of the runs where the design is unbalanced, or where runs answered different samples."
        )

    def raw(item: _Part) -> Cell:
        found = item.part.raw_mean
        return cells.score(item.part.mean if found is None else found, None, item.scale)

    columns = [
        *_names("Factor", lambda item: item.effect.labels[0]),
        Column("level", "Level", lambda item: cells.text(item.part.levels[0])),
        Column(
            "mean",
            title,
            lambda item: cells.score(item.part.mean, item.part.interval, item.scale),
            is_number=True,
            detail=analysis.interval_title,
        ),
    ]
    if is_estimated:
        columns.append(Column("raw", "Mean of the runs", raw, is_number=True))
    columns.append(Column("runs", "Runs", lambda item: cells.number(item.part.runs), is_number=True))
    return Table.of("effects-levels", "Means of the levels", columns, parts, note=note, file=_FILE)


def _names(title: str, label: Callable[[_Part], str]) -> tuple[Column, ...]:
    """The columns that say what a row is about."""
    return (
        Column("effect", title, lambda item: cells.text(label(item))),
        Column("task", "Task", lambda item: cells.text(item.effect.task)),
        Column("measure", "Measure", lambda item: cells.text(item.effect.measure)),
    )


def _test_columns() -> tuple[Column, ...]:
    """The columns of a part's test."""

    def of(show: Callable[[FactorTest], Cell]) -> Callable[[_Part], Cell]:
        return lambda item: Cell() if item.part.test is None else show(item.part.test)

    return (
        Column("f", "F", of(lambda test: cells.number(test.statistic, ".2f")), is_number=True, note=_F_NOTE),
        Column("df", "df", of(lambda test: _df(test.df)), is_number=True),
        Column("p", "p", of(lambda test: cells.p_value(test.p_holm, test.significant)), is_number=True, note=_P_NOTE),
        Column("test", "Test", of(lambda test: cells.text(test.name)), is_long=True),
        Column("family", "Family of tests", of(lambda test: _family(test.family)), is_long=True),
    )


def _trend_table(analysis: Analysis) -> Table:
    """One row per factor whose levels are numbers."""
    parts = []
    for effect in analysis.effects:
        if effect.trend is not None:
            parts += [_Part(effect, effect.trend, analysis.scale(effect.task, effect.measure))]
    note = "The slope is that of a straight line through the means; a departure is a difference from this line."

    def slope(item: _Part) -> Cell:
        return cells.difference(item.part.slope, item.part.interval, item.scale)

    def departure(item: _Part) -> Cell:
        found = item.part.departure
        return Cell() if found is None else cells.p_value(found.p_holm, found.significant)

    columns = (
        *_names("Factor", lambda item: item.effect.labels[0]),
        Column("unit", "Step", lambda item: cells.text(item.part.unit.name)),
        Column("slope", "Slope", slope, is_number=True, detail=analysis.interval_title),
        *_test_columns(),
        Column("departure", "p of the departure", departure, is_number=True),
    )
    return Table.of("effects-trends", "Trends over numeric levels", columns, parts, note=note, file=_FILE)


def _simple_effect_table(analysis: Analysis) -> Table:
    """One row per factor of a significant interaction and level of the other factor."""
    parts = []
    for effect in analysis.effects:
        scale = analysis.scale(effect.task, effect.measure)
        parts += [_Part(effect, item, scale) for item in effect.simple_effects]
    note = "A simple effect is that of one factor among the runs at one level of another factor."

    def difference(item: _Part) -> Cell:
        return cells.difference(item.part.difference, None, item.scale)

    columns = (
        *_names("Effect of", lambda item: item.part.label),
        Column("at", "At", lambda item: cells.text(f"{item.part.at_label} {item.part.level}")),
        Column("levels", "Levels", lambda item: cells.text(f"{item.part.high} − {item.part.low}")),
        Column("difference", "Largest difference", difference, is_number=True),
        *_test_columns(),
    )
    return Table.of("effects-simple", "Simple effects", columns, parts, note=note, file=_FILE)
