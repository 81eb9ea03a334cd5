"""The report's table of the families of tests: for each how many tests it has, and how they were corrected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tunebook.analysis.records import Family
from tunebook.analysis.report import cells
from tunebook.analysis.report.content import Column, Section, Table, Text
from tunebook.analysis.statistics.fits import FactorTest
from tunebook.analysis.values import Analysis

__all__ = ["FamilyUse", "families_of", "tests_section"]

_NOTE = (
    "A p-value is corrected for the number of tests of its family, all of which answer one question about one measure "
    "of one task."
)


@dataclass(frozen=True)
class FamilyUse:
    """A family of one task and measure; ``significant`` counts its tests that are significant after correction."""

    task: str
    measure: str
    family: Family
    significant: int = 0


def families_of(analysis: Analysis) -> Iterator[FamilyUse]:
    """Every family of tests, in the order of the results."""
    found: dict[tuple[str, str, str], FamilyUse] = {}
    for task, measure, test in _tested(analysis):
        family: Family | None = test.family
        if family is not None and family.size:
            key = (task, measure, family.name)
            use = found.setdefault(key, FamilyUse(task, measure, family))
            found[key] = replace(use, significant=use.significant + bool(test.significant))
    yield from found.values()


def _tested(analysis: Analysis) -> Iterator[tuple[str, str, Any]]:
    """Everything that has a family, with its task and measure."""
    own: list[Any] = [*analysis.hypotheses, *analysis.comparisons, *analysis.replicates, *analysis.effects]
    own += analysis.groups.interactions
    for item in own:
        yield item.task, item.measure, item
    for found in analysis.aggregates.results:
        if found.comparison is not None:
            yield found.task, found.measure, found.comparison
    for effect in analysis.effects:
        parts: list[FactorTest | None] = [each.test for each in effect.simple_effects]
        if effect.trend is not None:
            parts += [effect.trend.test, effect.trend.departure]
        for part in parts:
            if part is not None:
                yield effect.task, effect.measure, part


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
        Column("correction", "Correction", lambda use: cells.text(use.family.correction)),
        Column("significant", "Significant", lambda use: cells.number(use.significant), is_number=True),
    )
    table = Table.of("tests", "Families of tests", columns, uses, note=_NOTE)
    return Section("tests", "Tests", (table,))
