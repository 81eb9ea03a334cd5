"""The report's table of effects: the levels' means, the test, and the verdict; and what the tests generalize to."""

from __future__ import annotations

from collections.abc import Iterator

from tunebook.analysis.formatting import capitalized
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Cell, Column, Style, Table, Text
from tunebook.analysis.statistics.effects import Effect
from tunebook.analysis.values import Analysis

__all__ = ["effect_table", "scopes"]

_HOLM = "P-values are corrected for the number of tests by Holm's method."


def effect_table(analysis: Analysis) -> Table:
    """Main effects and interactions with their tests."""
    f_note = (
        "F compares the differences between levels with those that chance would make; df are its degrees of freedom."
    )
    means_note = "Means are over the runs with that level."
    eta_note = "Partial η² is the effect's share of the variance that the other effects leave."

    def df(effect: Effect) -> Cell:
        return cells.text(", ".join(f"{each:g}" for each in effect.df or ()))

    def p(effect: Effect) -> Cell:
        return cells.p_value(effect.p_holm, effect.significant)

    def eta(effect: Effect) -> Cell:
        return cells.number(effect.partial_eta_squared, ".3f")

    columns = (
        Column("effect", "Effect", lambda effect: cells.text(" × ".join(effect.labels))),
        Column("task", "Task", lambda effect: cells.text(effect.task)),
        Column("measure", "Measure", lambda effect: cells.text(effect.measure)),
        Column(
            "means",
            "Means",
            lambda effect: _means(analysis, effect),
            is_long=True,
            note=means_note,
        ),
        Column("f", "F", lambda effect: cells.number(effect.statistic, ".2f"), is_number=True, note=f_note),
        Column("df", "df", df, is_number=True),
        Column("p", "p", p, is_number=True, note=_HOLM),
        Column("eta", "Partial η²", eta, is_number=True, note=eta_note),
        Column("verdict", "Verdict", _verdict, is_long=True),
    )
    return Table.of("effects", "Effects of the varied factors", columns, analysis.effects, file="effects.csv")


def _means(analysis: Analysis, effect: Effect) -> Cell:
    scale = analysis.scale(effect.task, effect.measure)
    return cells.text(
        ", ".join(f"{item.levels[0]}: {scale.value(item.mean)}" for item in effect.means if effect.is_main)
    )


def _verdict(effect: Effect) -> Cell:
    verdict = {True: "significant", False: "not significant", None: "not tested"}[effect.significant]
    if effect.note:
        verdict += f": {effect.note}"
    return cells.text(verdict)


def scopes(analysis: Analysis) -> Iterator[Text]:
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
