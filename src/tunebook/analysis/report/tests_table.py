"""The report's table of the families of tests: for each how many tests it has, and how they were corrected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tunebook.analysis.formatting import plural
from tunebook.analysis.records import Family, Interval
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Column, Section, Table, Text
from tunebook.analysis.statistics.effects import is_comparison
from tunebook.analysis.statistics.fits import FactorTest
from tunebook.analysis.values import Analysis

__all__ = ["FamilyUse", "families_of", "tests_section"]

_NOTE = (
    "A p-value is corrected for the number of tests of its family, all of which answer one question about one measure "
    "of one task."
)

_DISAGREEING = (
    "{} significant by Holm's method although the simultaneous interval contains 0: the method rejects one hypothesis "
    "after the other and finds more than intervals that all hold together can show."
)
_UNITS = {"seeds": "retraining", "samples": "new test samples"}


@dataclass(frozen=True)
class FamilyUse:
    """A family of one task and measure.

    Attributes:
        significant: how many of its tests are significant after correction.
        tests: the names of its tests, and ``units`` what their results generalize to.
        disagreeing: how many tests are significant although the simultaneous interval of the difference contains 0.
    """

    task: str
    measure: str
    family: Family
    significant: int = 0
    tests: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    disagreeing: int = 0

    def with_test(self, test: Any, generalizes: str) -> FamilyUse:
        """The family with one more test, whose result generalizes to this."""
        named: Any = getattr(test, "test", test)
        name = named if isinstance(named, str) else named.name
        unit = _UNITS.get(generalizes, "")
        interval: Interval | None = getattr(test, "simultaneous", None)
        contains_zero = interval is not None and interval.contains_zero
        return replace(
            self,
            significant=self.significant + bool(test.significant),
            tests=tuple(dict.fromkeys(filter(None, (*self.tests, name)))),
            units=tuple(dict.fromkeys(filter(None, (*self.units, unit)))),
            disagreeing=self.disagreeing + bool(test.significant and contains_zero),
        )


def families_of(analysis: Analysis) -> Iterator[FamilyUse]:
    """Every family of tests, in the order of the results."""
    found: dict[tuple[str, str, str], FamilyUse] = {}
    for task, measure, generalizes, test in _tested(analysis):
        family: Family | None = test.family
        if family is not None and family.size:
            key = (task, measure, family.name)
            use = found.setdefault(key, FamilyUse(task, measure, family))
            found[key] = use.with_test(test, generalizes)
    yield from found.values()


def _tested(analysis: Analysis) -> Iterator[tuple[str, str, str, Any]]:
    """Everything that has a family, with its task, its measure, and what it generalizes to."""
    own: list[Any] = [*analysis.hypotheses, *analysis.comparisons, *analysis.replicates]
    own += [effect for effect in analysis.effects if not is_comparison(effect, analysis.comparisons)]
    own += [item for item in analysis.ranking if item.generalizes == "seeds"]  # the others are comparisons
    own += analysis.epoch_changes
    own += analysis.groups.interactions
    for item in own:
        yield item.task, item.measure, getattr(item, "generalizes", "samples"), item
    for found in analysis.aggregates.results:
        if found.comparison is not None:
            yield found.task, found.measure, "samples", found.comparison
    for effect in analysis.effects:
        parts: list[FactorTest | None] = [each.test for each in effect.simple_effects]
        if effect.trend is not None:
            parts += [effect.trend.test, effect.trend.departure]
        for part in parts:
            if part is not None:
                yield effect.task, effect.measure, effect.generalizes, part


def tests_section(analysis: Analysis) -> Section:
    """One row per family."""
    uses = list(families_of(analysis))
    if not uses:
        return Section("tests", "Tests", (Text("No test was made."),))
    columns = (
        Column("task", "Task", lambda use: cells.text(use.task)),
        Column("measure", "Measure", lambda use: cells.text(use.measure)),
        Column("family", "Family", lambda use: cells.text(use.family.name), is_long=True),
        Column("tests", "Tests", lambda use: cells.number(use.family.size), is_number=True),
        Column("test", "Test", lambda use: cells.text("; ".join(use.tests)), is_long=True),
        Column("unit", "Generalizes to", lambda use: cells.text(", ".join(use.units))),
        Column("correction", "Correction", lambda use: cells.text(use.family.correction)),
        Column("significant", "Significant", lambda use: cells.number(use.significant), is_number=True),
    )
    note = _NOTE
    disagreeing = sum(use.disagreeing for use in uses)
    if disagreeing:
        note += f" {_DISAGREEING.format(plural(disagreeing, 'difference is', 'differences are'))}"
    table = Table.of("tests", "Families of tests", columns, uses, note=note)
    return Section("tests", "Tests", (table,))
